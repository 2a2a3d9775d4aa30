package verify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

func TestHint_BehindIsNoFault(t *testing.T) {
	t.Parallel()
	older := func(b *builder) { // the hint of the first manifest, which is in the chain
		first := layout.Manifest(group(), 1)
		b.State(func(s *archive.State) {
			s.ManifestAfter = &archive.Pin{Lo: 1, SHA256: archivetest.Hash(b.store.objects[first].body)}
		})
	}
	for name, tt := range map[string]struct {
		prepare func(b *builder)
		listing string // whose listing an export runs ahead of
	}{
		"older manifest": {prepare: older},
		"no manifest":    {prepare: func(b *builder) { b.State(func(s *archive.State) { s.ManifestAfter = nil }) }},
		"no state":       {prepare: func(b *builder) { b.remove(layout.State(group())) }},
		"export that goes on before the manifests are listed": {
			prepare: func(*builder) {}, listing: layout.ManifestPrefix(group()),
		},
		"export that goes on before the chunks are listed": {prepare: older, listing: layout.ChunkPrefix(group())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain} {
				store := newMemStore()
				b := sound(t, store, group())
				tt.prepare(b)
				store.onList = func(prefix string) {
					if prefix == tt.listing {
						b.Manifest(archive.StatusPartial)
						b.chunkTo(b.Next + 9)
						b.Manifest(archive.StatusComplete)
						b.State(nil)
					}
				}
				if report := verified(t, store, verify.Options{Level: level}); !report.Sound() {
					t.Errorf("level %d: findings %v", level, report.Findings)
				}
			}
		})
	}
}

func TestListing_WithoutTheNewestManifestIsNoFault(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	late := layout.Manifest(group(), 46)
	hidden := store.objects[late]
	store.onList = func(prefix string) {
		if prefix == layout.ManifestPrefix(group()) {
			delete(store.objects, late)
		} else {
			store.objects[late] = hidden
		}
	}
	if report := verified(t, store, verify.Options{}); !report.Sound() || report.Manifests != 2 {
		t.Errorf("%d manifests, findings %v", report.Manifests, report.Findings)
	}
}

func TestFork_IsFoundWhereverTheChainEnds(t *testing.T) {
	t.Parallel()
	for _, end := range []chat.Seq{1000, chat.MaxSeq} {
		store := newMemStore()
		b := build(t, store, group(), end-99)
		b.chunkTo(end - 40)
		fork := b.Next
		b.Manifest(archive.StatusPartial)
		first := b.Link
		b.chunkTo(end)
		b.Manifest(archive.StatusComplete)
		b.State(nil)
		if report := verified(t, store, verify.Options{}); !report.Sound() {
			t.Fatalf("findings %v", report.Findings)
		}
		forged := chunk(t, group(), fork+5, end)
		key := layout.Chunk(group(), fork+5)
		b.Link, b.Listed = first, []archive.ChunkEntry{archive.ChunkEntryOf(forged.Meta, key, int64(len(forged.Body)), 1)}
		b.Manifest(archive.StatusComplete) // it claims what the chain's own second manifest has, too
		report := verified(t, store, verify.Options{})
		if diff := cmp.Diff([]verify.Kind{verify.KindManifestChain}, kinds(report.Findings)); diff != "" {
			t.Errorf("fork before %d: findings %v", end, report.Findings)
		}
		b.State(nil) // which names the forged one
		report = verified(t, store, verify.Options{})
		if len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Text, "does not follow") {
			t.Errorf("fork before %d that the state names: findings %v", end, report.Findings)
		}
	}
}
