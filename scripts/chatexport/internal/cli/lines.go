package cli

import (
	"fmt"
	"strings"

	"chatexport/internal/logging"
)

// OneLine makes text from outside part of a line: a name must not look like a line of its own.
func OneLine(text string) string { return strings.Map(logging.Shown, text) }

// Lines is a text for people, line by line, whatever is printed into one of them.
type Lines struct{ text strings.Builder }

// Line adds a line.
func (l *Lines) Line(format string, args ...any) {
	l.text.WriteString(OneLine(fmt.Sprintf(format, args...)) + "\n")
}

// Table adds a table, see the function of that name.
func (l *Lines) Table(rows [][]string, left ...int) { l.text.WriteString(marked(rows, left...)) }

// String returns the text, for Print and Result alone: its tables have marks.
func (l *Lines) String() string { return l.text.String() }
