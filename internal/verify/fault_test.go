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
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// fault is done to the sound archive, whose chunks begin at 1 and 21 (manifest 1), 46, expired, and 61 (manifest 46), 81
// and 91 (in no manifest yet).
type fault struct {
	plant func(b *builder)
	seen  []verify.Kind // all kinds that are found whether or not chunks are read
	deep  []verify.Kind // and those that only reading finds
}

func seen(plant func(b *builder), kinds ...verify.Kind) fault {
	return fault{plant: plant, seen: kinds}
}

func deep(plant func(b *builder), kinds ...verify.Kind) fault {
	return fault{plant: plant, deep: kinds}
}

func findFaults(t *testing.T, faults map[string]fault) {
	t.Helper()
	findFaultsIn(t, sound, faults)
}

func findFaultsIn(t *testing.T, whole func(testing.TB, *memStore, chat.Stream) *builder, faults map[string]fault) {
	t.Helper()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemStore()
			f.plant(whole(t, store, group()))
			all := slices.Concat(f.seen, f.deep)
			slices.Sort(all)
			for level, want := range map[verify.Level][]verify.Kind{verify.LevelFull: all, verify.LevelChain: f.seen} {
				report := verified(t, store, verify.Options{Level: level})
				if diff := cmp.Diff(want, kinds(report.Findings)); diff != "" {
					t.Errorf("level %d (-want +got):\n%s\n%v", level, diff, report.Findings)
				}
			}
		})
	}
}

func TestFault_OfChunksIsFound(t *testing.T) {
	t.Parallel()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	findFaults(t, map[string]fault{
		"listed chunk is missing":                 seen(func(b *builder) { b.remove(at(21)) }, verify.KindMissingChunk),
		"first chunk is missing":                  seen(func(b *builder) { b.remove(at(1)) }, verify.KindMissingChunk),
		"chunk that no manifest lists is missing": seen(func(b *builder) { b.remove(at(81)) }, verify.KindGap),
		"last chunk is missing":                   seen(func(b *builder) { b.remove(at(91)) }, verify.KindStateAhead),
		"chunks are swapped": seen(func(b *builder) {
			b.store.objects[at(81)], b.store.objects[at(91)] = b.store.objects[at(91)], b.store.objects[at(81)]
		}, verify.KindMetadata, verify.KindStateAhead),
		"bytes of chunks are swapped": deep(func(b *builder) {
			x, y := b.store.objects[at(81)], b.store.objects[at(91)]
			b.store.put(at(81), y.body, x.obj.Metadata)
			b.store.put(at(91), x.body, y.obj.Metadata)
		}, verify.KindHash, verify.KindOrder),
		"a byte is flipped": deep(func(b *builder) {
			b.edit(at(21), func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
		}, verify.KindCRC, verify.KindGzip, verify.KindHash),
		"gzip is cut": deep(func(b *builder) {
			b.edit(at(81), func(body []byte) []byte { return body[:len(body)-9] })
		}, verify.KindCRC, verify.KindGzip, verify.KindHash),
		"object is empty": deep(func(b *builder) { b.edit(at(81), func([]byte) []byte { return nil }) }, verify.KindCRC, verify.KindGzip, verify.KindHash),
	})
}

func TestFault_OfMetadataAndNamesIsFound(t *testing.T) {
	t.Parallel()
	findFaults(t, map[string]fault{
		"metadata of a listed chunk changed": seen(func(b *builder) { b.setMeta(21, "writer", "another") }, verify.KindManifest),
		"chunk of another format":            seen(func(b *builder) { b.setMeta(21, "format", "2") }, verify.KindFormat),
		"chunk within another":               seen(func(b *builder) { b.stand(85, chunk(b.t, group(), 85, 95)) }, verify.KindOverlap),
		"chunk beyond a gap":                 seen(func(b *builder) { b.stand(111, chunk(b.t, group(), 111, 120)) }, verify.KindGap),
		"foreign file among the chunks":      seen(func(b *builder) { b.store.put(layout.ChunkPrefix(group())+"0000000021.ndjson", nil, nil) }, verify.KindForeign),
		"foreign file behind the chunks":     seen(func(b *builder) { b.store.put(layout.ChunkPrefix(group())+"readme.txt", nil, nil) }, verify.KindForeign),
		"foreign file among the manifests":   seen(func(b *builder) { b.store.put(layout.ManifestPrefix(group())+"genesis.json.bak", nil, nil) }, verify.KindForeign),
	})
}

func TestFault_OfLinesIsFound(t *testing.T) {
	t.Parallel()
	findFaults(t, map[string]fault{
		"edited line, metadata corrected, in a listed chunk": {
			plant: func(b *builder) { b.rewrite(1, replace(`"m 2"`, `"M 2"`)) },
			seen:  []verify.Kind{verify.KindManifest}, deep: []verify.Kind{verify.KindHash},
		},
		"line of another group": deep(func(b *builder) { b.rewrite(81, replace(`"GroupId":"@TGS#1"`, `"GroupId":"@TGS#2"`)) }, verify.KindLine),
		"line without a group":  deep(func(b *builder) { b.rewrite(81, replace(`"GroupId":"@TGS#1",`, ``)) }, verify.KindLine),
		"line that is not JSON": deep(func(b *builder) { b.rewrite(81, replace(`{"GroupId"`, `["GroupId"`)) }, verify.KindLine),
		"lines in the wrong order": deep(func(b *builder) {
			b.rewrite(81, func(raw []byte) []byte {
				lines := slices.Collect(bytes.Lines(raw))
				lines[0], lines[1] = lines[1], lines[0]
				return bytes.Join(lines, nil)
			})
		}, verify.KindOrder),
		"line twice": deep(func(b *builder) {
			b.rewrite(81, func(raw []byte) []byte {
				lines := slices.Collect(bytes.Lines(raw))
				return bytes.Join(append(lines[:1:1], lines...), nil)
			})
		}, verify.KindOrder),
		"line is lost": deep(func(b *builder) { b.rewrite(81, func(raw []byte) []byte { return raw[bytes.IndexByte(raw, '\n')+1:] }) }, verify.KindCounts),
		"class is miscounted": deep(func(b *builder) {
			b.setMeta(81, "messages", "7")
			b.setMeta(81, "system", "0")
		}, verify.KindCounts),
		"classes do not sum up":                     seen(func(b *builder) { b.setMeta(91, "absent", "4") }, verify.KindMetadata, verify.KindStateAhead),
		"repaired lines that have nothing repaired": deep(func(b *builder) { b.setMeta(81, "repaired", "1") }, verify.KindCounts),
		"times are wrong":                           deep(func(b *builder) { b.setMeta(81, "ts-min", "1") }, verify.KindCounts),
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
	raw, err := io.ReadAll(zip)
	if err != nil {
		b.t.Fatal(err)
	}
	raw = change(raw)
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
	meta.RawBytes, meta.RawSHA256, meta.SHA256 = int64(len(raw)), archivetest.Hash(raw), archivetest.Hash(out.Bytes())
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

// stand puts a chunk under a name, whether or not it is its own.
func (b *builder) stand(lo chat.Seq, c archive.Chunk) {
	b.store.put(layout.Chunk(group(), lo), c.Body, c.Meta.Metadata())
}

func (b *builder) setMeta(lo chat.Seq, name, value string) {
	key := layout.Chunk(group(), lo)
	o := b.store.objects[key]
	md := maps.Clone(o.obj.Metadata)
	md[name] = value
	o.obj.Metadata = md
	b.store.objects[key] = o
}
