package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// archived runs a test on an archive of 150 messages in three chunks, and 50 new messages that are not archived yet.
func archived(t *testing.T, name string, f func(s *scene)) {
	t.Helper()
	act(t, name, 150, func(s *scene) {
		s.tick()
		s.grow(old(50)...)
		f(s)
	})
}

// edit rewrites a JSON object behind the engine's back.
func (s *scene) edit(key, member string, value any) {
	s.Helper()
	members := read(s, key, func(body []byte) (map[string]json.RawMessage, error) {
		var m map[string]json.RawMessage
		return m, json.Unmarshal(body, &m)
	})
	raw, err := json.Marshal(value)
	s.must(err)
	members[member] = raw
	body, err := json.Marshal(members)
	s.must(err)
	s.put(key, objstore.Write{Body: append(body, '\n')})
}

// copy stores a chunk or manifest under another key, with some of its metadata changed.
func (s *scene) copy(from, to string, change map[string]string) {
	s.Helper()
	body, object, err := s.store.Get(s.Context(), from)
	s.must(err)
	meta := maps.Clone(object.Metadata)
	maps.Copy(meta, change)
	s.put(to, objstore.Write{Body: body, Metadata: meta})
}

// harm is what was done to an archive.
type harm struct {
	name, code string // of the verdict
	do         func(s *scene)
}

// text is an object that is none of ours.
func text(body string) objstore.Write { return objstore.Write{Body: []byte(body)} }

func TestDamage_IsLeftAsItIs(t *testing.T) {
	t.Parallel()
	genesis := func(s *scene) string { return layout.Genesis(s.stream) }
	for _, h := range []harm{
		{"another object at the frontier", "foreign_object", func(s *scene) { s.put(layout.Chunk(s.stream, 151), text("not ours")) }},
		{"metadata of another kind", "foreign_object", func(s *scene) {
			s.put(layout.Chunk(s.stream, 151), objstore.Write{Body: []byte("x"), Metadata: map[string]string{"format": "1", "lo": "151", "hi": "many"}})
		}},
		{"a chunk that was moved", "foreign_object", func(s *scene) { s.copy(layout.Chunk(s.stream, 51), layout.Chunk(s.stream, 151), nil) }},
		{"classes that do not add up", "foreign_object", func(s *scene) {
			s.copy(layout.Chunk(s.stream, 101), layout.Chunk(s.stream, 101), map[string]string{"messages": "49"})
		}},
		{"no genesis beside a state", "genesis_missing", func(s *scene) { s.lose(genesis(s)) }},
		{"no genesis beside a manifest", "genesis_missing", func(s *scene) { s.lose(genesis(s)); s.lose(layout.State(s.stream)) }},
		{"genesis is not JSON", "genesis_invalid", func(s *scene) { s.put(genesis(s), text("{")) }},
		{"genesis is too large to be one", "genesis_invalid", func(s *scene) { s.put(genesis(s), tooLarge(genesis(s))) }},
		{"genesis of another stream", "genesis_invalid", func(s *scene) { s.edit(genesis(s), "group_id", "another") }},
		{"genesis without evidence", "genesis_invalid", func(s *scene) { s.edit(genesis(s), "first_lo", 5) }},
		{"the last chunk is gone", "chunk_missing", func(s *scene) { s.lose(layout.Chunk(s.stream, 101)) }},
	} {
		archived(t, h.name, func(s *scene) {
			h.do(s)
			s.stands(archive.StatusDamaged, h.code)
		})
	}
}

