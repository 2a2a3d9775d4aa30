package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// archived is a world with an archive of 250 messages in three chunks, and 50 new messages that are not archived yet.
func archived(t *testing.T) (*world.World, chat.Stream) {
	t.Helper()
	w := newWorld(t, chatemu.Quirks{}, "EXPORT_SPAN=100")
	s := addGroup(t, w, "g", 1, 250, plain)
	w.Tick(s)
	must(t, w.Chat.Append(s, old(50)...))
	return w, s
}

// missing lets every read of some keys say that there is no such object, and of nothing else.
func missing(keys ...string) cosemu.FaultFunc {
	return func(r *cosemu.Request) *cosemu.Fault {
		for _, key := range keys {
			if r.Key == key && (r.Op == cosemu.OpGet || r.Op == cosemu.OpHead) {
				return &cosemu.Fault{Status: 404, Code: "NoSuchKey"}
			}
		}
		return nil
	}
}

// edit rewrites a JSON object behind the function's back.
func edit(t *testing.T, w *world.World, key string, change func(map[string]any)) {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), key)
	must(t, err)
	members := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	must(t, d.Decode(&members))
	change(members)
	body, err = json.Marshal(members)
	must(t, err)
	put(t, w, key, append(body, '\n'), nil)
}

// editMeta changes a chunk's metadata behind the function's back.
func editMeta(t *testing.T, w *world.World, key string, change func(map[string]string)) {
	t.Helper()
	body, object, err := w.Store.Get(t.Context(), key)
	must(t, err)
	meta := maps.Clone(object.Metadata)
	change(meta)
	put(t, w, key, body, meta)
}

// harm is what was done to an archive: an object is changed, or reads of it do not find it.
type harm struct {
	name  string
	code  string // of the verdict
	do    func(t *testing.T, w *world.World, s chat.Stream)
	hides func(s chat.Stream) []string // keys
}

func harms() []harm {
	key := func(f func(chat.Stream) string) func(chat.Stream) []string {
		return func(s chat.Stream) []string { return []string{f(s)} }
	}
	lastChunk := func(s chat.Stream) string { return layout.Chunk(s, 201) }
	return []harm{
		{name: "another object at the frontier", code: "foreign_object", do: func(t *testing.T, w *world.World, s chat.Stream) {
			put(t, w, layout.Chunk(s, 251), []byte("not ours"), nil)
		}},
		{name: "metadata of another kind", code: "foreign_object", do: func(t *testing.T, w *world.World, s chat.Stream) {
			put(t, w, layout.Chunk(s, 251), []byte("x"), map[string]string{"format": "1", "lo": "251", "hi": "many"})
		}},
		{name: "a chunk that was moved", code: "foreign_object", do: func(t *testing.T, w *world.World, s chat.Stream) {
			body, object, err := w.Store.Get(t.Context(), layout.Chunk(s, 101))
			must(t, err)
			put(t, w, layout.Chunk(s, 251), body, object.Metadata)
		}},
		{name: "classes that do not add up", code: "foreign_object", do: func(t *testing.T, w *world.World, s chat.Stream) {
			editMeta(t, w, layout.Chunk(s, 201), func(m map[string]string) { m["messages"] = "49" })
		}},
		{name: "no genesis beside a state", code: "genesis_missing", hides: key(layout.Genesis)},
		{name: "no genesis beside a manifest", code: "genesis_missing", hides: func(s chat.Stream) []string {
			return []string{layout.Genesis(s), layout.State(s)}
		}},
		{name: "genesis is not JSON", code: "genesis_invalid", do: func(t *testing.T, w *world.World, s chat.Stream) {
			put(t, w, layout.Genesis(s), []byte("{"), nil)
		}},
		{name: "genesis of another stream", code: "genesis_invalid", do: func(t *testing.T, w *world.World, s chat.Stream) {
			edit(t, w, layout.Genesis(s), func(m map[string]any) { m["group_id"] = "another" })
		}},
		{name: "genesis without evidence", code: "genesis_invalid", do: func(t *testing.T, w *world.World, s chat.Stream) {
			edit(t, w, layout.Genesis(s), func(m map[string]any) { m["first_lo"] = 5 })
		}},
		{name: "the last chunk is gone", code: "chunk_missing", hides: key(lastChunk)},
	}
}

func TestADamagedArchiveIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	for _, h := range harms() {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			w, s := archived(t)
			var fault cosemu.FaultFunc
			if h.do != nil {
				h.do(t, w, s)
			} else {
				fault = missing(h.hides(s)...)
			}
			standsUnder(t, w, s, fault, archive.StatusDamaged, h.code)
		})
	}
}

// A run that died before its manifest left chunks and a state that only genesis explains.
func TestChunksWithoutAGenesisAreNotStartedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{}, "EXPORT_SPAN=100")
	s := addGroup(t, w, "g", 1, 250, plain)
	w.COS.SetFault(at(cosemu.OpPut, layout.Manifest(s, 1), cosemu.Fault{Status: 403, Code: "AccessDenied"}))
	if _, err := invoke(t, w, w.Instance(), s); err == nil {
		t.Fatal("the batch that could not write its manifest succeeded")
	}
	standsUnder(t, w, s, missing(layout.Genesis(s)), archive.StatusDamaged, "genesis_missing")
	w.Tick(s)
	proved(t, w, s)
}

