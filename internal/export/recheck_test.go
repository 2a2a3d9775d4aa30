package export_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chatapi"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// A chunk whose bytes are not those that were written has the metadata of a good one: without a memory of what the
// writer found, the next tick would hop over it, and its messages would expire unarchived.
func TestAChunkThatIsNotWhatWasWrittenStandsUntilSomebodyMendsIt(t *testing.T) {
	t.Parallel()
	for name, mend := range map[string]func(s *scene, key string, w objstore.Write){
		"removed": func(s *scene, key string, _ objstore.Write) { s.store.Lose(key) },
		"restored": func(s *scene, key string, w objstore.Write) {
			s.store.Lose(key)
			_, err := s.store.Create(s.t.Context(), key, w)
			must(s.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 200)
				s.store = memstore.New(memstore.Options{}) // in which this test may change what is write-once
				key := layout.Chunk(s.stream, 51)
				var written objstore.Write
				s.done(archive.StatusDamaged, turn{before: s.damages(key, &written)})
				s.stands("chunk_corrupt")

				s.grow(old(50)...)
				s.done(archive.StatusDamaged, turn{})
				s.stands("chunk_corrupt")
				if s.exists(layout.Chunk(s.stream, 101)) {
					t.Error("a tick went on behind the damaged chunk")
				}
				failing := turn{before: func(c memstore.Call) memstore.Fault {
					return memstore.Fault{Lost: c.Op == memstore.OpHead && c.Key == key, Err: errors.New("no answer")}
				}}
				if _, err := s.batch(failing); err == nil {
					t.Error("a batch that could not look at the chunk succeeded")
				}
				s.stands("chunk_corrupt")
				abandoned := &export.Engine{Store: s.store, Caller: chatapi.NewCaller(s.limiter), Writes: &objstore.WriteTimes{}}
				must(t, abandoned.Abandon(t.Context(), export.Request{Stream: s.stream, Log: zerolog.Nop()}, errors.New("no answer")))
				s.stands("chunk_corrupt")

				mend(s, key, written)
				s.done(export.Complete, turn{})
				s.whole()
			})
		})
	}
}

// What replaces a chunk that somebody removed has other bytes, as more has come since: the verdict must be off the state
// before it is stored, or a batch that dies behind it leaves a good chunk that is called damaged.
func TestAChunkThatWasPulledAgainIsNotMeasuredByTheOldOne(t *testing.T) {
	t.Parallel()
	for name, sweep := range map[string]bool{"tick": false, "sweep": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 90)
				s.store = memstore.New(memstore.Options{})
				key := layout.Chunk(s.stream, 51)
				s.done(archive.StatusDamaged, turn{before: s.damages(key, new(objstore.Write))})
				s.store.Lose(key)
				s.grow(old(5)...)
				dies := turn{before: diesAfter(key)}
				if sweep {
					group, err := s.client.Group(t.Context(), s.stream)
					must(t, err)
					dies.keep, dies.known = true, &export.Known{
						At: time.Now(), Facts: group,
					}
				}
				if r, err := s.batch(dies); err == nil {
					t.Fatalf("the batch that was to die ends with %q", r.Outcome)
				}
				time.Sleep(time.Hour)
				s.done(export.Complete, turn{})
				s.whole()
			})
		})
	}
}

// damages stores other bytes than a batch writes under a key, and keeps what it wrote.
func (s *scene) damages(key string, written *objstore.Write) func(memstore.Call) memstore.Fault {
	return func(c memstore.Call) memstore.Fault {
		if c.Op == memstore.OpCreate && c.Key == key {
			*written = *c.Write
			damaged := *written
			damaged.Body = bytes.Clone(written.Body)
			damaged.Body[len(damaged.Body)/2] ^= 1
			_, err := s.store.Create(s.t.Context(), key, damaged)
			must(s.t, err)
		}
		return memstore.Fault{}
	}
}

// stands proves what the state tells of a damaged archive.
func (s *scene) stands(code string) {
	s.t.Helper()
	state := s.state()
	if state.Status != archive.StatusDamaged || state.Error == nil || state.Error.Code != code || state.Lease != nil {
		s.t.Errorf("the state is %q, error %+v, lease %+v, want damaged, %s and no lease", state.Status, state.Error, state.Lease, code)
	}
}
