package verify_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/verify"
)

// malformed is the sound archive, but that the answers to 82, 83 and 92 could not be read.
func malformed(t testing.TB, store *memStore, s chat.Stream) *builder {
	t.Helper()
	b := build(t, store, s, 1)
	b.chunkTo(80)
	for _, hi := range []chat.Seq{90, 100} {
		elements := messages(t, b.Next, hi)
		for i, e := range elements {
			if e.Seq == 82 || e.Seq == 83 || e.Seq == 92 {
				elements[i] = chat.NewMalformed(e.Seq, []byte("{\"MsgSeq\":\x01"))
			}
		}
		b.Chunk(hi, elements...)
	}
	b.State(nil)
	return b
}

func TestMalformed_SeqsAreCountedAndNamed(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	b := malformed(t, store, group())
	for _, listed := range []bool{false, true} {
		if listed {
			b.Manifest(archive.StatusComplete)
			b.State(nil)
		}
		report := verified(t, store, verify.Options{})
		if diff := cmp.Diff([]verify.Range{{Lo: 82, Hi: 83}, {Lo: 92, Hi: 92}}, report.Malformed); diff != "" || !report.Sound() || report.Totals.Malformed != 3 {
			t.Errorf("totals %+v, findings %v, ranges (-want +got):\n%s", report.Totals, report.Findings, diff)
		}
		if certified := report.Certify(); len(certified.Malformed) != 2 || certified.Counts.Malformed != 3 {
			t.Errorf("certified: %+v", certified)
		}
	}
	if report := verified(t, store, verify.Options{MaxRanges: 1}); len(report.Malformed) != 1 {
		t.Errorf("ranges are not bounded: %v", report.Malformed)
	}
}

// A line that only looks like one is a message, and so its chunk is not what its metadata say.
func TestMalformed_LineOfAnotherShapeIsFound(t *testing.T) {
	t.Parallel()
	line := []byte(`"MsgSeq":82,"_malformed":{"bytes":11,"answer":"eyJNc2dTZXEiOgE="}}`)
	change := func(to string) func(b *builder) {
		return func(b *builder) {
			b.rewrite(81, func(raw []byte) []byte {
				if !bytes.Contains(raw, line) {
					t.Errorf("no such line in %s", raw)
				}
				return bytes.Replace(raw, line, []byte(to), 1)
			})
		}
	}
	findFaultsIn(t, malformed, map[string]fault{
		"more bytes than are kept": deep(change(`"MsgSeq":82,"_malformed":{"bytes":12,"answer":"eyJNc2dTZXEiOgE="}}`), verify.KindCounts),
		"no answer":                deep(change(`"MsgSeq":82,"_malformed":{"bytes":11}}`), verify.KindCounts),
		"another member":           deep(change(`"MsgSeq":82,"IsPlaceMsg":0,"_malformed":{"bytes":11,"answer":"eyJNc2dTZXEiOgE="}}`), verify.KindCounts),
		"not base64":               deep(change(`"MsgSeq":82,"_malformed":{"bytes":11,"answer":"eyJNc2dTZXEiOgE!"}}`), verify.KindCounts),
		"counted as absent": deep(func(b *builder) {
			b.setMeta(91, "malformed", "0")
			b.setMeta(91, "absent", "2")
		}, verify.KindCounts),
		"counted as messages": deep(func(b *builder) {
			b.setMeta(91, "malformed", "0")
			b.setMeta(91, "messages", "6")
		}, verify.KindCounts),
	})
}
