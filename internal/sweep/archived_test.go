package sweep

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
)

func TestArchived_IsWhatTheLastSweepAndItsLaneKnew(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.groups = []chat.Facts{
			{Stream: chat.Stream{GroupID: "done"}, Type: "Public", NextSeq: 21},
			{Stream: chat.Stream{GroupID: "empty"}, Type: "Public", NextSeq: 1},
			{Stream: chat.Stream{GroupID: "idle"}, Type: "Public", NextSeq: 8},
		}
		s.engine = func(req export.Request) (export.Result, error) {
			return export.Result{Stream: req.Stream, Outcome: export.Complete, Frontier: 21}, nil
		}
		s.based("20260101T000000Z-00000000", record{Stream: chat.Stream{GroupID: "forgotten"}, Frontier: 5}, record{Stream: chat.Stream{GroupID: "idle"}, Frontier: 8, Since: noon().Unix()})
		want := func(name string, want map[chat.Stream]chat.Seq, keys ...string) {
			t.Helper()
			var lost []string
			got, err := Archived(s.t.Context(), s.Store, func(key string, _ error) { lost = append(lost, key) })
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got); diff != "" || !slices.Equal(keys, lost) {
				t.Errorf("%s: %q are lost (-want +got):\n%s", name, lost, diff)
			}
		}
		forgotten, idle, done := chat.Stream{GroupID: "forgotten"}, chat.Stream{GroupID: "idle"}, chat.Stream{GroupID: "done"}
		want("a sweep without results", map[chat.Stream]chat.Seq{forgotten: 5, idle: 8})
		s.planned()
		want("the next one", map[chat.Stream]chat.Seq{forgotten: 5, idle: 8})
		s.batch(time.Minute)
		want("and its lane", map[chat.Stream]chat.Seq{forgotten: 21, idle: 8, done: 21})
		piece := layout.SweepKnown(s.lanes[0].ID, 0)
		s.corrupt[piece] = true
		want("a piece that is broken", map[chat.Stream]chat.Seq{forgotten: 21, done: 21}, piece, layout.SweepKnown(s.lanes[0].ID, 1))
		s.corrupt[layout.SweepLatest()] = true
		want("no pointer", nil, layout.SweepLatest())
	})
	inScene(t, func(s *scene) {
		if got, err := Archived(s.t.Context(), s.Store, nil); got != nil || err != nil {
			t.Errorf("without a sweep: %v, %v", got, err)
		}
	})
}
