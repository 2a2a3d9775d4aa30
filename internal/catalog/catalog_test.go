package catalog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/dirstore"
)

func stream() chat.Stream { return chat.Stream{GroupID: "g"} }

// build writes chunks [1, 10] and [11, 20], which a manifest lists, and [21, 30], which none does.
func build(t *testing.T) (*dirstore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "archive")
	store, err := dirstore.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b := archivetest.Build(t, store, stream(), 1)
	for lo := chat.Seq(1); lo < 30; lo += 10 {
		if lo == 21 {
			b.Manifest(archive.StatusComplete)
		}
		b.Chunk(lo+9, archivetest.Elements(t, fmt.Sprintf(`{"MsgSeq":%d,"MsgTimeStamp":1700000000}`, lo+1))...)
	}
	return store, dir
}

func TestChunks_AreFoundListedOrNot(t *testing.T) {
	t.Parallel()
	store, _ := build(t)
	var los, seqs []chat.Seq
	for c, err := range catalog.Chunks(t.Context(), store, stream()) {
		if err != nil {
			t.Fatal(err)
		}
		los = append(los, c.Lo)
		if err := catalog.Lines(t.Context(), store, stream(), c, func(e chat.Element) error { seqs = append(seqs, e.Seq); return nil }); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([][]chat.Seq{{1, 11, 21}, {2, 12, 22}}, [][]chat.Seq{los, seqs}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	streams, err := catalog.Streams(t.Context(), store)
	if diff := cmp.Diff([]chat.Stream{stream()}, streams); diff != "" || err != nil {
		t.Errorf("streams: %v (-want +got):\n%s", err, diff)
	}
	if state, err := catalog.State(t.Context(), store, stream()); state != nil || err != nil {
		t.Errorf("state: %v, %v", state, err)
	}
}

func TestDamage_WhatCannotBeTrustedIsAnError(t *testing.T) {
	t.Parallel()
	for _, err := range catalog.Chunks(t.Context(), must(build(t)), chat.Stream{GroupID: "other"}) {
		if !errors.Is(err, catalog.ErrNoArchive) {
			t.Errorf("other stream: %v", err)
		}
	}
	store, dir := build(t)
	entry := archive.ChunkEntry{Key: layout.Chunk(stream(), 1)}
	entry.Lo, entry.Hi, entry.Messages = 1, 10, 1
	if err := catalog.Lines(t.Context(), store, stream(), entry, nil); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("another hash than the bytes have: %v", err)
	}
	// A manifest under another's name, and one that is not valid.
	path := func(lo chat.Seq) string { return filepath.Join(dir, filepath.FromSlash(layout.Manifest(stream(), lo))) }
	body, err := os.ReadFile(path(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{body, []byte("{}")} {
		if err := os.WriteFile(path(21), content, 0o600); err != nil {
			t.Fatal(err)
		}
		var last error
		for _, last = range catalog.Chunks(t.Context(), store, stream()) {
			continue
		}
		if !errors.Is(last, archive.ErrInvalid) && !errors.Is(last, archive.ErrFormat) {
			t.Errorf("manifest %.10q: %v", content, last)
		}
	}
}

func must(store *dirstore.Store, _ string) *dirstore.Store { return store }

func TestRange_OfElementsAndChunks(t *testing.T) {
	t.Parallel()
	chunk := archive.ChunkEntry{}
	chunk.Lo, chunk.Hi, chunk.Messages, chunk.TsMin, chunk.TsMax = 10, 20, 5, 100, 200
	empty := chunk
	empty.Messages, empty.TsMin, empty.TsMax = 0, 0, 0
	for name, test := range map[string]struct {
		r    catalog.Range
		c    archive.ChunkEntry
		want bool
	}{
		"all":                {catalog.Range{}, chunk, true},
		"nothing in it":      {catalog.Range{}, empty, false},
		"from its last seq":  {catalog.Range{FromSeq: 20}, chunk, true},
		"from behind it":     {catalog.Range{FromSeq: 21}, chunk, false},
		"to its first seq":   {catalog.Range{ToSeq: 10}, chunk, true},
		"to before it":       {catalog.Range{ToSeq: 9}, chunk, false},
		"since its last":     {catalog.Range{Since: 200}, chunk, true},
		"since after it":     {catalog.Range{Since: 201}, chunk, false},
		"until its first":    {catalog.Range{Until: 100}, chunk, false},
		"until behind first": {catalog.Range{Until: 101}, chunk, true},
	} {
		if got := test.r.Wants(&test.c); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (catalog.Range{Since: 1}).Has(&chat.Element{Seq: 1}) || !(catalog.Range{}).Has(&chat.Element{Seq: 1}) {
		t.Error("an element without a time is in no range of time, and in every other")
	}
}
