package export_test

import (
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/memstore"
)

// Nothing new: nothing is written but the state.
func TestListing_TickWithNothingNewWritesNoManifest(t *testing.T) {
	play(t, 200, func(s *scene) {
		s.tick()
		s.writesOnly(func() { s.tick() })
		s.lose(layout.State(s.stream))
		s.writesOnly(func() { s.tick() })
		s.whole()
	})
}

// A hint that is behind costs one read for each manifest that it misses, not one for each chunk.
func TestListing_ManifestsThatTheHintMissesAreFollowed(t *testing.T) {
	play(t, 100, func(s *scene) {
		s.tick()
		behind := s.state()
		s.grow(old(1000)...)
		r := s.tick()
		s.grow(old(20)...)
		s.setState(behind)
		heads := 0
		s.done(export.Complete, turn{
			cont: &export.Continuation{Cursor: r.Frontier, After: 1051, Head: 1120, Run: r.Run, Hop: 1},
			before: func(c memstore.Call) memstore.Fault {
				if c.Op == memstore.OpHead {
					heads++
				}
				return memstore.Fault{}
			},
		})
		if heads > 2 {
			s.Errorf("%d chunks were looked up, want the one below the cursor and the one at it", heads)
		}
		s.whole()
	})
}

// A batch whose state is far behind the manifests has to read them, one by one. How far it came, the next one must know,
// or no batch would ever come to the end.
func TestListing_IsNotBegunAgainByEveryBatch(t *testing.T) {
	t.Parallel()
	for _, want := range []export.Outcome{export.Complete, archive.StatusGone} {
		act(t, string(want), 10, func(s *scene) {
			s.tick()
			first := s.state()
			for range 39 {
				s.grow(old(10)...)
				s.tick()
			}
			// A stale state of the first manifest, and the frontier of today: both are hints.
			last := s.state()
			last.ManifestAfter, last.Status = first.ManifestAfter, archive.StatusRunning
			s.setState(last)
			s.grow(old(10)...)
			if want == archive.StatusGone {
				s.dissolve()
			}
			r, batches, _ := s.through(turn{limit: 2 * time.Second, request: 100 * time.Millisecond})
			if r.Outcome != want || batches < 4 || batches > 20 {
				s.Errorf("%q after %d batches, want several, but not many", r.Outcome, batches)
			}
			if report := s.verify(); report.ListedTo != report.Hi {
				s.Errorf("archived up to %d, listed up to %d", report.Hi, report.ListedTo)
			}
		})
	}
}

// A hop that has so much to list that its time runs out has got on all the same.
func TestListing_WhileHoppingIsProgress(t *testing.T) {
	play(t, 740, func(s *scene) {
		s.fill(700)
		state := archive.State{Format: archive.Format, Frontier: 491, After: 490, Status: archive.StatusRunning, UpdatedAt: time.Now()}
		state.Counters.Unlisted = 490
		s.setState(state)
		last, batches, failed := s.through(turn{limit: 6 * time.Second, request: 50 * time.Millisecond})
		if last.Outcome != export.Complete || batches > 30 || failed > 0 {
			s.Errorf("%q after %d batches, of which %d failed", last.Outcome, batches, failed)
		}
	})
}
