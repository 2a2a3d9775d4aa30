package export_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
)

// encoded and decoded are what a queue sees of a continuation.
func encoded(t *testing.T, c *export.Continuation) []byte {
	t.Helper()
	if c == nil {
		return nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatalf("continuation: %v", err)
	}
	return raw
}

func decoded(t *testing.T, raw []byte) export.Continuation {
	t.Helper()
	var c export.Continuation
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("continuation: %v", err)
	}
	return c
}

// What cannot be read continues nothing. No lease stops it: the run that it came from may have no other event.
func TestContinuation_UnreadableIsServedAsATick(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`x`, `[]`, `"e30="`, `{"cursor":"41"}`, `{"cursor":51,"after":1} x`,
		`{"cursor":-1}`, `{"cursor":1.5}`, `{"cursor":4294967297}`, `{"after":-1}`, `{"head":4294967297}`,
		`{"hop":-1}`, `{"hop":1073741825}`, `{"hop":9223372036854775808}`,
		`{"run":"a b"}`, `{"run":"ü"}`, `{"writer":"\n"}`, `{"run":"` + strings.Repeat("a", 65) + `"}`,
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 1000)
				first := s.done(export.Continued, turn{limit: 3 * time.Second, page: slow(200 * time.Millisecond)})
				s.done(export.AlreadyRunning, turn{})
				var logs strings.Builder
				result := s.done(export.Complete, turn{change: func(r *export.Request) {
					r.Continuation, r.Log = []byte(raw), zerolog.New(&logs)
				}})
				if result.Run == first.Run || result.Hop != 0 || !strings.Contains(logs.String(), "the continuation cannot be read") {
					t.Errorf("run %s after %s, hop %d, log %s", result.Run, first.Run, result.Hop, logs.String())
				}
				s.whole()
			})
		})
	}
}

// A continuation tells where to go on, and the archive knows better: a cursor that does not fit is ignored with a
// warning, and neither it nor a wrong head makes a hole, a second beginning, or a run that does not end.
func TestContinuation_WrongCursorMakesNoHole(t *testing.T) {
	t.Parallel()
	const unfit = "does not fit the archive"
	for name, tc := range map[string]struct {
		fresh   bool
		cont    export.Continuation
		warning string // empty: the cursor is right, or there is none
	}{
		"right":                    {cont: export.Continuation{Cursor: 101, After: 51}},
		"right, and behind":        {cont: export.Continuation{Cursor: 51, After: 1}},
		"far ahead":                {cont: export.Continuation{Cursor: 401, After: 351}, warning: unfit},
		"ahead of a chunk":         {cont: export.Continuation{Cursor: 121, After: 51}, warning: unfit},
		"no such chunk":            {cont: export.Continuation{Cursor: 121, After: 101}, warning: unfit},
		"within a chunk":           {cont: export.Continuation{Cursor: 111, After: 61}, warning: unfit},
		"another end":              {cont: export.Continuation{Cursor: 61, After: 51}, warning: ""}, // state is ahead
		"a chunk far below":        {cont: export.Continuation{Cursor: 151, After: 1}, warning: unfit},
		"without the chunk before": {cont: export.Continuation{Cursor: 101}, warning: unfit},
		"beyond the last seq":      {cont: export.Continuation{Cursor: 4294967296, After: 4294967295}, warning: unfit},
		"after above the cursor":   {cont: export.Continuation{Cursor: 101, After: 121}, warning: unfit},
		"of a stream without one":  {fresh: true, cont: export.Continuation{Cursor: 101, After: 51}, warning: "the stream has no archive"},
		"nothing but run and hop":  {cont: export.Continuation{Head: 200}},
		"a head far below":         {cont: export.Continuation{Cursor: 101, After: 51, Head: 5}},
		"a head far above":         {cont: export.Continuation{Cursor: 101, After: 51, Head: 4294967295}},
		"everything far above":     {cont: export.Continuation{Cursor: 4294967295, After: 4294967294, Head: 4294967295}, warning: unfit},
	} {
		for _, head := range []chat.Seq{tc.cont.Head, 200} {
			t.Run(fmt.Sprintf("%s, head %d", name, head), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newScene(t, 100)
					if !tc.fresh {
						s.done(export.Complete, turn{})
					}
					s.grow(old(100)...)
					next := tc.cont
					next.Head, next.Run, next.Hop = head, archive.NewRunID(time.Now()), 3
					var logs strings.Builder
					s.done(export.Complete, turn{cont: &next, change: func(r *export.Request) { r.Log = zerolog.New(&logs) }})
					if tc.warning != "" != strings.Contains(logs.String(), "is ignored") || !strings.Contains(logs.String(), tc.warning) {
						t.Errorf("want the warning %q, got %s", tc.warning, logs.String())
					}
					s.done(export.Complete, turn{}) // a head that was too low leaves the rest to it
					s.whole()
				})
			})
		}
	}
}

// A run that has had too many batches ends with a state that says so; the next tick goes on from there.
func TestContinuation_HopLimitEndsTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 1000)
		part := turn{limit: 3 * time.Second, page: slow(200 * time.Millisecond)}
		next := s.begun(part)
		next.Hop = 99 // of 100
		part.cont = next
		next = s.begun(part)
		part.cont = next
		last := s.done(export.HopLimit, part)
		state := s.state()
		if len(s.published) > 0 || last.Hop != 100 || state.Status != archive.StatusFailed || state.Lease != nil ||
			state.Error == nil || state.Error.Code != "hop_limit" || !strings.Contains(state.Error.Text, "EXPORT_MAX_HOPS") {
			t.Errorf("hop %d, state %+v, error %+v, published %v", last.Hop, state, state.Error, s.published)
		}
		after := s.done(export.Complete, turn{limit: time.Minute})
		if after.Lo != last.Frontier || after.Run == last.Run {
			t.Errorf("the next tick begins at %d, want %d", after.Lo, last.Frontier)
		}
		s.whole()
	})
}
