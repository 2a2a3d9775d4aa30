package verify_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

func TestLevel_SampleReadsOnlyWhatIsPicked(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := sound(t, store, group())
	for _, lo := range []chat.Seq{21, 61} {
		b.edit(layout.Chunk(group(), lo), func(body []byte) []byte { body[20] ^= 1; return body })
	}
	pick := func(_ chat.Stream, lo chat.Seq) bool { return lo == 61 }
	report := verified(t, store, verify.Options{Level: verify.LevelSample, Pick: pick})
	for _, f := range report.Findings {
		if f.Key != layout.Chunk(group(), 61) {
			t.Errorf("found %v", f)
		}
	}
	if len(report.Findings) == 0 || report.Read != 1 {
		t.Errorf("%d chunks read, findings %v", report.Read, report.Findings)
	}
}

func TestPinned_HashIsFoundInTheChainOnly(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := sound(t, store, group())
	newest := b.Link.SHA256
	report := verified(t, store, verify.Options{Level: verify.LevelChain})
	if !report.Pinned(newest) || !report.Pinned(report.Chain[0].SHA256) {
		t.Error("hashes of the chain are not found in it")
	}
	b.remove(layout.Manifest(group(), 46))
	report = verified(t, store, verify.Options{Level: verify.LevelChain})
	if report.Pinned(newest) || report.Pinned("") {
		t.Error("the hash of a deleted manifest is found")
	}
}

func TestLevel_ChainReadsNoChunk(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	verified(t, store, verify.Options{Level: verify.LevelChain})
	want := map[string]int{
		layout.State(group()): 1, layout.Genesis(group()): 1,
		layout.Manifest(group(), 1): 1, layout.Manifest(group(), 46): 1, layout.Manifest(group(), 81): 1,
		layout.Chunk(group(), 1): 1, layout.Chunk(group(), 21): 1, layout.Chunk(group(), 46): 1, layout.Chunk(group(), 61): 1,
		layout.Chunk(group(), 81): 1, layout.Chunk(group(), 91): 1, layout.Chunk(group(), 101): 1,
		layout.Change(group(), 1): 1, // whether a look has come there, no chunk tells
	}
	if diff := cmp.Diff(want, store.reads); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}
