package catalog_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore/dirstore"
)

// A plain copy of a folder has neither the records of the store nor the metadata in them.
func TestCopied_FolderHasTheSameChunks(t *testing.T) {
	t.Parallel()
	original, dir := build(t)
	at := filepath.Join(t.TempDir(), "copy")
	for _, part := range []string{"data", "manifest"} {
		if err := os.CopyFS(filepath.Join(at, part), os.DirFS(filepath.Join(dir, part))); err != nil {
			t.Fatal(err)
		}
	}
	store, err := dirstore.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	want, got := chunks(t, original), chunks(t, store)
	last := &want[len(want)-1] // no manifest lists it: what its content does not tell is lost
	last.Run, last.RequestID, last.Writer = "", "", ""
	last.Hi, last.Absent = 22, 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-original +copy):\n%s", diff)
	}
	var seqs []chat.Seq
	for _, c := range got {
		err := catalog.Lines(t.Context(), store, stream(), c, func(e chat.Element) error { seqs = append(seqs, e.Seq); return nil })
		if err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]chat.Seq{2, 12, 22}, seqs); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(at, ".chatexport")); err == nil {
		t.Error("something was written into the copy")
	}
}

func chunks(t *testing.T, store catalog.Store) []archive.ChunkEntry {
	t.Helper()
	var all []archive.ChunkEntry
	for c, err := range catalog.Chunks(t.Context(), store, stream()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}
