// Package screen keeps what others wrote from acting on the terminal that shows it.
//
// It owns the writer that stands before every terminal. What goes into a file or a pipe it must never change: that is
// read by programs.
package screen

import (
	"bytes"
	"io"
	"os"
	"unicode/utf8"

	"github.com/mattn/go-isatty"

	"chatexport/internal/logging"
)

// Screen is a terminal that gets text only: no characters that move its cursor, colour it, or turn the order of others.
// It is not safe for concurrent use.
type Screen struct {
	terminal io.Writer
	rest     []byte // the beginning of a character
}

// Of returns w, behind a Screen if it is a terminal.
func Of(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd())) {
		return New(w)
	}
	return w
}

// New puts a Screen before a terminal.
func New(terminal io.Writer) *Screen { return &Screen{terminal: terminal} }

// Terminal is for whoever means to move the cursor, with text that went through Fit.
func (s *Screen) Terminal() io.Writer { return s.terminal }

// Width returns how many characters a line of the terminal has, 80 if it does not say.
func (s *Screen) Width() int {
	if f, ok := s.terminal.(*os.File); ok {
		if columns := columns(f); columns > 0 {
			return columns
		}
	}
	return 80
}

// Write shows text.
func (s *Screen) Write(p []byte) (int, error) {
	text := append(s.rest, p...)
	whole := len(text) - unfinished(text)
	s.rest = bytes.Clone(text[whole:])
	if _, err := s.terminal.Write(Fit(text[:whole])); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Fit returns what may be shown of a text, with its lines and tabulators.
func Fit(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return logging.Shown(r)
	}, text)
}

// unfinished counts the bytes at the end that are the beginning of a character.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if utf8.FullRune(end) {
				return 0
			}
			return n
		}
	}
	return 0
}
