package export_test

import (
	"errors"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/memstore"
)

// Two deliveries of one event pull the same messages. Whichever PUT comes first, one chain is left, and it is whole.
func TestRace_LoserEndsAndChangesNothing(t *testing.T) {
	t.Parallel()
	for name, span := range map[string]chat.Seq{"the same bytes": 50, "a shorter chunk": 30, "a longer chunk": 90} {
		act(t, name, 400, func(s *scene) {
			var won export.Result
			loser := s.done(export.LostRace, turn{owner: "event", before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
				time.Sleep(1100 * time.Millisecond) // times in COS are whole seconds
				winner := part()
				winner.owner, winner.span = "event", span
				won = s.done(export.Continued, winner)
				return memstore.Fault{}
			})})
			if loser.Chunks != 0 || len(s.queue) != 1 || s.queue[0].Cursor != won.Frontier {
				s.Errorf("the loser stored %d chunks; continuations: %+v", loser.Chunks, s.queue)
			}
			s.finish()
			s.whole()
		})
	}
}

// A chunk that is older than the batch that meets it is a leftover: nobody else goes on.
func TestRace_LeftoverIsGoneOnBehind(t *testing.T) {
	t.Parallel()
	for name, span := range map[string]chat.Seq{"shorter": 30, "longer": 90} {
		act(t, name, 200, func(s *scene) {
			// A batch stores one chunk and dies, all in the second in which the other one began.
			s.done(export.Complete, turn{owner: "event", before: once(memstore.OpCreate, layout.Chunk(s.stream, 1), func() memstore.Fault {
				result, err := s.batch(turn{owner: "event", span: span, before: func(c memstore.Call) memstore.Fault {
					if c.Key == layout.Chunk(s.stream, span+1) {
						return memstore.Fault{Lost: true, Err: errors.New("killed")}
					}
					return memstore.Fault{}
				}})
				if result.Chunks != 1 {
					s.Errorf("the batch that was to die stored %d chunks, %v", result.Chunks, err)
				}
				return memstore.Fault{}
			})})
			s.whole()
		})
	}
}

// Who meets one leftover looks whether there are more, before anything is pulled again.
func TestRace_AllLeftoversAreHoppedOver(t *testing.T) {
	play(t, 1000, func(s *scene) {
		r := s.done(export.Complete, turn{owner: "event", before: once(memstore.OpCreate, layout.Chunk(s.stream, 1), func() memstore.Fault {
			s.done(export.Complete, turn{owner: "event"}) // all in the second in which the other one began
			return memstore.Fault{}
		})})
		if r.Chunks != 0 || r.Pages > 20 {
			s.Errorf("the second batch stored %d chunks and read %d pages; everything was there", r.Chunks, r.Pages)
		}
		s.whole()
	})
}

// A PUT that the batch gave up arrives after the next batch has begun: that is no other delivery's.
func TestRace_WriteThatArrivesLateIsTheRunsOwn(t *testing.T) {
	play(t, 200, func(s *scene) {
		var arrive func() bool
		next := s.begun(turn{before: once(memstore.OpCreate, layout.Chunk(s.stream, 51), func() memstore.Fault {
			return memstore.Fault{Later: func(f func() bool) { arrive = f }}
		})})
		time.Sleep(time.Second)
		s.done(export.Complete, turn{cont: next, before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			time.Sleep(1100 * time.Millisecond)
			if !arrive() {
				s.Error("the late write found its key taken")
			}
			return memstore.Fault{}
		})})
		s.whole()
	})
}

// The first batch of a stream is delivered twice, and one is done before the other looks for manifests.
func TestRace_ArchiveThatAnotherBatchHasJustBegunIsNoDamage(t *testing.T) {
	play(t, 200, func(s *scene) {
		s.done(export.Complete, turn{owner: "event", before: once(memstore.OpGet, layout.Manifest(s.stream, 1), func() memstore.Fault {
			s.done(export.Complete, turn{owner: "event"})
			return memstore.Fault{}
		})})
		s.whole()
	})
}
