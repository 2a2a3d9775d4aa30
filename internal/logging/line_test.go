package logging_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"chatexport/internal/logging"
)

func TestLine_IsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	const most = 100
	for n := range 4 {
		text := strings.Repeat("x", n) + strings.Repeat("界", most)
		got := logging.Line(text, most)
		whole, ok := strings.CutSuffix(got, "…")
		if !ok || !utf8.ValidString(got) || !strings.HasPrefix(text, whole) || len(got) > most || len(got) < most-2 {
			t.Errorf("after %d bytes: %d bytes, %q", n, len(got), got)
		}
	}
	for _, text := range []string{"", "short", strings.Repeat("x", most)} {
		if got := logging.Line(text, most); got != text {
			t.Errorf("%q was cut to %q", text, got)
		}
	}
}

func TestLine_HasOneLineOfWhatCanBeSeen(t *testing.T) {
	t.Parallel()
	if got, want := logging.Line("one\nline\ttwo\x00\x1b[31m\u202e\r", 100), "one line two[31m "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShown_IsOneRuleForAllCharacters(t *testing.T) {
	t.Parallel()
	for r := range unicode.MaxRune + 1 {
		want := r
		switch {
		case unicode.In(r, unicode.Zl, unicode.Zp), unicode.IsControl(r) && unicode.IsSpace(r):
			want = ' '
		case unicode.In(r, unicode.Cc, unicode.Bidi_Control):
			want = -1
		}
		if got := logging.Shown(r); got != want {
			t.Errorf("%U is shown as %U, want %U", r, got, want)
		}
	}
}
