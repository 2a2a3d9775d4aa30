package logging

import (
	"strings"
	"unicode"
)

// Shown is the one filter for text from outside: what may be shown of a character, wherever that is shown. What would end
// the line is a space; what moves a cursor, colours, or turns the order of other characters is nothing (-1).
func Shown(r rune) rune {
	const lastBidi = 0x2069 // and no control character is above it
	switch {
	case ' ' <= r && r <= '~', r > lastBidi: // nearly all there are: this is where the time goes
		return r
	case unicode.IsControl(r) && unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return -1
	}
	return r
}

// Line makes text from outside fit for a line of a log, or of a command's output: what may be shown of it, without the
// secrets that it might quote from a request, of at most so many bytes, cut between two characters.
func Line(text string, most int, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[removed]")
		}
	}
	text = strings.Map(Shown, text)
	if len(text) <= most {
		return text
	}
	const cut = "…"
	return strings.ToValidUTF8(text[:max(most-len(cut), 0)], "") + cut
}
