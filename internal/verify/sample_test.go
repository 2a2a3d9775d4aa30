package verify_test

import (
	"testing"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

func TestSampleReadsOnlyWhatIsPicked(t *testing.T) {
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

func TestHashKeptOutsideTheBucketIsFoundInTheChainOnly(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := sound(t, store, group())
	newest := b.link.SHA256
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
