package verify_test

import (
	"maps"
	"slices"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// These archives were changed by someone who knows the format, and who would have them taken for sound.
func TestForgedChunksAreFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	appended := func(b *builder, more []byte) { // with the sha256 corrected
		o := b.store.objects[at(81)]
		body := slices.Concat(o.body, more)
		md := maps.Clone(o.obj.Metadata)
		md["sha256"] = hash(body)
		b.store.put(at(81), body, md)
	}
	findFaults(t, map[string]fault{
		"bytes behind the gzip member": {
			plant: func(b *builder) { appended(b, []byte("more")) },
			want:  []verify.Kind{verify.KindGzip},
		},
		"zeros behind the gzip member": {
			plant: func(b *builder) { appended(b, make([]byte, 512)) },
			want:  []verify.Kind{verify.KindGzip},
		},
		"second gzip member with lines": {
			plant: func(b *builder) { appended(b, chunk(b.t, group(), 91, 92).Body) },
			want:  []verify.Kind{verify.KindGzip},
		},
		"other lines, but the counts are right": {
			plant: func(b *builder) {
				md := b.store.objects[at(21)].obj.Metadata
				b.rewrite(21, replace(`"m 22"`, `"m 23"`))
				b.store.put(at(21), b.store.objects[at(21)].body, md)
			},
			want: []verify.Kind{verify.KindHash, verify.KindManifest}, chain: []verify.Kind{verify.KindManifest},
		},
		"last line of the chunk before": {
			plant: func(b *builder) {
				b.rewrite(91, func(raw []byte) []byte {
					return append([]byte(`{"GroupId":"@TGS#1","IsPlaceMsg":0,"MsgSeq":89}`+"\n"), raw...)
				})
			},
			want: []verify.Kind{verify.KindOrder},
		},
		"first line of the chunk behind": {
			plant: func(b *builder) {
				b.rewrite(81, func(raw []byte) []byte {
					return append(raw, `{"GroupId":"@TGS#1","IsPlaceMsg":0,"MsgSeq":91}`+"\n"...)
				})
			},
			want: []verify.Kind{verify.KindOrder},
		},
		"chunk that reaches into the next one": {
			plant: func(b *builder) {
				c := chunk(b.t, group(), 81, 95)
				b.store.put(at(81), c.Body, c.Meta.Metadata())
				b.state(func(s *archive.State) { s.Frontier, s.After = 96, 81 })
			},
			want: []verify.Kind{verify.KindOverlap}, chain: []verify.Kind{verify.KindOverlap},
		},
		"expired range over chunks that exist": {
			plant: func(b *builder) {
				c := expired(b.t, group(), 81, 100)
				b.store.put(at(81), c.Body, c.Meta.Metadata())
				b.state(func(s *archive.State) { s.After = 81 })
			},
			want: []verify.Kind{verify.KindOverlap}, chain: []verify.Kind{verify.KindOverlap},
		},
		"expired range over chunks that are listed": {
			plant: func(b *builder) {
				c := expired(b.t, group(), 46, 80)
				b.store.put(at(46), c.Body, c.Meta.Metadata())
				b.remove(at(61))
			},
			want:  []verify.Kind{verify.KindManifest, verify.KindMissingChunk},
			chain: []verify.Kind{verify.KindManifest, verify.KindMissingChunk},
		},
		"absent seqs that are called expired": {
			plant: func(b *builder) {
				b.setMeta(91, "absent", "0")
				b.setMeta(91, "expired", "1")
				b.setMeta(91, "evidence", archive.EvidenceProbe)
			},
			want: []verify.Kind{verify.KindMetadata}, chain: []verify.Kind{verify.KindMetadata},
		},
	})
}

func TestForgedBeginningsAreFound(t *testing.T) {
	t.Parallel()
	genesis := func(b *builder, first, below int) {
		b.edit(layout.Genesis(group()), b.members(func(m map[string]any) {
			m["first_lo"] = first
			m["expired_below"] = map[string]any{"seq": below, "evidence": archive.EvidenceProbe, "probes": 3}
		}))
	}
	unlisted := func(b *builder) {
		b.remove(layout.Manifest(group(), 1))
		b.remove(layout.Manifest(group(), 46))
		b.state(func(s *archive.State) { s.ManifestAfter = nil })
	}
	findFaults(t, map[string]fault{
		"genesis begins behind listed chunks": {
			plant: func(b *builder) { genesis(b, 21, 21) },
			want:  []verify.Kind{verify.KindForeign, verify.KindManifest, verify.KindManifestChain},
			chain: []verify.Kind{verify.KindForeign, verify.KindManifest, verify.KindManifestChain},
		},
		"genesis begins behind chunks that no manifest lists": {
			plant: func(b *builder) { unlisted(b); genesis(b, 21, 21) },
			want:  []verify.Kind{verify.KindForeign}, chain: []verify.Kind{verify.KindForeign},
		},
		"genesis begins within a chunk": {
			plant: func(b *builder) { unlisted(b); genesis(b, 30, 30) },
			want:  []verify.Kind{verify.KindForeign, verify.KindGap}, chain: []verify.Kind{verify.KindForeign, verify.KindGap},
		},
		"genesis begins before the first chunk": {
			plant: func(b *builder) { unlisted(b); b.remove(layout.Chunk(group(), 1)) },
			want:  []verify.Kind{verify.KindGap}, chain: []verify.Kind{verify.KindGap},
		},
		"evidence does not reach to where genesis begins": {
			plant: func(b *builder) {
				unlisted(b)
				b.remove(layout.Chunk(group(), 1))
				genesis(b, 21, 5)
			},
			want: []verify.Kind{verify.KindGenesis}, chain: []verify.Kind{verify.KindGenesis},
		},
		"newest manifest has another evidence than genesis": {
			plant: func(b *builder) {
				b.floor = archive.ExpiredBelow{Seq: 41, Evidence: archive.EvidenceFinished, Probes: 2}
				b.manifest(archive.StatusComplete)
				b.state(nil)
			},
			want: []verify.Kind{verify.KindManifest}, chain: []verify.Kind{verify.KindManifest},
		},
	})
}
