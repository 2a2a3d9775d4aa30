package verify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// copied is the sound archive as a tool leaves it that copies the bytes and drops the metadata.
func copied(t testing.TB, store *memStore, s chat.Stream) *builder {
	t.Helper()
	b := sound(t, store, s)
	for key, o := range store.objects {
		store.put(key, o.body, map[string]string{"mtime": "1700000000.5"})
	}
	return b
}

func TestCopied_ArchiveIsProvedByItsManifests(t *testing.T) {
	t.Parallel()
	for _, level := range []verify.Level{verify.LevelFull, verify.LevelChain, verify.LevelSample} {
		original, store := newMemStore(), newMemStore()
		sound(t, original, group())
		copied(t, store, group())
		opts := verify.Options{Level: level, Pick: func(_ chat.Stream, lo chat.Seq) bool { return lo == 21 }}
		want, got := verified(t, original, opts), verified(t, store, opts)
		if !got.Sound() || got.Copied != 6 {
			t.Errorf("level %d: %d chunks without metadata, findings %v", level, got.Copied, got.Findings)
		}
		if diff := cmp.Diff(want.Totals, got.Totals); diff != "" {
			t.Errorf("level %d: totals (-original +copy):\n%s", level, diff)
		}
		var warned []string // of those two, which are read at every level, and of the end, where seq 100 is absent
		for _, w := range got.Warnings {
			warned = append(warned, string(w.Kind)+" "+w.Key)
		}
		last := layout.Chunk(group(), 91)
		if diff := cmp.Diff([]string{"implausible " + last, "unlisted " + layout.Chunk(group(), 81), "unlisted " + last}, warned); diff != "" {
			t.Errorf("level %d: warnings (-want +got):\n%s", level, diff)
		}
	}
}

func TestCopied_EndOfTheLastChunkIsToldByTheStateOrByItsLastLine(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := copied(t, store, group()) // seq 100 is absent
	if report := verified(t, store, verify.Options{}); report.Hi != 100 {
		t.Errorf("with a state it ends at %d", report.Hi)
	}
	b.remove(layout.State(group()))
	if report := verified(t, store, verify.Options{}); !report.Sound() || report.Hi != 99 {
		t.Errorf("without one it ends at %d, findings %v", report.Hi, report.Findings)
	}
	b.remove(layout.Manifest(group(), 1))
	b.remove(layout.Manifest(group(), 46)) // so the chunk of an expired range is in none
	report := verified(t, store, verify.Options{})
	if !report.Sound() || report.Totals.Sum() != 99 || report.Totals.Absent != 7+15 || len(report.Warnings) != 6 {
		t.Errorf("without manifests: totals %+v, findings %v, warnings %v", report.Totals, report.Findings, report.Warnings)
	}
	if text := report.Warnings[2].Text; !strings.Contains(text, "proves 0 lines up to 45, and nothing tells what the other seqs up to 60 were") {
		t.Errorf("of the chunk without a line: %s", text)
	}
}

func TestCopied_FaultIsFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	flip := func(lo chat.Seq) func(b *builder) {
		return func(b *builder) {
			b.edit(at(lo), func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
			b.store.put(at(lo), b.store.objects[at(lo)].body, nil) // the copy's own checksum is of what was copied
		}
	}
	findFaultsIn(t, copied, map[string]fault{
		"byte of a listed chunk is another": {
			plant: flip(21), seen: []verify.Kind{verify.KindManifest}, deep: []verify.Kind{verify.KindGzip, verify.KindHash},
		},
		"byte of an unlisted chunk is another": seen(flip(81), verify.KindGzip),
		"listed chunk is cut": {
			plant: func(b *builder) { b.store.put(at(21), b.store.objects[at(21)].body[:40], nil) },
			seen:  []verify.Kind{verify.KindManifest}, deep: []verify.Kind{verify.KindGzip, verify.KindHash},
		},
		"listed chunk was not copied": seen(func(b *builder) { b.remove(at(21)) }, verify.KindMissingChunk),
		"last chunk was not copied":   seen(func(b *builder) { b.remove(at(91)) }, verify.KindStateAhead),
		"manifest was not copied":     seen(func(b *builder) { b.remove(layout.Manifest(group(), 1)) }, verify.KindManifestChain),
		"unlisted chunk reaches into another": seen(func(b *builder) {
			b.store.put(at(81), chunk(b.t, group(), 81, 95).Body, nil)
		}, verify.KindOrder),
		"unlisted chunk is another group's": seen(func(b *builder) {
			b.store.put(at(91), chunk(b.t, topic(), 91, 100).Body, nil)
		}, verify.KindLine),
		"half of the metadata": seen(func(b *builder) {
			b.store.put(at(21), b.store.objects[at(21)].body, map[string]string{"format": "1", "lo": "21"})
		}, verify.KindMetadata),
	})
}
