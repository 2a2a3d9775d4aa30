package export_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// slowStore lets every request take a time.
func slowStore(d time.Duration) func(memstore.Call) memstore.Fault {
	return func(memstore.Call) memstore.Fault {
		time.Sleep(d)
		return memstore.Fault{}
	}
}

// What is archived of a group that is gone is listed, even if that takes longer than an invocation lasts.
func TestListingAGoneGroupTakesAsManyBatchesAsItNeeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 60)
		_, err := s.batch(turn{span: 1, before: func(c memstore.Call) memstore.Fault {
			return memstore.Fault{Lost: c.Op == memstore.OpCreate && c.Key == layout.Manifest(s.stream, 1)}
		}})
		if err == nil {
			t.Fatal("a batch that could not write its manifest succeeded")
		}
		must(t, s.chat.Dissolve(s.stream.GroupID))
		s.published = nil
		batches, failed := s.redeliver(archive.StatusGone)
		if batches < 4 || batches > 20 || failed > 0 {
			t.Errorf("the event took %d batches, of which %d failed, want several, but not many, and none that failed", batches, failed)
		}
		if report := s.verify(); !report.Sound() || report.ListedTo != 60 {
			t.Errorf("listed up to %d, findings %v, want 60 and none", report.ListedTo, report.Findings)
		}
	})
}

// A batch whose state is far behind the manifests has to read them, one by one. How far it came, the next one must know,
// or no batch would ever come to the end.
func TestReadingManifestsIsNotBegunAgainByEveryBatch(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"complete": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 10)
				s.done(export.Complete, turn{})
				first := s.state()
				for range 39 {
					s.grow(old(10)...)
					s.done(export.Complete, turn{})
				}
				// A stale state of the second chunk's manifest, and the frontier of today: both are hints.
				last := s.state()
				last.ManifestAfter, last.Status = first.ManifestAfter, archive.StatusRunning
				s.setState(last)
				s.grow(old(10)...)
				if gone {
					must(t, s.chat.Dissolve(s.stream.GroupID))
				}
				want := export.Complete
				if gone {
					want = archive.StatusGone
				}
				if batches, _ := s.redeliver(want); batches < 4 || batches > 20 {
					t.Errorf("the event took %d batches, want several, but not many", batches)
				}
				if report := s.verify(); !report.Sound() || report.ListedTo != report.Hi {
					t.Errorf("archived up to %d, listed up to %d, findings %v", report.Hi, report.ListedTo, report.Findings)
				}
			})
		})
	}
}

// redeliver serves an event and its continuations, each until it succeeds, with a slow store and little time, and returns
// how many batches that took, and how many of them failed.
func (s *scene) redeliver(last export.Outcome) (batches, failed int) {
	s.t.Helper()
	event := turn{owner: "event", limit: 2 * time.Second, before: slowStore(100 * time.Millisecond)}
	for {
		result, err := s.batch(event)
		batches++
		switch {
		case err == nil && result.Outcome == last:
			return batches, failed
		case err == nil && result.Outcome == export.Continued:
			event.cont = &s.published[len(s.published)-1]
		case err == nil || batches == 100:
			s.t.Fatalf("batch %d ended with %q, %v, want %q at last", batches, result.Outcome, err, last)
		default:
			failed++
		}
	}
}

// A hop that has so much to list that its time runs out has got on all the same.
func TestAListingWhileHoppingIsProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWreck(t, 740, 700, 50*time.Millisecond)
		state := archive.State{Format: archive.Format, Frontier: 491, After: 490, Status: archive.StatusRunning, UpdatedAt: time.Now()}
		state.Counters.Unlisted = 490
		body, err := state.Encode()
		must(t, err)
		_, err = w.store.Overwrite(t.Context(), layout.State(w.stream), objstore.Write{Body: body})
		must(t, err)
		const limit = 6 * time.Second
		for batches := range 30 {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			result, err := w.engine.Run(ctx, export.Request{
				Stream: w.stream, Continuation: w.next, Owner: "event", RequestID: "r", Deadline: time.Now().Add(limit), Log: zerolog.Nop(),
			})
			cancel()
			if err != nil {
				t.Errorf("batch %d at frontier %d: %v", batches, result.Frontier, err)
			}
			if result.Outcome == export.Complete {
				return
			}
		}
		t.Error("the run does not end")
	})
}

// A chunk between the last manifest and the frontier that is gone is damage, and no error that comes back for ever.
func TestAnUnlistedChunkThatIsGoneIsDamage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 60)
		s.store = memstore.New(memstore.Options{}) // in which this test may remove what is write-once
		_, err := s.batch(turn{span: 10, before: func(c memstore.Call) memstore.Fault {
			return memstore.Fault{Lost: c.Op == memstore.OpCreate && c.Key == layout.Manifest(s.stream, 1)}
		}})
		if err == nil {
			t.Fatal("a batch that could not write its manifest succeeded")
		}
		s.store.Lose(layout.Chunk(s.stream, 31))
		s.done(archive.StatusDamaged, turn{})
		s.stands("chunk_missing")
	})
}
