package config

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret is a value that never shows itself: in logs, errors, JSON and with every verb of fmt it is "[redacted]", or
// "" when it is empty.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal returns the value, for the one call that needs it.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.value == "" }

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
