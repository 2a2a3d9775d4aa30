package export_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// list writes the manifests of an archive whose chunks have one seq each, so many chunks in each manifest, and the state
// of the run that ended behind them.
func (w *wreck) list(chunks, perManifest int) {
	w.t.Helper()
	body, _, err := w.store.Get(w.t.Context(), layout.Genesis(w.stream))
	must(w.t, err)
	link := archive.Link{Key: layout.Genesis(w.stream), SHA256: hash(body)}
	last := chat.Seq(0)
	for lo := 1; lo <= chunks; lo += perManifest {
		var entries []archive.ChunkEntry
		for seq := chat.Seq(lo); seq < chat.Seq(lo+perManifest); seq++ {
			key := layout.Chunk(w.stream, seq)
			object, err := w.store.Head(w.t.Context(), key)
			must(w.t, err)
			meta, err := archive.ParseChunkMeta(object.Metadata)
			must(w.t, err)
			entries = append(entries, archive.ChunkEntryOf(meta, key, object.Size, object.CRC64))
		}
		m := archive.Manifest{
			Format: archive.Format, SDKAppID: world.SDKAppID, GroupID: w.stream.GroupID, Head: chat.Seq(lo + perManifest - 1),
			Status: archive.StatusComplete, Run: "20261121T083000Z-00000000", StartedAt: time.Now(), FinishedAt: time.Now(),
			ExpiredBelow: archive.ExpiredBelow{Seq: 1, Evidence: archive.EvidenceNone}, Previous: link,
		}
		m.SetChunks(entries)
		body, err := m.Encode()
		must(w.t, err)
		last = m.Lo
		link = archive.Link{Key: layout.Manifest(w.stream, m.Lo), SHA256: hash(body)}
		w.put(link.Key, objstore.Write{Body: body, ContentType: "application/json"})
	}
	state, err := archive.State{
		Format: archive.Format, Frontier: chat.Seq(chunks) + 1, After: chat.Seq(chunks), Head: chat.Seq(chunks),
		ManifestAfter: &archive.ManifestHint{Lo: last, SHA256: link.SHA256}, Status: archive.StatusComplete, UpdatedAt: time.Now(),
	}.Encode()
	must(w.t, err)
	w.put(layout.State(w.stream), objstore.Write{Body: state, ContentType: "application/json"})
}

func hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// A batch costs the same however old the archive is: nothing of it is walked, listed or read again.
func TestABatchOfAnOldArchiveCostsWhatOneOfAYoungArchiveCosts(t *testing.T) {
	t.Parallel()
	costs := make(map[string]map[memstore.Op]int)
	calls := make(map[string]int)
	for name, a := range map[string]struct{ chunks, perManifest int }{"young": {5, 5}, "old": {5000, 5}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWreck(t, a.chunks+30, a.chunks, time.Millisecond)
			w.list(a.chunks, a.perManifest)
			result, err := w.batch(nil, 0)
			if err != nil || result.Outcome != export.Complete || result.Hi != chat.Seq(a.chunks+30) {
				t.Fatalf("%s: %q up to %d, %v", name, result.Outcome, result.Hi, err)
			}
			w.check(chat.Seq(a.chunks))
			costs[name], calls[name] = w.ops, w.chat.Counters().Calls
		})
	}
	t.Logf("requests: %v, Chat calls: %v", costs["old"], calls["old"])
	if diff := cmp.Diff(costs["young"], costs["old"]); diff != "" {
		t.Errorf("requests of a batch (-5 chunks and 1 manifest, +5,000 chunks and 1,000 manifests):\n%s", diff)
	}
	if calls["young"] != calls["old"] {
		t.Errorf("%d Chat calls for the young archive, %d for the old one", calls["young"], calls["old"])
	}
}
