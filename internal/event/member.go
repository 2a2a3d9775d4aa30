package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrInvalid is wrapped by the reason of every rejection: the same payload can never be understood.
	ErrInvalid = errors.New("event cannot be understood")

	errNoObject = fmt.Errorf("%w: not a JSON object, or broken JSON", ErrInvalid)
	errTwice    = fmt.Errorf("%w: a JSON object with one member twice", ErrInvalid)
	errNotUTF8  = fmt.Errorf("%w: the body is not UTF-8", ErrInvalid)
)

// members are those of a JSON object, by their exact names: encoding/json would take any case for a struct.
type members map[string]json.RawMessage

// object reads a JSON object. One that has a member twice could be meant in two ways.
func object(raw []byte) (members, error) {
	raw = trim(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errNoObject
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, errNoObject
	}
	m := members{}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return nil, errNoObject
		}
		key, _ := name.(string) // nothing else is a name
		if _, ok := m[key]; ok {
			return nil, errTwice
		}
		m[key] = value
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, errNoObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoObject
	}
	return m, nil
}

// has reports whether a member is there and not null.
func (m members) has(name string) bool { return present(m[name]) }

// id reads a text into value, or leaves it.
func (m members) id(name string, value *string) error {
	if !m.has(name) {
		return nil
	}
	id, ok := text(m[name])
	if !ok {
		return fmt.Errorf("%w: %s is not a string", ErrInvalid, name)
	}
	*value = strings.TrimSpace(id)
	return nil
}

// integer reads a number into value, or leaves it.
func (m members) integer(name string, value *int) error {
	if m.has(name) && json.Unmarshal(m[name], value) != nil {
		return fmt.Errorf("%w: %s is not an integer", ErrInvalid, name)
	}
	return nil
}

// base64 reads what the function told itself into value, or leaves it. What it means is for its writer to say.
func (m members) base64(name string, value *[]byte) error {
	if m.has(name) && (m[name][0] != '"' || json.Unmarshal(m[name], value) != nil) {
		return fmt.Errorf("%w: %s is not base64", ErrInvalid, name)
	}
	return nil
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// text reads a string, or a number as it is written: ids and owners come as either.
func text(raw json.RawMessage) (string, bool) {
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return string(raw), true
	}
	var s string
	if !utf8.Valid(raw) || !present(raw) || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}

// trim removes white space around a text, and the byte order mark that some editors and producers put in front of it.
func trim(raw []byte) []byte {
	return bytes.TrimFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || r == '\uFEFF' })
}
