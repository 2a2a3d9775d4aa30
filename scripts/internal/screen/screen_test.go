package screen_test

import (
	"bytes"
	"testing"

	"chatexport/scripts/internal/screen"
)

func TestScreen_GetsTextOnly(t *testing.T) {
	t.Parallel()
	const text = "one\ttwo\n\x1b[31mred\x1b]0;title\x07 \u009b2J\u202eback\u2066 \x7f\r\b\u2028 \x9b ü界👩‍🚀\n"
	const want = "one\ttwo\n[31mred]0;title 2Jback    \ufffd ü界👩‍🚀\n"
	for _, step := range []int{1, 2, 3, 5, len(text)} { // characters come in pieces
		var terminal bytes.Buffer
		s := screen.New(&terminal)
		for rest := []byte(text); len(rest) > 0; {
			n := min(step, len(rest))
			if written, err := s.Write(rest[:n]); written != n || err != nil {
				t.Fatal(written, err)
			}
			rest = rest[n:]
		}
		if terminal.String() != want {
			t.Errorf("in pieces of %d:\n%q, want\n%q", step, terminal.String(), want)
		}
	}
}

func TestScreen_IsForTerminalsOnly(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if w := screen.Of(&file); w != &file {
		t.Errorf("%T stands before a file", w)
	}
}
