package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"chatexport/scripts/internal/screen"
)

// Marks in the texts of Lines. Nobody else can write them: OneLine lets no control character through.
const (
	rowMark  = "\x1e" // begins a row
	cellMark = "\x1f" // begins every cell but the first
)

// narrow is as far as columns before the last one may reach before the last one is wrapped at words.
const narrow = 44

// marked is Table with the marks by which a terminal's width can be kept.
func marked(rows [][]string, left ...int) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(aligned(rows, cellMark, left...), "\n") {
		if line != "" {
			b.WriteString(rowMark + line)
		}
	}
	return b.String()
}

// show writes a text: to a terminal so that tables fit its width, and verdicts have a colour.
func show(w io.Writer, text string) error {
	s, ok := screen.Of(w).(*screen.Screen)
	if !ok {
		_, err := io.WriteString(w, strings.NewReplacer(rowMark, "", cellMark, "").Replace(text))
		return err
	}
	var b strings.Builder
	var table [][]string
	end := func() {
		b.WriteString(fitted(table, s.Width()))
		table = nil
	}
	for line := range strings.Lines(text) {
		row, isRow := strings.CutPrefix(line, rowMark)
		if !isRow {
			end()
			b.Write(screen.Fit([]byte(line)))
			continue
		}
		table = append(table, strings.Split(strings.TrimSuffix(row, "\n"), cellMark))
	}
	end()
	_, err := io.WriteString(s.Terminal(), b.String())
	return err
}

// fitted returns a table whose cells are padded as long as it is no wider than a terminal. A wider one loses columns in
// which there is nothing but zeros; then its last column is wrapped at words, or the first gets lines of its own.
func fitted(rows [][]string, width int) string {
	if wide(rows) > width {
		rows = withoutZeros(rows)
	}
	before := wide(rows[:min(1, len(rows))])
	if len(rows) > 0 && len(rows[0]) > 0 {
		before -= utf8.RuneCountInString(rows[0][len(rows[0])-1])
	}
	own := wide(rows) > width && before > narrow
	var b strings.Builder
	named := len(rows) > 0 && strings.TrimSpace(rows[0][0]) == "group" // a header, whose first column is names
	for n, row := range rows {
		text := laid(row, own, width)
		if n > 0 || !named {
			text = painted(text, row, named)
		}
		b.WriteString(text)
	}
	return b.String()
}

// laid returns the lines of a row, whose first cell has one of its own if it must.
func laid(row []string, own bool, width int) string {
	indent, first := "", ""
	if own && len(row) > 1 {
		first, indent = strings.TrimRight(row[0], " ")+"\n", "  "
		row = append([]string{strings.TrimPrefix(row[1], "  ")}, row[2:]...)
	}
	line := indent + strings.Join(row[:len(row)-1], "")
	room := max(width-utf8.RuneCountInString(line), 1)
	lines := wrapped(strings.TrimRight(row[len(row)-1], " "), room)
	lines[0] = strings.TrimRight(line+lines[0], " ")
	return first + strings.Join(lines, "\n"+strings.Repeat(" ", utf8.RuneCountInString(line)+2)) + "\n"
}

// painted gives the verdict of a row its colour: a cell that begins with one, but never a name.
func painted(text string, row []string, named bool) string {
	if !coloured() {
		return text
	}
	for c, cell := range row {
		if c == 0 && named {
			continue
		}
		word := strings.TrimSpace(cell)
		if end := strings.IndexAny(word, ",;:"); end >= 0 {
			word = word[:end]
		}
		colour := ""
		switch word {
		case "sound", "complete", "done", "ok", "restored":
			colour = green
		case "late", "warning":
			colour = yellow
		case "NOT SOUND", "NOT RESTORED", "stuck", "failing", "failed", "damaged":
			colour = red
		}
		at := 0
		if c > 0 {
			at = strings.LastIndex(text, "  "+word) + len("  ")
		}
		if colour != "" && strings.HasPrefix(text[at:], word) {
			return text[:at] + colour + word + plain + text[at+len(word):]
		}
	}
	return text
}

// wide returns how wide the widest row is.
func wide(rows [][]string) int {
	most := 0
	for _, row := range rows {
		most = max(most, utf8.RuneCountInString(strings.TrimRight(strings.Join(row, ""), " ")))
	}
	return most
}

// withoutZeros leaves out the columns between the first and the last one that say nothing.
func withoutZeros(rows [][]string) [][]string {
	kept := make([][]string, len(rows))
	for c := range rows[0] {
		says := c == 0 || c == len(rows[0])-1
		for _, row := range rows[1:] {
			says = says || c < len(row) && strings.Trim(row[c], " 0-") != ""
		}
		for r, row := range rows {
			if says && c < len(row) {
				kept[r] = append(kept[r], row[c])
			}
		}
	}
	return kept
}

// wrapped breaks a text at words into lines of at most width characters, the later ones two less. Leading space stays.
func wrapped(text string, width int) []string {
	var lines []string
	room := width
	for utf8.RuneCountInString(text) > room {
		runes := []rune(text)
		at := strings.LastIndexByte(strings.TrimRight(string(runes[:room+1]), " "), ' ')
		if strings.TrimSpace(string(runes[:room+1])[:max(at, 0)]) == "" {
			break // one word
		}
		lines = append(lines, string(runes)[:at])
		text = strings.TrimLeft(string(runes)[at:], " ")
		room = max(width-2, 1)
	}
	return append(lines, text)
}

// Colours of a terminal, for what this program says itself.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// coloured reports whether a screen is to have colours (https://no-color.org).
func coloured() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// emphasise writes a word of this program's own, on a terminal in a colour.
func emphasise(w io.Writer, colour, word string) error {
	if s, ok := screen.Of(w).(*screen.Screen); ok && coloured() {
		w, word = s.Terminal(), colour+word+plain
	}
	_, err := io.WriteString(w, word)
	return err
}

// Warn tells a person what is no failure.
func Warn(w io.Writer, format string, args ...any) {
	_ = emphasise(w, yellow, "warning")                                       // nobody is left to tell
	_, _ = io.WriteString(w, ": "+OneLine(fmt.Sprintf(format, args...))+"\n") // the same
}
