package logging

import (
	"strings"
	"unicode"
)

// Line makes text from outside fit for a log line: one line, without characters that cannot be seen, and at most so many
// bytes, cut between two characters.
func Line(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	if len(text) <= most {
		return text
	}
	const cut = "…"
	return strings.ToValidUTF8(text[:max(most-len(cut), 0)], "") + cut
}
