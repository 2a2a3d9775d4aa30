package export_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// Two deliveries of one event pull the same messages. Whichever PUT comes first, one chain is left, and it is whole.
func TestTheLoserOfARaceEndsAndChangesNothing(t *testing.T) {
	t.Parallel()
	for name, span := range map[string]chat.Seq{"the same bytes": 50, "a shorter chunk": 30, "a longer chunk": 90} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 400)
				var winner export.Result
				loser, err := s.batch(turn{owner: "event", before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
					time.Sleep(1100 * time.Millisecond) // times in COS are whole seconds
					winner = s.done(export.Continued, turn{owner: "event", span: span, limit: 3 * time.Second, page: slow(200 * time.Millisecond)})
					return memstore.Fault{}
				})})
				if err != nil || loser.Outcome != export.LostRace {
					t.Errorf("the loser ends with %q, %v, want %q", loser.Outcome, err, export.LostRace)
				}
				if loser.Chunks != 0 || len(s.published) != 1 || s.published[0].Cursor != winner.Frontier {
					t.Errorf("the loser stored %d chunks; continuations: %+v", loser.Chunks, s.published)
				}
				s.finish()
				s.whole()
			})
		})
	}
}

// A chunk that is older than the batch that meets it is a leftover: nobody else goes on.
func TestABatchGoesOnBehindALeftover(t *testing.T) {
	t.Parallel()
	for name, span := range map[string]chat.Seq{"shorter": 30, "longer": 90} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 200)
				// A batch stores one chunk and dies, all in the second in which the other one began.
				s.done(export.Complete, turn{owner: "event", before: once(memstore.OpCreate, layout.Chunk(s.stream, 1), func() memstore.Fault {
					result, err := s.batch(turn{owner: "event", span: span, before: func(c memstore.Call) memstore.Fault {
						if c.Key == layout.Chunk(s.stream, span+1) {
							return memstore.Fault{Lost: true, Err: errors.New("killed")}
						}
						return memstore.Fault{}
					}})
					if result.Chunks != 1 {
						t.Errorf("the batch that was to die stored %d chunks, %v", result.Chunks, err)
					}
					return memstore.Fault{}
				})})
				s.published = nil // what the one that died would have handed on
				s.whole()
			})
		})
	}
}

// Who meets one leftover looks whether there are more, before anything is pulled again.
func TestABatchHopsOverAllThatIsLeftOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 1000)
		r := s.done(export.Complete, turn{owner: "event", before: once(memstore.OpCreate, layout.Chunk(s.stream, 1), func() memstore.Fault {
			s.done(export.Complete, turn{owner: "event"}) // all in the second in which the other one began
			return memstore.Fault{}
		})})
		if r.Chunks != 0 || r.Pages > 20 {
			t.Errorf("the second batch stored %d chunks and read %d pages; everything was there", r.Chunks, r.Pages)
		}
		s.whole()
	})
}

// The answer to a PUT was lost, and the store's own second attempt found the key taken: by the same batch.
func TestABatchKnowsItsOwnChunk(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]memstore.Fault{
		"retried by the store":   {Retried: true},
		"nothing but no answer":  {Err: objstore.ErrUnknown},
		"never arrived, no word": {Lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 200)
				time.Sleep(1100 * time.Millisecond)
				r, err := s.batch(turn{owner: "event", before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
					time.Sleep(1100 * time.Millisecond)
					return fault
				})})
				if fault.Lost {
					if err == nil || len(s.published) > 0 {
						t.Errorf("nothing was stored, and the batch ends with %s", r.Outcome)
					}
					s.done(export.Complete, turn{owner: "event"})
				} else if err != nil || r.Outcome != export.Complete || r.Chunks != 4 {
					t.Errorf("the batch ends with %s after %d chunks, %v", r.Outcome, r.Chunks, err)
				}
				s.whole()
			})
		})
	}
}

// A PUT that the batch gave up arrives after the next batch has begun: that is no other delivery's.
func TestAWriteThatArrivesLateIsTheRunsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		var arrive func() bool
		next := s.begun(turn{before: once(memstore.OpCreate, layout.Chunk(s.stream, 51), func() memstore.Fault {
			return memstore.Fault{Later: func(f func() bool) { arrive = f }}
		})})
		time.Sleep(time.Second)
		s.done(export.Complete, turn{cont: next, before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			time.Sleep(1100 * time.Millisecond)
			if !arrive() {
				t.Error("the late write found its key taken")
			}
			return memstore.Fault{}
		})})
		s.whole()
	})
}

// The first batch of a stream is delivered twice, and one is done before the other looks for manifests.
func TestAnArchiveThatAnotherBatchHasJustBegunIsNoDamage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		s.done(export.Complete, turn{owner: "event", before: once(memstore.OpGet, layout.Manifest(s.stream, 1), func() memstore.Fault {
			s.done(export.Complete, turn{owner: "event"})
			return memstore.Fault{}
		})})
		s.whole()
	})
}

func TestAManifestWithoutAGenesisIsDamage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		s.done(export.Complete, turn{})
		lost := memstore.New(memstore.Options{})
		for entry, err := range s.store.List(t.Context(), "", "") {
			must(t, err)
			body, object, err := s.store.Get(t.Context(), entry.Key)
			must(t, err)
			if entry.Key == layout.Manifest(s.stream, 1) {
				_, err = lost.Create(t.Context(), entry.Key, objstore.Write{Body: body, Metadata: object.Metadata})
				must(t, err)
			}
		}
		s.store = lost
		s.done(archive.StatusDamaged, turn{})
	})
}

// A 404 that there is no time to ask again for is no proof of damage.
func TestAStale404AtTheEndOfTheTimeIsNoDamage(t *testing.T) {
	t.Parallel()
	for name, cont := range map[string]*export.Continuation{"tick": nil, "continuation": {Cursor: 201, After: 151, Head: 200, Hop: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 200)
				s.done(export.Complete, turn{})
				s.grow(old(20)...)
				r, err := s.batch(turn{cont: cont, limit: 2 * time.Second, before: once(memstore.OpHead, layout.Chunk(s.stream, 151), func() memstore.Fault {
					time.Sleep(2 * time.Second)
					return memstore.Fault{Stale: true}
				})})
				if err == nil {
					t.Errorf("the batch ends with %q, want an error", r.Outcome)
				}
				s.done(export.Complete, turn{})
				s.whole()
			})
		})
	}
}
