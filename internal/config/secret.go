package config

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret is a value that never shows itself: in logs, errors, JSON and with every verb of fmt it is "[redacted]", or
// "" when it is empty. The zero value is empty.
type Secret struct {
	value *string // behind a pointer, since fmt asks no method of what stands in an unexported field
}

// NewSecret wraps a value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the value, for the one call that needs it.
func (s Secret) Reveal() string {
	if s.Empty() {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.value == nil }

// String hides the value.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// GoString hides the value.
func (s Secret) GoString() string { return s.String() }

// Format hides the value for every verb, the numeric ones included.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.String()) // fmt.State never fails
}

// MarshalText hides the value from encoding/json and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