// Whether the manifests are whole is seen when the next one is written: the chunks before it count all the same.
func TestDamage_OfTheChainOfManifestsIsNotContinued(t *testing.T) {
	t.Parallel()
	last := func(s *scene) string { return layout.Manifest(s.stream, 1) }
	next := func(s *scene) string { return layout.Manifest(s.stream, 151) }
	for _, h := range []harm{
		{"gone", "manifest_missing", func(s *scene) { s.lose(last(s)) }},
		{"another than was written", "manifest_chain", func(s *scene) { s.edit(last(s), "run", archive.NewRunID(time.Now())) }},
		{"too large to be one", "manifest_invalid", func(s *scene) { s.put(last(s), tooLarge(last(s))) }},
		{"not JSON", "manifest_invalid", func(s *scene) { s.put(last(s), text("[]")) }},
		{"of another app", "manifest_invalid", func(s *scene) { s.edit(last(s), "sdkappid", 1) }},
		{"another object where the next would be", "manifest_invalid", func(s *scene) { s.put(next(s), text("not ours")) }},
		{"a copy where the next would be", "manifest_invalid", func(s *scene) { s.copy(last(s), next(s), nil) }},
	} {
		archived(t, h.name, func(s *scene) {
			h.do(s)
			s.writesOnly(func() { s.done(archive.StatusDamaged, turn{}) }, layout.Chunk(s.stream, 151))
			s.stands(archive.StatusDamaged, h.code)
		})
	}
}

// Without a state, the chain of manifests seems to end at the one that is missing. What is written in its place would cover
// what later ones cover.
func TestDamage_ManifestThatIsMissingInTheMiddleIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	for name, behind := range map[string]func(s *scene, state archive.State){
		"no state":           func(s *scene, _ archive.State) { s.lose(layout.State(s.stream)) },
		"a state long ago":   func(s *scene, state archive.State) { s.setState(state) },
		"a state in between": func(s *scene, state archive.State) { s.setState(withFrontier(state, 61, 51)) },
	} {
		act(t, name, 30, func(s *scene) {
			s.tick()
			state := s.state()
			for range 3 { // [31, 40], [41, 50], [51, 60]
				s.grow(old(10)...)
				s.tick()
			}
			s.lose(layout.Manifest(s.stream, 31))
			behind(s, state)
			s.stands(archive.StatusDamaged, "manifest_missing")
		})
	}
	act(t, "one that was full", 1000, func(s *scene) {
		s.fill(1000) // by one run
		s.list(1000, archive.MaxManifestChunks)
		s.lose(layout.State(s.stream))
		s.lose(layout.Manifest(s.stream, 1))
		s.stands(archive.StatusDamaged, "manifest_missing")
	})
}

// withFrontier is a state that knows more of the chunks than of the manifests.
func withFrontier(state archive.State, frontier, after chat.Seq) archive.State {
	state.Frontier, state.After, state.Status = frontier, after, archive.StatusRunning
	return state
}

// A run that died before its manifest left chunks and a state that only genesis explains.
func TestDamage_ChunksWithoutAGenesisAreNotStartedOver(t *testing.T) {
	play(t, 250, func(s *scene) {
		s.unlisted(100)
		key := layout.Genesis(s.stream)
		body, _, err := s.store.Get(s.Context(), key)
		s.must(err)
		s.lose(key)
		s.stands(archive.StatusDamaged, "genesis_missing")
		s.put(key, objstore.Write{Body: body})
		s.tick()
		s.whole()
	})
}

// A chunk between the last manifest and the frontier that is gone is damage, and no error that comes back for ever.
func TestDamage_UnlistedChunkThatIsGone(t *testing.T) {
	play(t, 60, func(s *scene) {
		s.unlisted(10)
		s.lose(layout.Chunk(s.stream, 31))
		s.stands(archive.StatusDamaged, "chunk_missing")
	})
}

func TestDamage_IsNotWhatAnArchiveOfAnotherAppHas(t *testing.T) {
	t.Parallel()
	archived(t, "mismatch", func(s *scene) {
		s.edit(layout.Genesis(s.stream), "sdkappid", appID+1)
		s.stands(archive.StatusMismatch, "sdkappid")
		if text := s.state().Error.Text; !strings.Contains(text, "1400000001") {
			s.Errorf("the state says %q", text)
		}
	})
}

