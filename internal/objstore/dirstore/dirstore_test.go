package dirstore_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
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

func TestStore_KeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Store { t.Helper(); return open(t) })
}

func put(t *testing.T, s *dirstore.Store, key, body string) {
	t.Helper()
	if _, err := s.Create(t.Context(), key, objstore.Write{Body: []byte(body), Metadata: map[string]string{"lo": "1"}}); err != nil {
		t.Fatal(err)
	}
}

func TestNames_KeysOfAnArchiveAreFilesOfTheirOwnName(t *testing.T) {
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

func TestNames_EveryKeyHasAFileOfItsOwnThatTellsIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	keys := []string{
		"a", "a/b", "a%", "a%25", "a%2fb", "a%/b", "dir/", "dir//b", "/root", "..", "../up", ".chatexport/lock", "x.json/y", "x.json", "x.gz/", "ü/漢字",
		`back\slash`, "ctl\x01", "nul\x00", "blob/00/" + strings.Repeat("0", 64), strings.Repeat("0", 64) + "/x", strings.Repeat("long", 63),
	}
	for _, key := range keys {
		put(t, s, key, key)
	}
	listed := map[string]bool{}
	for e, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		listed[e.Key] = true
	}
	for _, key := range keys {
		if body, _, err := s.Get(t.Context(), key); err != nil || string(body) != key || !listed[key] {
			t.Errorf("%q: %q, %v, listed %v", key, body, err, listed[key])
		}
	}
	if len(listed) != len(keys) {
		t.Errorf("%d keys are listed, want %d", len(listed), len(keys))
	}
	if _, err := s.Create(t.Context(), strings.Repeat("x", 256), objstore.Write{}); !errors.Is(err, objstore.ErrInvalid) {
		t.Errorf("a key that is no name: %v, want ErrInvalid", err)
	}
}

func TestRemove_LeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	put(t, s, "data/a/1.gz", "x")
	put(t, s, "data/b/1.gz", "x")
	for range 2 { // a missing one is no error
		if err := s.Remove(t.Context(), "data/a/1.gz"); err != nil {
			t.Fatal(err)
		}
	}
	folders, err := os.ReadDir(filepath.Join(s.Dir(), "data"))
	records, err2 := os.ReadDir(filepath.Join(s.Dir(), ".chatexport", "meta"))
	if err = errors.Join(err, err2); err != nil || len(folders) != 1 || len(records) != 1 {
		t.Errorf("folders %v, records %v, %v", folders, records, err)
	}
	put(t, s, "data/a/1.gz", "y")
}

func TestList_ShowsWhatIsThereInOrder(t *testing.T) {
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
	for _, key := range []string{"order/g/x.gz", "order/g-1/x.gz", "order/g.json", "order/g/y.gz"} { // a file system has another order
		put(t, s, key, "x")
	}
	order := []string{"order/g-1/x.gz", "order/g.json", "order/g/x.gz", "order/g/y.gz"}
	for i := range order {
		after := ""
		if i > 0 {
			after = order[i-1]
		}
		if diff := cmp.Diff(order[i:], list("order/", after)); diff != "" {
			t.Errorf("behind %s (-want +got):\n%s", after, diff)
		}
	}
	for _, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Error(err)
		}
		break // a reader that has enough
	}
	if got := list("nowhere/", ""); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestDamage_ChangedBytesAreFound(t *testing.T) {
	t.Parallel()
	for _, there := range []string{"hellO", "hell", ""} {
		s := open(t)
		put(t, s, "data/a.gz", "hello")
		if err := os.WriteFile(filepath.Join(s.Dir(), "data", "a.gz"), []byte(there), 0o600); err != nil {
			t.Fatal(err)
		}
		body, _, err := s.Get(t.Context(), "data/a.gz")
		if !errors.Is(err, objstore.ErrCorrupt) || string(body) != there {
			t.Errorf("get of %q: %q, %v", there, body, err)
		}
		r, _, err := s.Open(t.Context(), "data/a.gz")
		if err != nil {
			t.Fatal(err)
		}
		body, err = io.ReadAll(r)
		if err := errors.Join(err, r.Close()); !errors.Is(err, objstore.ErrCorrupt) || string(body) != there {
			t.Errorf("read of %q piece by piece: %q, %v", there, body, err)
		}
		if _, _, err := s.OpenAt(t.Context(), "data/a.gz"); !errors.Is(err, objstore.ErrCorrupt) {
			t.Errorf("%q is opened to be sent: %v", there, err)
		}
		o, err := s.Head(t.Context(), "data/a.gz")
		if err != nil || o.Metadata["lo"] != "1" || o.Size != int64(len(there)) || o.CRC64 != objstore.CRC64([]byte("hello")) {
			t.Errorf("head of %q: %+v, %v; it must tell the size that is there, and what was recorded", there, o, err)
		}
	}
}

func TestLock_OneProcessWrites(t *testing.T) {
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

func TestFolder_OthersAreRefused(t *testing.T) {
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
