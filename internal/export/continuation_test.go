package export_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
)

// logged lets a batch write its log into b.
func logged(b *strings.Builder) func(*export.Engine, *export.Request) {
	return func(_ *export.Engine, r *export.Request) { r.Log = zerolog.New(b) }
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
		act(t, raw, 1000, func(s *scene) {
			first := s.done(export.Continued, part())
			s.done(export.AlreadyRunning, turn{})
			var logs strings.Builder
			result := s.done(export.Complete, turn{change: func(e *export.Engine, r *export.Request) {
				r.Continuation = []byte(raw)
				logged(&logs)(e, r)
			}})
			if result.Run == first.Run || result.Hop != 0 || !strings.Contains(logs.String(), "the continuation cannot be read") {
				s.Errorf("run %s after %s, hop %d, log %s", result.Run, first.Run, result.Hop, logs.String())
			}
			s.whole()
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
			act(t, fmt.Sprintf("%s, head %d", name, head), 100, func(s *scene) {
				if !tc.fresh {
					s.tick()
				}
				s.grow(old(100)...)
				next := tc.cont
				next.Head, next.Run, next.Hop = head, archive.NewRunID(time.Now()), 3
				var logs strings.Builder
				s.done(export.Complete, turn{cont: &next, change: logged(&logs)})
				if tc.warning != "" != strings.Contains(logs.String(), "is ignored") || !strings.Contains(logs.String(), tc.warning) {
					s.Errorf("want the warning %q, got %s", tc.warning, logs.String())
				}
				s.tick() // a head that was too low leaves the rest to it
				s.whole()
			})
		}
	}
}

// What a continuation promises is stored before the queue has it.
func TestContinuation_IsPublishedAfterItsChunkIsStored(t *testing.T) {
	play(t, 500, func(s *scene) {
		o := part()
		o.handOver = func(c export.Continuation) error {
			if meta := s.chunk(c.After); meta.Hi+1 != c.Cursor {
				s.Errorf("the continuation's cursor is %d, the chunk below ends at %d", c.Cursor, meta.Hi)
			}
			return nil
		}
		last, batches, failed := s.through(o)
		if batches < 3 || failed > 0 || last.Hop != batches-1 {
			s.Errorf("the run took %d batches, of which %d failed; the last is hop %d", batches, failed, last.Hop)
		}
		s.whole()
	})
}
