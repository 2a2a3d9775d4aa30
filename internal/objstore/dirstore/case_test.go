package dirstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
)

// tree returns the names and contents of all files of a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		files[name] = ""
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// wantRefused proves that nothing of a stream can be read or written beside one whose id differs in case only.
func wantRefused(t *testing.T, s *dirstore.Store, second chat.Stream) {
	t.Helper()
	before := tree(t, s.Dir())
	w := objstore.Write{Body: []byte("of the second")}
	for _, key := range []string{layout.Genesis(second), layout.State(second), layout.Chunk(second, 1), layout.Chunk(second, 99)} {
		_, _, getErr := s.Get(t.Context(), key)
		_, headErr := s.Head(t.Context(), key)
		_, createErr := s.Create(t.Context(), key, w)
		_, overwriteErr := s.Overwrite(t.Context(), key, w)
		for op, err := range map[string]error{"get": getErr, "head": headErr} {
			if !errors.Is(err, objstore.ErrInvalid) && !errors.Is(err, objstore.ErrNotExist) {
				t.Errorf("%s %s: %v", op, key, err)
			}
		}
		for op, err := range map[string]error{"create": createErr, "overwrite": overwriteErr} {
			if !errors.Is(err, objstore.ErrInvalid) {
				t.Errorf("%s %s: %v, want ErrInvalid", op, key, err)
			}
		}
	}
	for e, err := range s.List(t.Context(), layout.ChunkPrefix(second), "") {
		if !errors.Is(err, objstore.ErrInvalid) {
			t.Errorf("list: %v, %v", e, err)
		}
	}
	if diff := cmp.Diff(before, tree(t, s.Dir())); diff != "" {
		t.Errorf("the folder was touched:\n%s", diff)
	}
}

func TestCase_NamesThatTheFileSystemFoldsAreRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.FoldCase()
	first, second := chat.Stream{GroupID: "Team"}, chat.Stream{GroupID: "team"}
	put(t, s, layout.Genesis(first), "of the first")
	for range 2 {
		if _, err := s.Overwrite(t.Context(), layout.State(first), objstore.Write{Body: []byte("of the first")}); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, layout.Chunk(first, 1), "of the first")
	wantRefused(t, s, second)

	// The first one's stays usable, and so does everybody else's.
	put(t, s, layout.Chunk(first, 2), "of the first")
	put(t, s, layout.Genesis(chat.Stream{GroupID: "teams"}), "of a third")
	if body, _, err := s.Get(t.Context(), layout.State(first)); err != nil || string(body) != "of the first" {
		t.Errorf("state of the first: %q, %v", body, err)
	}

	// A copy of the bytes alone has no records to tell by.
	if err := errors.Join(s.Close(), os.RemoveAll(filepath.Join(s.Dir(), ".chatexport"))); err != nil {
		t.Fatal(err)
	}
	bare, err := dirstore.Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	bare.FoldCase()
	if _, _, err := bare.Get(t.Context(), layout.State(second)); !errors.Is(err, objstore.ErrInvalid) {
		t.Errorf("state of the second in a copy: %v, want ErrInvalid", err)
	}
	if _, _, err := bare.Get(t.Context(), layout.State(first)); err != nil {
		t.Errorf("state of the first in a copy: %v", err)
	}
}

func TestCase_IsKeptWhereTheFileSystemKeepsIt(t *testing.T) {
	t.Parallel()
	s := open(t)
	if _, err := os.Stat(filepath.Join(s.Dir(), ".CHATEXPORT")); err == nil {
		t.Skip("this file system folds case")
	}
	for _, id := range []string{"Team", "team"} {
		put(t, s, layout.Genesis(chat.Stream{GroupID: id}), id)
	}
	for _, id := range []string{"Team", "team"} {
		if body, _, err := s.Get(t.Context(), layout.Genesis(chat.Stream{GroupID: id})); err != nil || string(body) != id {
			t.Errorf("genesis of %s: %q, %v", id, body, err)
		}
	}
}
