package chat

import (
	"encoding/binary"
	"math/bits"
)

// stringEnd passes over a string whose opening quote stands before i, and reports whether it has escapes.
func (s *scanner) stringEnd(i int) (end int, escaped bool) {
	b := s.body
	for {
		// Eight bytes at a time up to the next byte that means something.
		for len(b)-i >= 8 {
			if marks := special(binary.LittleEndian.Uint64(b[i:])); marks != 0 {
				i += bits.TrailingZeros64(marks) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
			i++
		}
		switch {
		case i >= len(b):
			return s.failAs(i, "string does not end"), false
		case b[i] == '"':
			return i + 1, escaped
		case b[i] != '\\':
			return s.failAs(i, "control character in a string"), false
		}
		if i = s.escape(i + 1); i < 0 {
			return i, false
		}
		escaped = true
	}
}

// special sets the highest bit of bytes of x that are a quote, a backslash or a control character. Only the lowest bit
// set is exact: a borrow may mark bytes above it.
func special(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote := x ^ ones*'"'
	backslash := x ^ ones*'\\'
	return ((quote-ones)&^quote | (backslash-ones)&^backslash | (x-ones*' ')&^x) & highs
}

// escape passes over what follows a backslash.
func (s *scanner) escape(i int) int {
	switch s.at(i) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for k := i + 1; k <= i+4; k++ {
			c := s.at(k)
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return s.failAs(k, "bad escape in a string")
			}
		}
		return i + 5
	default:
		return s.failAs(i, "bad escape in a string")
	}
}
