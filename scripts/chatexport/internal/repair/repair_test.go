package repair_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/repair"
)

// lost is a world whose one group is archived in two chunks, of which the first, [1, 30], is gone from the bucket, with
// what else is named.
func lost(t *testing.T, more ...string) (*world.World, chat.Stream) {
	t.Helper()
	root := t.TempDir()
	w := world.New(t, world.Options{COS: cosemu.Options{Root: root}, Env: map[string]string{"EXPORT_SPAN": "30"}})
	s := w.Group("g", 40)
	w.Tick(s)
	for _, key := range append(more, layout.Chunk(s, 1)) {
		if err := os.Remove(filepath.Join(root, world.Bucket, filepath.FromSlash(key))); err != nil {
			t.Fatal(err)
		}
	}
	return w, s
}

func exists(t *testing.T, w *world.World, key string) bool {
	t.Helper()
	_, err := w.Store.Head(t.Context(), key)
	if err != nil && !errors.Is(err, objstore.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestDifference_IsToldAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*chatemu.Server, chat.Stream) error{
		"some were edited since": func(c *chatemu.Server, s chat.Stream) error {
			return c.Modify(s, 7, json.RawMessage(`[{"MsgType":"TIMTextElem","MsgContent":{"Text":"another"}}]`))
		},
		"listed are 27 messages, 1 system, 1 recalled, 1 placeholders, and now there are 26 messages, 1 system, 2 recalled,": func(c *chatemu.Server, s chat.Stream) error { return c.Recall(s, 7) },
		"and now there are 10 messages, 20 placeholders":                                                                     func(c *chatemu.Server, s chat.Stream) error { return c.SetFloor(s, 20) },
		"the group does not exist": func(c *chatemu.Server, s chat.Stream) error {
			return c.Dissolve(s.GroupID)
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w, s := lost(t)
			if err := change(w.Chat, s); err != nil {
				t.Fatal(err)
			}
			r := clitest.Run(t, repair.Command(clitest.Env(w.Env)))
			if r.Code != 1 || !strings.Contains(r.Stdout, "not mended: "+layout.Chunk(s, 1)) || !strings.Contains(r.Stdout, want) {
				t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
			}
			if exists(t, w, layout.Chunk(s, 1)) {
				t.Error("it was written all the same")
			}
		})
	}
}

// The same lines make other bytes in another build's gzip. What is put back must be what the manifest pins.
func TestDifference_OfTheCompressionAloneIsNamed(t *testing.T) {
	t.Parallel()
	w, s := lost(t)
	entry := chunk(t, w.Store, s)
	made := clitest.Run(t, repair.Command(clitest.Env(w.Env)))
	body, _, err := w.Store.Get(t.Context(), entry.Key)
	if err != nil || made.Code != 0 {
		t.Fatalf("%v, exit code %d:\n%s%s", err, made.Code, made.Stdout, made.Stderr)
	}

	// An archive that another build wrote, in a folder.
	folder, dir := clitest.Folder(t)
	b := clitest.Build(t, folder, s)
	meta := entry.ChunkMeta
	body = recompressed(t, body)
	meta.SHA256 = archivetest.Hash(body)
	b.Put(archive.Chunk{Stream: s, Meta: meta, Body: body})
	b.Manifest(archive.StatusComplete)
	if err := folder.Remove(t.Context(), entry.Key); err != nil {
		t.Fatal(err)
	}
	r := clitest.Run(t, repair.Command(clitest.Env(w.Env)), "--dir", dir)
	if r.Code != 1 || !strings.Contains(r.Stdout, "its lines came again exactly, but this build compresses them to other bytes") {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if _, err := folder.Head(t.Context(), entry.Key); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("the chunk: %v", err)
	}
}

// What came and could not be read is a line like any other, as long as it still comes so.
func TestMalformed_ComesAgainToTheByte(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	w := world.New(t, world.Options{COS: cosemu.Options{Root: root}, Env: map[string]string{"EXPORT_SPAN": "30"}})
	s := w.Group("g", 40)
	if err := w.Chat.Poison(s, chatemu.PoisonEscape, 7); err != nil {
		t.Fatal(err)
	}
	w.Tick(s)
	key := layout.Chunk(s, 1)
	before, _, err := w.Store.Get(t.Context(), key)
	if err = errors.Join(err, os.Remove(filepath.Join(root, world.Bucket, filepath.FromSlash(key)))); err != nil {
		t.Fatal(err)
	}
	r := clitest.Run(t, repair.Command(clitest.Env(w.Env)))
	after, _, err := w.Store.Get(t.Context(), key)
	if err != nil || r.Code != 0 || !bytes.Equal(before, after) || chunk(t, w.Store, s).Malformed != 1 {
		t.Errorf("%v, exit code %d:\n%s%s", err, r.Code, r.Stdout, r.Stderr)
	}
}

// Where no manifest lists the chunk, nothing but the group itself tells that it is the archived one.
func TestHole_OfAGroupThatWasRecreatedIsNotFilled(t *testing.T) {
	t.Parallel()
	g := chat.Stream{GroupID: "g"}
	w, s := lost(t, layout.Manifest(g, 1))
	err := w.Chat.Recreate(chatemu.Group{ID: s.GroupID, CreateTime: 1_600_000_000})
	if err = errors.Join(err, w.Chat.Generate(s, 40, chatemu.Varied)); err != nil {
		t.Fatal(err)
	}
	r := clitest.Run(t, repair.Command(clitest.Env(w.Env)))
	if r.Code != 1 || !strings.Contains(r.Stdout, "the group was created at 1600000000, the archived one at ") || exists(t, w, layout.Chunk(s, 1)) {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestFormat_OfANewerVersionIsNotTouched(t *testing.T) {
	t.Parallel()
	w, s := lost(t)
	key := layout.Genesis(s)
	body, o, err := w.Store.Get(t.Context(), key)
	if err == nil {
		body = bytes.Replace(body, []byte(`"format": 1`), []byte(`"format": 2`), 1)
		_, err = w.Store.Overwrite(t.Context(), key, objstore.Write{Body: body, Metadata: o.Metadata})
	}
	if err != nil {
		t.Fatal(err)
	}
	r := clitest.Run(t, repair.Command(clitest.Env(w.Env)))
	if r.Code != 1 || !strings.Contains(r.Stdout, "repair it with the version that wrote it") || strings.Contains(r.Stdout, "remove first") {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if exists(t, w, layout.Chunk(s, 1)) {
		t.Error("something was written")
	}
}

// chunk returns the first chunk of a stream, as its manifest lists it.
func chunk(t *testing.T, store catalog.Store, s chat.Stream) archive.ChunkEntry {
	t.Helper()
	m, err := catalog.Manifest(t.Context(), store, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m.Chunks[0]
}

func recompressed(t *testing.T, body []byte) []byte {
	t.Helper()
	in, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var raw, out bytes.Buffer
	if _, err := raw.ReadFrom(in); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = zip.Write(raw.Bytes())
	if err = errors.Join(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