// An object of a format that this version does not know is a newer version's: the event fails, so that it is delivered
// again once that version is deployed, and nothing is written, not even the state where that is the newer one.
func TestDamage_IsNotAnUnknownFormat(t *testing.T) {
	t.Parallel()
	newer := map[string]string{"format": "2"}
	for name, change := range map[string]func(s *scene){
		"state":         func(s *scene) { s.edit(layout.State(s.stream), "format", 2) },
		"genesis":       func(s *scene) { s.edit(layout.Genesis(s.stream), "format", 2) },
		"manifest":      func(s *scene) { s.edit(layout.Manifest(s.stream, 1), "format", 2) },
		"last chunk":    func(s *scene) { s.copy(layout.Chunk(s.stream, 101), layout.Chunk(s.stream, 101), newer) },
		"next manifest": func(s *scene) { s.put(layout.Manifest(s.stream, 151), text(`{"format":2}`)) },
		"next chunk":    func(s *scene) { s.copy(layout.Chunk(s.stream, 101), layout.Chunk(s.stream, 151), newer) },
	} {
		archived(t, name, func(s *scene) {
			change(s)
			was, _, err := s.store.Get(s.Context(), layout.State(s.stream))
			s.must(err)
			var written []string
			if strings.HasSuffix(name, "manifest") { // found only after the chunk was written
				written = append(written, layout.Chunk(s.stream, 151))
			}
			s.writesOnly(func() { _, err = s.fails(turn{}) }, written...)
			if !strings.Contains(err.Error(), "newer version") || !strings.Contains(err.Error(), "deploy") {
				s.Errorf("the batch ends with %v, want an error that says what to do", err)
			}
			is, _, err := s.store.Get(s.Context(), layout.State(s.stream))
			s.must(err)
			if name == "state" && !bytes.Equal(was, is) {
				s.Errorf("the newer version's state was overwritten: %s", is)
			}
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
			s.put(key, damaged)
		}
		return memstore.Fault{}
	}
}

// A chunk whose bytes are not those that were written has the metadata of a good one: without a memory of what the
// writer found, the next tick would hop over it, and its messages would expire unarchived.
func TestDamage_OfTheOwnWriteStandsUntilSomebodyMendsIt(t *testing.T) {
	t.Parallel()
	for name, restored := range map[string]bool{"removed": false, "restored": true} {
		act(t, name, 200, func(s *scene) {
			key := layout.Chunk(s.stream, 51)
			var written objstore.Write
			s.done(archive.StatusDamaged, turn{before: s.damages(key, &written)})
			s.stands(archive.StatusDamaged, "chunk_corrupt")
			s.grow(old(50)...)
			s.stands(archive.StatusDamaged, "chunk_corrupt") // no tick goes on behind it
			_, _ = s.fails(turn{before: at(memstore.OpHead, key, memstore.Fault{Lost: true, Err: errors.New("no answer")})})
			s.stands(archive.StatusDamaged, "chunk_corrupt")
			s.must(s.engine("", turn{}).Abandon(s.Context(), export.Request{Stream: s.stream}, errors.New("no answer")))
			s.stands(archive.StatusDamaged, "chunk_corrupt")
			s.lose(key)
			if restored {
				s.put(key, written)
			}
			s.tick()
			s.whole()
		})
	}
}

// What replaces a chunk that somebody removed has other bytes, as more has come since: the verdict must be off the state
// before it is stored, or a batch that dies behind it leaves a good chunk that is called damaged.
func TestDamage_ThatWasMendedIsNotMeasuredByTheOldChunk(t *testing.T) {
	t.Parallel()
	for name, sweep := range map[string]bool{"tick": false, "sweep": true} {
		act(t, name, 90, func(s *scene) {
			key := layout.Chunk(s.stream, 51)
			s.done(archive.StatusDamaged, turn{before: s.damages(key, new(objstore.Write))})
			s.lose(key)
			s.grow(old(5)...)
			dies := turn{before: diesAfter(key)}
			if sweep {
				group, err := s.client.Group(s.Context(), s.stream)
				s.must(err)
				dies.keep, dies.known = true, &export.Known{At: time.Now(), Facts: group}
			}
			_, _ = s.fails(dies)
			time.Sleep(time.Hour)
			s.tick()
			s.whole()
		})
	}
}

// tooLarge is longer than anything that is written under a key.
func tooLarge(key string) objstore.Write {
	return objstore.Write{Body: make([]byte, layout.MaxBytes(key)+1)}
}
