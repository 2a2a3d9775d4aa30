package verify_test

import (
	"maps"
	"slices"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// These archives were changed by someone who knows the format, and who would have them taken for sound.
func TestForgery_OfChunksIsFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	appended := func(b *builder, more []byte) { // with the sha256 corrected
		o := b.store.objects[at(81)]
		body := slices.Concat(o.body, more)
		md := maps.Clone(o.obj.Metadata)
		md["sha256"] = archivetest.Hash(body)
		b.store.put(at(81), body, md)
	}
	findFaults(t, map[string]fault{
		"bytes behind the gzip member":      deep(func(b *builder) { appended(b, []byte("more")) }, verify.KindGzip),
		"zeros behind the gzip member":      deep(func(b *builder) { appended(b, make([]byte, 512)) }, verify.KindGzip),
		"second gzip member without a line": deep(func(b *builder) { appended(b, archivetest.Expired(b.t, group(), 1, 1).Body) }, verify.KindGzip),
		"second gzip member with lines":     deep(func(b *builder) { appended(b, chunk(b.t, group(), 91, 92).Body) }, verify.KindGzip),
		"other lines, but the counts are right": {
			plant: func(b *builder) {
				md := b.store.objects[at(21)].obj.Metadata
				b.rewrite(21, replace(`"m 22"`, `"m 23"`))
				b.store.put(at(21), b.store.objects[at(21)].body, md)
			},
			seen: []verify.Kind{verify.KindManifest}, deep: []verify.Kind{verify.KindHash},
		},
		"last line of the chunk before": deep(func(b *builder) {
			b.rewrite(91, func(raw []byte) []byte {
				return append([]byte(`{"GroupId":"@TGS#1","IsPlaceMsg":0,"MsgSeq":89}`+"\n"), raw...)
			})
		}, verify.KindOrder),
		"first line of the chunk behind": deep(func(b *builder) {
			b.rewrite(81, func(raw []byte) []byte {
				return append(raw, `{"GroupId":"@TGS#1","IsPlaceMsg":0,"MsgSeq":91}`+"\n"...)
			})
		}, verify.KindOrder),
		"chunk that reaches into the next one": seen(func(b *builder) {
			b.stand(81, chunk(b.t, group(), 81, 95))
			b.State(func(s *archive.State) { s.Frontier, s.After = 96, 81 })
		}, verify.KindOverlap),
		"expired range over chunks that exist": seen(func(b *builder) {
			b.stand(81, archivetest.Expired(b.t, group(), 81, 100))
			b.State(func(s *archive.State) { s.After = 81 })
		}, verify.KindOverlap),
		"expired range over chunks that are listed": seen(func(b *builder) {
			b.stand(46, archivetest.Expired(b.t, group(), 46, 80))
			b.remove(at(61))
		}, verify.KindManifest, verify.KindMissingChunk),
		"absent seqs that are called expired": seen(func(b *builder) {
			b.setMeta(91, "absent", "0")
			b.setMeta(91, "expired", "1")
			b.setMeta(91, "evidence", archive.EvidenceProbe)
		}, verify.KindMetadata),
	})
}

func TestForgery_OfBeginningsIsFound(t *testing.T) {
	t.Parallel()
	genesis := func(b *builder, first, below int) {
		b.set(layout.Genesis(group()), "first_lo", first)
		b.set(layout.Genesis(group()), "expired_below", map[string]any{"seq": below, "evidence": archive.EvidenceProbe, "probes": 3})
	}
	unlisted := func(b *builder) {
		b.remove(layout.Manifest(group(), 1))
		b.remove(layout.Manifest(group(), 46))
		b.State(func(s *archive.State) { s.ManifestAfter = nil })
	}
	findFaults(t, map[string]fault{
		"genesis begins behind listed chunks":                 seen(func(b *builder) { genesis(b, 21, 21) }, verify.KindForeign, verify.KindManifest, verify.KindManifestChain),
		"genesis begins behind chunks that no manifest lists": seen(func(b *builder) { unlisted(b); genesis(b, 21, 21) }, verify.KindForeign),
		"genesis begins within a chunk":                       seen(func(b *builder) { unlisted(b); genesis(b, 30, 30) }, verify.KindForeign, verify.KindGap),
		"genesis begins before the first chunk":               seen(func(b *builder) { unlisted(b); b.remove(layout.Chunk(group(), 1)) }, verify.KindGap),
		"evidence does not reach to where genesis begins": seen(func(b *builder) {
			unlisted(b)
			b.remove(layout.Chunk(group(), 1))
			genesis(b, 21, 5)
		}, verify.KindGenesis),
		"newest manifest has another evidence than genesis": seen(func(b *builder) {
			b.Floor = archive.ExpiredBelow{Seq: 41, Evidence: archive.EvidenceFinished, Probes: 2}
			b.Manifest(archive.StatusComplete)
			b.State(nil)
		}, verify.KindManifest),
	})
}
