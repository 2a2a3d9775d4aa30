package pages

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShown is how much of one text is shown. The service takes 12 kB; what is longer is in the raw line.
const maxShown = 64 << 10

// span is a piece of a stranger's text: words, or one character that must not act.
type span struct {
	Text string
	Code string // of a character that must be seen: U+202E
	Name string // what it is
}

// spans takes a stranger's text apart. The words of it can be shown as they are; line breaks are kept.
func spans(text string) []span {
	var all []span
	cut := len(text) > maxShown
	if cut {
		text = strings.ToValidUTF8(text[:maxShown], "")
	}
	start, flag := 0, false
	for i, r := range text {
		name := acting(r)
		if tag := r >= 0xE0020 && r <= 0xE007F; tag && flag {
			name = "" // of a region's flag
		} else if !tag {
			flag = r == 0x1F3F4
		}
		if name == "" {
			continue
		}
		if i > start {
			all = append(all, span{Text: text[start:i]})
		}
		all = append(all, span{Code: fmt.Sprintf("U+%04X", r), Name: name})
		start = i + utf8.RuneLen(r)
	}
	if start < len(text) {
		all = append(all, span{Text: text[start:]})
	}
	if cut {
		all = append(all, span{Code: "cut", Name: "the rest of this text is in the raw line"})
	}
	return all
}

// acting names a character that changes how others are shown, or that nobody sees; it is empty for all others. Joiners are
// not named: scripts and emoji need them.
func acting(r rune) string {
	switch {
	case r == '\n' || r == '\t':
		return ""
	case unicode.IsControl(r):
		return "control character"
	case unicode.Is(unicode.Bidi_Control, r):
		return "character that changes the direction of text"
	case unicode.In(r, unicode.Zl, unicode.Zp):
		return "separator of lines"
	case r == 0x200B, r >= 0x2060 && r <= 0x2064, r == 0xFEFF, r >= 0xFFF9 && r <= 0xFFFB, r >= 0xE0000 && r <= 0xE007F:
		return "character that nobody sees"
	case unicode.Is(unicode.Co, r):
		return "character of private use"
	default:
		return ""
	}
}

// Plain is a stranger's text on one line with nothing in it that acts, for where only text can stand, such as a title.
func Plain(text string) string {
	var b strings.Builder
	for _, s := range spans(text) {
		if s.Code != "" {
			b.WriteString("[" + s.Code + "]")
			continue
		}
		b.WriteString(strings.Join(strings.FieldsFunc(s.Text, func(r rune) bool { return r == '\n' || r == '\t' }), " "))
	}
	return b.String()
}
