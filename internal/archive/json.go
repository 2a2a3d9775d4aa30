package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// encode returns v as indented JSON with a newline at its end. Nothing is escaped that JSON does not demand, so that
// ids can be searched for as they are.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: encode: %w", ErrInvalid, err)
	}
	return buf.Bytes(), nil
}

// encodeLine returns v as one line of JSON with a newline at its end, of at most MaxLineBytes.
func encodeLine(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: encode: %w", ErrInvalid, err)
	}
	if buf.Len() > MaxLineBytes {
		return nil, invalid("a line of %d bytes", buf.Len())
	}
	return buf.Bytes(), nil
}

// parse checks the format first: of another format not even the types are known.
func parse[T any](body []byte, validate func(T) error) (T, error) {
	var zero, v T
	if !utf8.Valid(body) {
		return zero, invalid("not UTF-8")
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return zero, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := validateFormat(version.Format); err != nil {
		return zero, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return zero, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := validate(v); err != nil {
		return zero, err
	}
	return v, nil
}

// utc brings a time to the form in which it is stored, so that reading it back gives the same.
func utc(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// validateTime demands UTC, and years that RFC 3339 can write.
func validateTime(name string, t time.Time) error {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return invalid("%s is missing or out of range", name)
	}
	if t.Location() != time.UTC {
		return invalid("%s is not in UTC", name)
	}
	return nil
}
