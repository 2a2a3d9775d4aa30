package chat

import (
	"strconv"
	"strings"
)

// maxDepth is how deep objects and arrays may be nested. Real pages have about 12 levels (a merged message within
// merged messages); a bound keeps a hostile answer from exhausting the stack.
const maxDepth = 512

// noSeq is what is wrong with an element whose MsgSeq is no number in [1, MaxSeq].
const noSeq = "is missing or not a seq"

// scanner walks over JSON text (RFC 8259) and checks it as strictly as encoding/json does. Like there, bytes that are
// not UTF-8 are let pass inside strings.
//
// Its methods take the index of what they read and return the index behind it. -1 means that err was set.
type scanner struct {
	body   []byte
	valid  bool   // the whole body is UTF-8
	spaces int    // bytes of white space passed so far
	within string // the member of ours that is being read, for messages
	arena  []byte // holds what had to be copied
	err    *MalformedError
}

// MalformedError says where an answer is not what it should be. Its text never has any of the content.
type MalformedError struct {
	Shape string // what is wrong, in one word, for logs
	// Answer is the whole answer, nil unless it is one of the API all the same, but for what cannot be read: a JSON object
	// that says OK, or has begun a list of messages. An HTML page is not.
	Answer []byte
	After  Seq // of the last element before what cannot be read; 0 if it is the first

	offset int
	within string
	found  string
}

// Error implements error.
func (e *MalformedError) Error() string {
	msg := ErrMalformed.Error() + ": byte " + strconv.Itoa(e.offset)
	if e.within != "" {
		msg += ", " + e.within
	}
	return msg + ": " + e.found
}

// Unwrap returns ErrMalformed.
func (e *MalformedError) Unwrap() error { return ErrMalformed }

func (s *scanner) unexpected(i int) *MalformedError {
	return s.malformed(i, "unexpected "+kindAt(s.body, i))
}

func (s *scanner) malformed(i int, found string) *MalformedError {
	shape := strings.ReplaceAll(found, " ", "_")
	switch {
	case i >= len(s.body):
		shape = "cut_off"
	case found == noSeq:
		shape = "no_seq"
	}
	return &MalformedError{Shape: shape, offset: i, within: s.within, found: found}
}

func (s *scanner) fail(i int) int {
	s.err = s.unexpected(i)
	return -1
}

func (s *scanner) failAs(i int, found string) int {
	s.err = s.malformed(i, found)
	return -1
}

// kindAt names what stands at i, without repeating it.
func kindAt(body []byte, i int) string {
	if i >= len(body) {
		return "end"
	}
	switch c := body[i]; {
	case c == '"':
		return "string"
	case c == '{':
		return "object"
	case c == '[':
		return "array"
	case c == '-' || '0' <= c && c <= '9':
		return "number"
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return "word"
	case c == '<':
		return "markup"
	case c == ',' || c == ':' || c == '}' || c == ']':
		return "punctuation"
	case c < ' ':
		return "control character"
	case c >= 0x80:
		return "character beyond ASCII"
	default:
		return "character"
	}
}

// at returns the byte at i, 0 behind the end: no token begins with it.
func (s *scanner) at(i int) byte {
	if i < len(s.body) {
		return s.body[i]
	}
	return 0
}

func (s *scanner) space(i int) int {
	if i < len(s.body) && s.body[i] > ' ' {
		return i
	}
	return s.skipSpace(i)
}

func (s *scanner) skipSpace(i int) int {
	start := i
	for i < len(s.body) && isSpace(s.body[i]) {
		i++
	}
	s.spaces += i - start
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// value passes over the value that begins at i. depth is that of the object or array around it.
func (s *scanner) value(i, depth int) int {
	switch c := s.at(i); c {
	case '"':
		i, _ = s.stringEnd(i + 1)
		return i
	case '{':
		return s.object(i+1, depth+1, nil)
	case '[':
		return s.array(i+1, depth+1)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.numberEnd(i)
	default:
		return s.fail(i)
	}
}

// object passes over the members behind a '{'. member takes each of them; nil passes over them.
func (s *scanner) object(i, depth int, member func(name []byte, i, depth int) int) int {
	if depth > maxDepth {
		return s.failAs(i, "nested too deep")
	}
	if i = s.space(i); s.at(i) == '}' {
		return i + 1
	}
	for {
		if member == nil {
			if i = s.anyName(i); i >= 0 {
				i = s.value(i, depth)
			}
		} else {
			var name []byte
			if name, i = s.name(i); i >= 0 {
				i = member(name, i, depth)
			}
		}
		if i < 0 {
			return i
		}
		i = s.space(i)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.fail(i)
		}
	}
}

func (s *scanner) array(i, depth int) int {
	if depth > maxDepth {
		return s.failAs(i, "nested too deep")
	}
	if i = s.space(i); s.at(i) == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth); i < 0 {
			return i
		}
		i = s.space(i)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(i)
		}
	}
}

// name reads a member's name and the colon, and returns the name without escapes and the index of the value.
func (s *scanner) name(i int) ([]byte, int) {
	if s.at(i) != '"' {
		return nil, s.fail(i)
	}
	end, escaped := s.stringEnd(i + 1)
	if end < 0 {
		return nil, end
	}
	name := s.body[i+1 : end-1]
	if escaped {
		name = unquote(s.body[i:end])
	}
	return name, s.colon(end)
}

// anyName is name where the name does not matter.
func (s *scanner) anyName(i int) int {
	if s.at(i) != '"' {
		return s.fail(i)
	}
	if i, _ = s.stringEnd(i + 1); i < 0 {
		return i
	}
	return s.colon(i)
}

func (s *scanner) colon(i int) int {
	if i = s.space(i); s.at(i) != ':' {
		return s.fail(i)
	}
	return s.space(i + 1)
}

func (s *scanner) word(i int, word string) int {
	if len(s.body)-i < len(word) || string(s.body[i:i+len(word)]) != word {
		return s.failAs(i, "unknown word")
	}
	return i + len(word)
}

func (s *scanner) numberEnd(i int) int {
	if s.at(i) == '-' {
		i++
	}
	if s.at(i) == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return i
	}
	if s.at(i) == '.' {
		if i = s.digits(i + 1); i < 0 {
			return i
		}
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		i++
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits passes over one digit at least.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.body) && s.body[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return s.fail(i)
	}
	return i
}