// Whether the manifests are whole is seen when the next one is written: the chunks before it count all the same.
func TestADamagedChainOfManifestsIsNotContinued(t *testing.T) {
	t.Parallel()
	last := func(s chat.Stream) string { return layout.Manifest(s, 1) }
	for _, h := range []harm{
		{name: "gone", code: "manifest_missing", hides: func(s chat.Stream) []string { return []string{last(s)} }},
		{name: "another than was written", code: "manifest_chain", do: func(t *testing.T, w *world.World, s chat.Stream) {
			edit(t, w, last(s), func(m map[string]any) { m["run"] = "20261122T083000Z-00000000" })
		}},
		{name: "not JSON", code: "manifest_invalid", do: func(t *testing.T, w *world.World, s chat.Stream) {
			put(t, w, last(s), []byte("[]"), nil)
		}},
		{name: "of another app", code: "manifest_invalid", do: func(t *testing.T, w *world.World, s chat.Stream) {
			edit(t, w, last(s), func(m map[string]any) { m["sdkappid"] = 1 })
		}},
		{name: "another object where the next would be", code: "manifest_invalid", do: func(t *testing.T, w *world.World, s chat.Stream) {
			put(t, w, layout.Manifest(s, 251), []byte("not ours"), nil)
		}},
		{name: "a copy where the next would be", code: "manifest_invalid", do: func(t *testing.T, w *world.World, s chat.Stream) {
			body, _, err := w.Store.Get(t.Context(), last(s))
			must(t, err)
			put(t, w, layout.Manifest(s, 251), body, nil)
		}},
	} {
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			w, s := archived(t)
			var fault cosemu.FaultFunc
			if h.do != nil {
				h.do(t, w, s)
			} else {
				fault = missing(h.hides(s)...)
			}
			before := snapshot(t, w)
			w.COS.SetFault(fault)
			_, err := invoke(t, w, w.Instance(), s)
			w.COS.SetFault(nil)
			must(t, err)
			before[layout.Chunk(s, 251)] = snapshot(t, w)[layout.Chunk(s, 251)] // the one new object
			unchanged(t, w, before)
			standsUnder(t, w, s, fault, archive.StatusDamaged, h.code)
		})
	}
}

func TestAnotherAppsArchiveIsAMismatch(t *testing.T) {
	t.Parallel()
	w, s := archived(t)
	edit(t, w, layout.Genesis(s), func(m map[string]any) { m["sdkappid"] = world.SDKAppID + 1 })
	stands(t, w, s, archive.StatusMismatch, "sdkappid")
	if text := state(t, w, s).Error.Text; !strings.Contains(text, fmt.Sprint(world.SDKAppID+1)) || !strings.Contains(text, "COS_PREFIX") {
		t.Errorf("the state says %q", text)
	}
}

// An object of a format that this version does not know is a newer version's: the event fails, so that it is delivered
// again once that version is deployed, and nothing is written, not even the state where that is the newer one.
func TestAnUnknownFormatIsRefused(t *testing.T) {
	t.Parallel()
	format2 := func(key func(chat.Stream) string) func(*testing.T, *world.World, chat.Stream) {
		return func(t *testing.T, w *world.World, s chat.Stream) {
			edit(t, w, key(s), func(m map[string]any) { m["format"] = 2 })
		}
	}
	chunk := func(lo chat.Seq) func(*testing.T, *world.World, chat.Stream) {
		return func(t *testing.T, w *world.World, s chat.Stream) {
			editMeta(t, w, layout.Chunk(s, lo), func(m map[string]string) { m["format"] = "2" })
		}
	}
	for name, change := range map[string]func(*testing.T, *world.World, chat.Stream){
		"state":      format2(layout.State),
		"genesis":    format2(layout.Genesis),
		"manifest":   format2(func(s chat.Stream) string { return layout.Manifest(s, 1) }),
		"last chunk": chunk(201),
		"next manifest": func(t *testing.T, w *world.World, s chat.Stream) {
			put(t, w, layout.Manifest(s, 251), []byte(`{"format":2}`), nil)
		},
		"next chunk": func(t *testing.T, w *world.World, s chat.Stream) {
			body, object, err := w.Store.Get(t.Context(), layout.Chunk(s, 201))
			must(t, err)
			meta := maps.Clone(object.Metadata)
			meta["format"] = "2"
			put(t, w, layout.Chunk(s, 251), body, meta)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := archived(t)
			change(t, w, s)
			before := snapshot(t, w)
			was, _, err := w.Store.Get(t.Context(), layout.State(s))
			must(t, err)
			_, err = invoke(t, w, w.Instance(), s)
			if err == nil || !strings.Contains(err.Error(), "newer version") || !strings.Contains(err.Error(), "deploy") {
				t.Errorf("the invocation ended with %v, want an error that says what to do", err)
			}
			if strings.HasSuffix(name, "manifest") { // found only after the chunk was written
				before[layout.Chunk(s, 251)] = snapshot(t, w)[layout.Chunk(s, 251)]
			}
			unchanged(t, w, before)
			is, _, err := w.Store.Get(t.Context(), layout.State(s))
			must(t, err)
			if name == "state" && !bytes.Equal(was, is) {
				t.Errorf("the newer version's state was overwritten: %s", is)
			}
		})
	}
}
