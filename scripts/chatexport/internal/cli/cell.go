package cli

import (
	"strings"

	"chatexport/internal/logging"
)

// ByteOrderMark at the beginning is how spreadsheets tell UTF-8.
const ByteOrderMark = "\ufeff"

// Cell makes text from outside a cell of a spreadsheet. Its line breaks stay; what acts on whoever shows it is left out, and
// whatever would begin a formula gets an apostrophe in front: in the cell, and in what a spreadsheet makes cells of that ends them
// at a semicolon, or at the end of a line.
func Cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return logging.Shown(r)
	}, strings.ReplaceAll(text, "\r\n", "\n"))
	var b strings.Builder
	begins := true // whether what comes stands at the beginning of a cell, but for white space and quotes
	rest := 0      // what is not written yet begins here
	gap := 0       // the cell began here
	for i, r := range text {
		switch {
		case strings.ContainsRune(";\n", r):
			begins, gap = true, i+1
		case begins && strings.ContainsRune("=+-@|%＝＋－＠", r):
			b.WriteString(text[rest:gap] + "'")
			rest, begins = gap, false
		case !strings.ContainsRune(" \u00a0\u3000\"'", r):
			begins = false
		}
	}
	if rest == 0 && b.Len() == 0 {
		return text
	}
	return b.String() + text[rest:]
}
