package dirstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/objstore/dirstore"
	"chatexport/internal/objstore/storetest"
)

func open(t *testing.T) *dirstore.Store {
	t.Helper()
	return create(t, filepath.Join(t.TempDir(), "archive"))
}

func create(t *testing.T, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store { t.Helper(); return open(t) })
}

func put(t *testing.T, s *dirstore.Store, key, body string) {
	t.Helper()
	if _, err := s.Create(t.Context(), key, objstore.Write{Body: []byte(body), Metadata: map[string]string{"lo": "1"}}); err != nil {
		t.Fatal(err)
	}
}

func TestKeysOfAnArchiveAreFilesOfTheirOwnName(t *testing.T) {
	t.Parallel()
	s := open(t)
	stream := chat.Stream{GroupID: "@TGS#a.json", TopicID: "..gz"}
	for _, key := range []string{layout.Chunk(stream, 7), layout.Genesis(stream), layout.State(stream), layout.SweepPrefix + "1/plan.json"} {
		put(t, s, key, "x")
		if body, err := os.ReadFile(filepath.Join(s.Dir(), filepath.FromSlash(key))); err != nil || string(body) != "x" {
			t.Errorf("%s: %q, %v", key, body, err)
		}
	}
}

func TestListShowsWhatIsThereInOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, key := range []string{"data/b.json", "data/a/x.gz", "data/a", "data/z?", "state/s.json"} {
		put(t, s, key, "x")
	}
	if err := os.WriteFile(filepath.Join(s.Dir(), "data", "by hand.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	list := func(prefix, after string) []string {
		var keys []string
		for e, err := range s.List(t.Context(), prefix, after) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, e.Key)
		}
		return keys
	}
	want := []string{"data/a", "data/a/x.gz", "data/b.json", "data/by hand.txt", "data/z?"}
	if diff := cmp.Diff(want, list("data/", "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[3:], list("data/", "data/b.json")); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"data/b.json", "data/by hand.txt"}, list("data/b", "")); diff != "" {
		t.Errorf("prefix within a name (-want +got):\n%s", diff)
	}
	if got := list("nowhere/", ""); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestChangedBytesAreFound(t *testing.T) {
	t.Parallel()
	s := open(t)
	put(t, s, "data/a.gz", "hello")
	if err := os.WriteFile(filepath.Join(s.Dir(), "data", "a.gz"), []byte("hellO"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), "data/a.gz"); !errors.Is(err, objstore.ErrCorrupt) {
		t.Errorf("get: %v", err)
	}
	if o, err := s.Head(t.Context(), "data/a.gz"); err != nil || o.Metadata["lo"] != "1" {
		t.Errorf("head: %+v, %v; it must still tell the metadata", o, err)
	}
}

// A crash between record and bytes leaves what was there before: nothing, or the old version.
func TestCrashBetweenRecordAndBytes(t *testing.T) {
	t.Parallel()
	s := open(t)
	put(t, s, "new.json", "x")
	if err := os.Remove(filepath.Join(s.Dir(), "new.json")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), "new.json"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("get of a record without bytes: %v", err)
	}
	put(t, s, "new.json", "y")

	// An overwrite that died had put the record in place, which names both versions.
	for _, v := range []string{"1", "2"} {
		write := objstore.Write{Body: []byte("body " + v), Metadata: map[string]string{"v": v}}
		if _, err := s.Overwrite(t.Context(), "state.json", write); err != nil {
			t.Fatal(err)
		}
	}
	hash := sha256.Sum256([]byte("state.json"))
	path := filepath.Join(s.Dir(), ".chatexport", "meta", hex.EncodeToString(hash[:])+".json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rec map[string]any
	if err := json.Unmarshal(text, &rec); err != nil {
		t.Fatal(err)
	}
	old := archive.CRC64([]byte("body 1"))
	rec["versions"] = append(rec["versions"].([]any), map[string]any{
		"size": 6, "crc64": strconv.FormatUint(old, 10), "metadata": map[string]string{"v": "1"}, "last_modified": "2026-11-22T08:30:00Z",
	})
	if text, err = json.Marshal(rec); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"2", "1"} {
		if err := os.WriteFile(filepath.Join(s.Dir(), "state.json"), []byte("body "+v), 0o600); err != nil {
			t.Fatal(err)
		}
		_, o, err := s.Get(t.Context(), "state.json")
		if err != nil || o.Metadata["v"] != v {
			t.Errorf("get with the bytes of version %s: %v, %v", v, o.Metadata, err)
		}
		if o, err := s.Head(t.Context(), "state.json"); err != nil || o.Metadata["v"] != v {
			t.Errorf("head with the bytes of version %s: %v, %v", v, o.Metadata, err)
		}
	}
}

// The demo's folder is one of the COS emulator: its records are read, and nothing is written there.
func TestFolderOfTheEmulatorIsRead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	cos, url, err := cosemu.Start(cosemu.Options{
		Root: root, Buckets: []cosemu.Bucket{{Name: "archive-1250000000"}},
		Credentials: cosemu.StaticCredential("id", cosemu.Credential{SecretKey: "key"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cos.Close() }()
	bucket, err := cosstore.New(cosstore.Config{
		Bucket: "archive-1250000000", Region: "ap-guangzhou", Endpoint: url, Credentials: cosstore.Credentials{SecretID: "id", SecretKey: "key"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.CloseIdleConnections()
	key := layout.Chunk(chat.Stream{GroupID: "g"}, 1)
	w := objstore.Write{Body: []byte("x"), Metadata: map[string]string{"lo": "1", "raw-sha256": "ab"}}
	if _, err := bucket.Create(t.Context(), key, w); err != nil {
		t.Fatal(err)
	}
	s, err := dirstore.Open(filepath.Join(root, "archive-1250000000"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := bucket.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body, got, err := s.Get(t.Context(), key)
	if err != nil || string(body) != "x" {
		t.Fatalf("get: %q, %v", body, err)
	}
	got.Date, want.Date = time.Time{}, time.Time{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := s.Create(t.Context(), "state/x.json", objstore.Write{}); !errors.Is(err, objstore.ErrDenied) {
		t.Errorf("write: %v", err)
	}
}

func TestOneProcessWrites(t *testing.T) {
	t.Parallel()
	first := open(t)
	put(t, first, "a.json", "x")
	second, err := dirstore.Open(first.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Create(t.Context(), "b.json", objstore.Write{}); !errors.Is(err, dirstore.ErrLocked) {
		t.Errorf("second writer: %v", err)
	}
	if _, _, err := second.Get(t.Context(), "a.json"); err != nil {
		t.Errorf("second reader: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, second, "b.json", "x")
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOtherFoldersAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := dirstore.Open(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing folder was opened")
	}
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dirstore.Create(dir); err == nil {
		t.Error("a folder with other files was taken")
	}
	if _, err := dirstore.Open(filepath.Join(dir, "thesis.tex")); err == nil {
		t.Error("a file was opened")
	}
}
