package chatemu_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

func TestPoison_SpoilsEveryAnswerThatTheMessageIsIn(t *testing.T) {
	t.Parallel()
	for _, kind := range chatemu.Poisons() {
		s, c := start(t, options())
		plain(t, s, 30)
		must(t, s.Poison(stream(), kind, 7))
		for _, tc := range []struct {
			top      chat.Seq
			number   int
			readable bool
		}{{20, 20, false}, {20, 13, true}, {7, 1, false}, {7, 3, false}, {6, 6, true}} {
			a, _ := c.send(http.MethodPost, pagePath, c.query(), pageBody(tc.top, tc.number)) // the error is of reading the body
			_, _, err := chat.ScanPage(a.Raw)
			malformed, spoiled := errors.AsType[*chat.MalformedError](err)
			if tc.readable != (err == nil) || spoiled && malformed.Answer == nil {
				t.Errorf("%s: a page of %d from %d down: %v", kind, tc.number, tc.top, err)
			}
		}
		truth, _, err := s.Truth(stream())
		must(t, err)
		for r := range truth {
			if spoiled := r.Seq == 7; spoiled != (r.Class == chat.ClassMalformed) || spoiled != (r.JSON == nil) {
				t.Errorf("%s: seq %d is of class %d, %s", kind, r.Seq, r.Class, r.JSON)
			}
		}
		must(t, s.Poison(stream(), "", 7))
		if diff := cmp.Diff(down(20, 1), c.page(20, 20).seqs()); diff != "" {
			t.Errorf("%s, taken back (-want +got):\n%s", kind, diff)
		}
	}
}

func TestWithhold_LeavesAMessageOutOfSoManyAnswers(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	plain(t, s, 20)
	must(t, s.Withhold(stream(), 2, 5, 20))
	for n, want := range [][]chat.Seq{{5, 20}, {5, 20}, nil} {
		without := slices.DeleteFunc(down(20, 1), func(seq chat.Seq) bool { return slices.Contains(want, seq) })
		if diff := cmp.Diff(without, c.page(20, 20).seqs()); diff != "" {
			t.Errorf("answer %d (-want +got):\n%s", n+1, diff)
		}
		c.page(4, 4) // an answer that they would not be in
	}
}
