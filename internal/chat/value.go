package chat

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// unquote returns the content of a string that the scanner has passed. It is for the rare ones with escapes: bytes that
// are not UTF-8 and halves of surrogates become U+FFFD.
func unquote(raw []byte) []byte {
	var value string
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil // cannot happen; a name or number of ours it is not
	}
	return []byte(value)
}

// stringOf returns the content of a value that is a string.
func stringOf(raw []byte) (string, bool) {
	if raw[0] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	switch {
	case string(inner) == "OK":
		return "OK", true // saves an allocation a page
	case slices.Contains(inner, '\\') || !utf8.Valid(inner):
		return string(unquote(raw)), true
	default:
		return string(inner), true
	}
}

// intOf returns a value that is an integer, or a string that is one; 0 for anything else.
func intOf(raw []byte) int64 {
	n, _ := integer(raw)
	return n
}

// integer takes a number without fraction and exponent, or a string of the same form, that fits into 63 bits.
func integer(raw []byte) (n int64, ok bool) {
	if raw[0] == '"' {
		if slices.Contains(raw, '\\') {
			raw = unquote(raw)
		} else {
			raw = raw[1 : len(raw)-1]
		}
	}
	negative := len(raw) > 0 && raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	if len(raw) == 0 || len(raw) > 18 { // 18 digits cannot overflow, and nothing of ours has more
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}

// reserve makes room for n bytes more in the arena. What was handed out before stays where it is.
func (s *scanner) reserve(n int) []byte {
	if cap(s.arena)-len(s.arena) < n {
		s.arena = make([]byte, 0, max(n, len(s.body)))
	}
	return s.arena[len(s.arena):]
}

// compact returns valid JSON text without insignificant white space.
func (s *scanner) compact(raw []byte) []byte {
	out := s.reserve(len(raw))
	inner := scanner{body: raw}
	start := 0 // of the bytes that are to be copied
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '"':
			i, _ = inner.stringEnd(i + 1)
		case isSpace(c):
			out = append(out, raw[start:i]...)
			i = inner.skipSpace(i)
			start = i
		default:
			i++
		}
	}
	return s.keep(append(out, raw[start:]...))
}

// repair returns raw with each byte that is not part of a UTF-8 sequence replaced by U+FFFD, as encoding/json does it.
func (s *scanner) repair(raw []byte) []byte {
	bad := 0
	for rest := raw; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			bad++
		}
		rest = rest[size:]
	}
	out := s.reserve(len(raw) + 2*bad)
	for rest := raw; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			out = append(out, "\uFFFD"...)
		} else {
			out = append(out, rest[:size]...)
		}
		rest = rest[size:]
	}
	return s.keep(out)
}

// keep takes what was appended to the result of reserve into the arena.
func (s *scanner) keep(out []byte) []byte {
	s.arena = s.arena[:len(s.arena)+len(out)]
	return slices.Clip(out)
}
