package verify_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// fault is done to the sound archive, whose chunks begin at 1 and 21 (manifest 1), 46, expired, and 61 (manifest 46), 81
// and 91 (in no manifest yet).
type fault struct {
	plant func(b *builder)
	want  []verify.Kind // all kinds that may be found, sorted
	chain []verify.Kind // the same when the chunks are not read
}

func findFaults(t *testing.T, faults map[string]fault) {
	t.Helper()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			f.plant(sound(t, store, group()))
			for level, want := range map[verify.Level][]verify.Kind{verify.LevelFull: f.want, verify.LevelChain: f.chain} {
				report := verified(t, store, verify.Options{Level: level})
				if diff := cmp.Diff(want, kinds(report.Findings)); diff != "" {
					t.Errorf("level %d (-want +got):\n%s\n%v", level, diff, report.Findings)
				}
			}
		})
	}
}

func TestFaultsOfChunksAreFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	findFaults(t, map[string]fault{
		"listed chunk is missing": {
			plant: func(b *builder) { b.remove(at(21)) },
			want:  []verify.Kind{verify.KindMissingChunk}, chain: []verify.Kind{verify.KindMissingChunk},
		},
		"first chunk is missing": {
			plant: func(b *builder) { b.remove(at(1)) },
			want:  []verify.Kind{verify.KindMissingChunk}, chain: []verify.Kind{verify.KindMissingChunk},
		},
		"chunk that no manifest lists is missing": {
			plant: func(b *builder) { b.remove(at(81)) },
			want:  []verify.Kind{verify.KindGap}, chain: []verify.Kind{verify.KindGap},
		},
		"last chunk is missing": {
			plant: func(b *builder) { b.remove(at(91)) },
			want:  []verify.Kind{verify.KindStateAhead}, chain: []verify.Kind{verify.KindStateAhead},
		},
		"chunks are swapped": {
			plant: func(b *builder) {
				b.store.objects[at(81)], b.store.objects[at(91)] = b.store.objects[at(91)], b.store.objects[at(81)]
			},
			want:  []verify.Kind{verify.KindMetadata, verify.KindStateAhead},
			chain: []verify.Kind{verify.KindMetadata, verify.KindStateAhead},
		},
		"bytes of chunks are swapped": {
			plant: func(b *builder) {
				x, y := b.store.objects[at(81)], b.store.objects[at(91)]
				b.store.put(at(81), y.body, x.obj.Metadata)
				b.store.put(at(91), x.body, y.obj.Metadata)
			},
			want: []verify.Kind{verify.KindHash, verify.KindOrder},
		},
		"a byte is flipped": {
			plant: func(b *builder) {
				b.edit(at(21), func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
			},
			want: []verify.Kind{verify.KindCRC, verify.KindGzip, verify.KindHash},
		},
		"gzip is cut": {
			plant: func(b *builder) {
				b.edit(at(81), func(body []byte) []byte { return body[:len(body)-9] })
			},
			want: []verify.Kind{verify.KindCRC, verify.KindGzip, verify.KindHash},
		},
		"object is empty": {
			plant: func(b *builder) {
				b.edit(at(81), func([]byte) []byte { return nil })
			},
			want: []verify.Kind{verify.KindCRC, verify.KindGzip, verify.KindHash},
		},
		"two gzip members": {
			plant: func(b *builder) {
				o := b.store.objects[at(81)]
				md := maps.Clone(o.obj.Metadata)
				body := slices.Concat(o.body, expired(b.t, group(), 1, 1).Body)
				md["sha256"] = hash(body)
				b.store.put(at(81), body, md)
			},
			want: []verify.Kind{verify.KindGzip},
		},
	})
}

func TestFaultsOfMetadataAndNamesAreFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	findFaults(t, map[string]fault{
		"metadata of a listed chunk changed": {
			plant: func(b *builder) { b.setMeta(21, "writer", "another") },
			want:  []verify.Kind{verify.KindManifest}, chain: []verify.Kind{verify.KindManifest},
		},
		"metadata of a listed chunk are gone": {
			plant: func(b *builder) {
				b.store.put(at(21), b.store.objects[at(21)].body, nil)
			},
			want: []verify.Kind{verify.KindMetadata}, chain: []verify.Kind{verify.KindMetadata},
		},
		"chunk of another format": {
			plant: func(b *builder) { b.setMeta(21, "format", "2") },
			want:  []verify.Kind{verify.KindFormat}, chain: []verify.Kind{verify.KindFormat},
		},
		"chunk within another": {
			plant: func(b *builder) {
				c := chunk(b.t, group(), 85, 95)
				b.store.put(at(85), c.Body, c.Meta.Metadata())
			},
			want: []verify.Kind{verify.KindOverlap}, chain: []verify.Kind{verify.KindOverlap},
		},
		"chunk beyond a gap": {
			plant: func(b *builder) {
				c := chunk(b.t, group(), 111, 120)
				b.store.put(at(111), c.Body, c.Meta.Metadata())
			},
			want: []verify.Kind{verify.KindGap}, chain: []verify.Kind{verify.KindGap},
		},
		"foreign file among the chunks": {
			plant: func(b *builder) {
				b.store.put(layout.ChunkPrefix(group())+"0000000021.ndjson", nil, nil)
			},
			want: []verify.Kind{verify.KindForeign}, chain: []verify.Kind{verify.KindForeign},
		},
		"foreign file behind the chunks": {
			plant: func(b *builder) {
				b.store.put(layout.ChunkPrefix(group())+"readme.txt", nil, nil)
			},
			want: []verify.Kind{verify.KindForeign}, chain: []verify.Kind{verify.KindForeign},
		},
		"foreign file among the manifests": {
			plant: func(b *builder) {
				b.store.put(layout.ManifestPrefix(group())+"genesis.json.bak", nil, nil)
			},
			want: []verify.Kind{verify.KindForeign}, chain: []verify.Kind{verify.KindForeign},
		},
	})
}

// rewrite replaces a chunk by one with other lines, its metadata and checksums all in order.
func (b *builder) rewrite(lo chat.Seq, change func([]byte) []byte) {
	b.t.Helper()
	key := layout.Chunk(group(), lo)
	o := b.store.objects[key]
	zip, err := gzip.NewReader(bytes.NewReader(o.body))
	if err != nil {
		b.t.Fatal(err)
	}
	raw := change(must(b.t)(io.ReadAll(zip)))
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(raw); err != nil {
		b.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	meta, err := archive.ParseChunkMeta(o.obj.Metadata)
	if err != nil {
		b.t.Fatal(err)
	}
	meta.RawBytes, meta.RawSHA256, meta.SHA256 = int64(len(raw)), hash(raw), hash(out.Bytes())
	b.store.put(key, out.Bytes(), meta.Metadata())
}

func replace(old, replacement string) func([]byte) []byte {
	return func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			panic("the fault is not planted: no " + old)
		}
		return bytes.Replace(b, []byte(old), []byte(replacement), 1)
	}
}

func (b *builder) setMeta(lo chat.Seq, name, value string) {
	key := layout.Chunk(group(), lo)
	o := b.store.objects[key]
	md := maps.Clone(o.obj.Metadata)
	md[name] = value
	o.obj.Metadata = md
	b.store.objects[key] = o
}
