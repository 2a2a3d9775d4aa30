package verify

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// checkChunk verifies one chunk and returns its hi, 0 if nothing trustworthy says what it is. Entry is its manifest's
// description, nil if no manifest lists it yet; end is where a chunk that nothing describes ends, 0 if unknown.
func (v *verifier) checkChunk(c chunkObject, entry *archive.ChunkEntry, lo, end chat.Seq) chat.Seq {
	meta, err := archive.ParseChunkMeta(c.obj.Metadata)
	bare := errors.Is(err, archive.ErrNoMetadata)
	usable := err == nil && meta.Lo == lo
	switch {
	case bare:
		v.report.Copied++
		if entry == nil {
			meta, usable = v.describe(c, lo, end)
		}
	case err != nil:
		v.add(kindOf(err, KindMetadata), c.key, "%v", err)
	case !usable:
		v.add(KindMetadata, c.key, "says that it begins at %d", meta.Lo)
	case entry != nil && meta != entry.ChunkMeta:
		v.add(KindManifest, c.key, "the chunk's metadata are not what the manifest lists: %s", difference(meta, entry.ChunkMeta))
		usable = false
	}
	if entry != nil {
		if usable || bare {
			v.checkStored(c, entry)
		}
		meta = entry.ChunkMeta // pinned by the chain of hashes; the object's metadata are pinned by nothing
	} else if !usable {
		return 0
	} else if c.obj.Size == 0 && !c.read {
		v.add(KindGzip, c.key, "has no bytes")
	}
	v.doubts.weigh(c.key, &meta, &v.report.Totals)
	v.count(meta, c.obj.Size)
	if meta.Expired > 0 {
		if meta.Expired != meta.Sum() { // seqs that the service was asked for and did not return are absent
			v.add(KindMetadata, c.key, "says that %d of its %d seqs have expired; a range has expired as a whole", meta.Expired, meta.Sum())
		}
		v.report.Expired = append(v.report.Expired, ExpiredRange{Range{meta.Lo, meta.Hi}, meta.Evidence})
	}
	if c.read {
		v.report.Read++
		if entry == nil {
			v.report.Unlisted = append(v.report.Unlisted, archive.Link{Key: c.key, SHA256: sum(c.body)})
		}
		v.checkBody(c, meta)
	}
	return meta.Hi
}

// checkStored compares the object with what its manifest lists.
func (v *verifier) checkStored(c chunkObject, entry *archive.ChunkEntry) {
	switch {
	case c.obj.Size != entry.Bytes:
		v.add(KindManifest, c.key, "the chunk has %d bytes, the manifest lists %d", c.obj.Size, entry.Bytes)
	case strconv.FormatUint(c.obj.CRC64, 10) != entry.CRC64:
		v.add(KindManifest, c.key, "the chunk's crc64 is %d, the manifest lists %s", c.obj.CRC64, entry.CRC64)
	}
}

// difference names the members that differ.
func difference(a, b archive.ChunkMeta) string {
	return strings.Join(differing(a.Metadata(), b.Metadata()), ", ")
}

// differing returns the names whose values differ, or that only one of the two has.
func differing(a, b map[string]string) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	maps.DeleteFunc(all, func(name, _ string) bool { return a[name] == b[name] })
	return slices.Sorted(maps.Keys(all))
}

func (v *verifier) count(meta archive.ChunkMeta, size int64) {
	t := &v.report.Totals
	t.Chunks++
	t.Add(meta.Counts)
	t.RawBytes += meta.RawBytes
	t.Bytes += size
	if meta.TsMin != 0 {
		t.TsMax = max(t.TsMax, meta.TsMax)
		if t.TsMin == 0 || meta.TsMin < t.TsMin {
			t.TsMin = meta.TsMin
		}
	}
}

// checkBody reads the object: its bytes as a whole, then every line.
func (v *verifier) checkBody(c chunkObject, meta archive.ChunkMeta) {
	v.checkSums(c, meta.SHA256)
	l := &lines{meta: meta, next: meta.Lo, maxHoles: v.opts.MaxRanges}
	content, err := archive.ReadChunk(bytes.NewReader(c.body), v.stream, meta.Lo, meta.Hi, l.visit)
	if err != nil {
		v.add(l.kind(c.body, err), c.key, "%v", err)
		return
	}
	// A line may have ids that are not the stream's only because its element came so, and then the writer has counted it.
	if content.OtherIDs != meta.OtherIDs {
		v.add(KindLine, c.key, "%d lines, from seq %d on, carry other ids than the stream's; the metadata say %d",
			content.OtherIDs, content.FirstOther, meta.OtherIDs)
	}
	v.checkContent(c.key, content, meta, l)
	if meta.Absent > 0 && l.next <= meta.Hi {
		v.doubts.ends(c.key, l.next, meta.Hi)
	}
	l.end()
	if meta.Absent > 0 { // an expired range is not absent, and a chunk is of one sort or the other
		v.report.Absent = append(v.report.Absent, l.holes[:min(len(l.holes), l.maxHoles-len(v.report.Absent))]...)
	}
	v.report.Malformed = append(v.report.Malformed, l.malformed[:min(len(l.malformed), l.maxHoles-len(v.report.Malformed))]...)
}

// checkSums compares an object's bytes with what the store says of them, and with the hash that describes them.
func (v *verifier) checkSums(c chunkObject, want string) {
	if int64(len(c.body)) != c.obj.Size {
		v.add(KindCRC, c.key, "%d bytes were read of %d", len(c.body), c.obj.Size)
	}
	if crc := archive.CRC64(c.body); crc != c.obj.CRC64 {
		v.add(KindCRC, c.key, "crc64 of the bytes read is %d, the store says %d", crc, c.obj.CRC64)
	}
	if hash := sum(c.body); hash != want {
		v.add(KindHash, c.key, "sha256 of the object is %s, not %s", hash, want)
	}
}

func (v *verifier) checkContent(key string, content archive.Content, meta archive.ChunkMeta, l *lines) {
	if content.RawSHA256 != meta.RawSHA256 {
		v.add(KindHash, key, "sha256 of the lines is %s, not %s", content.RawSHA256, meta.RawSHA256)
	}
	want := meta.Counts
	want.Expired, want.Absent, want.Repaired = 0, 0, 0
	switch {
	case content.Counts != want:
		v.add(KindCounts, key, "the lines count %s, the metadata say %s", classes(content.Counts), classes(want))
	case content.RawBytes != meta.RawBytes:
		v.add(KindCounts, key, "the lines have %d bytes, the metadata say %d", content.RawBytes, meta.RawBytes)
	case content.TsMin != meta.TsMin || content.TsMax != meta.TsMax:
		v.add(KindCounts, key, "times are [%d, %d], the metadata say [%d, %d]", content.TsMin, content.TsMax, meta.TsMin, meta.TsMax)
	case meta.Repaired > l.replaced:
		v.add(KindCounts, key, "%d lines have U+FFFD, but %d are said to be repaired", l.replaced, meta.Repaired)
	}
}

func classes(c archive.Counts) string {
	return strconv.FormatInt(c.Messages, 10) + " messages, " + strconv.FormatInt(c.System, 10) + " system, " +
		strconv.FormatInt(c.Recalled, 10) + " recalled, " + strconv.FormatInt(c.Placeholders, 10) + " placeholders, " +
		strconv.FormatInt(c.Malformed, 10) + " malformed, " + strconv.FormatInt(c.Links, 10) + " links"
}

// lines looks at what archive.ReadChunk leaves to its caller: holes, and replaced bytes.
type lines struct {
	meta      archive.ChunkMeta
	next      chat.Seq
	holes     []Range
	malformed []Range
	maxHoles  int
	replaced  int64 // lines with U+FFFD
}

func (l *lines) visit(e chat.Element) error {
	if e.Seq > l.next && len(l.holes) < l.maxHoles {
		l.holes = append(l.holes, Range{l.next, e.Seq - 1})
	}
	l.next = e.Seq + 1
	if last := len(l.malformed) - 1; e.Malformed && last >= 0 && l.malformed[last].Hi == e.Seq-1 {
		l.malformed[last].Hi = e.Seq
	} else if e.Malformed && len(l.malformed) < l.maxHoles {
		l.malformed = append(l.malformed, Range{e.Seq, e.Seq})
	}
	if bytes.Contains(e.JSON, []byte("\uFFFD")) {
		l.replaced++
	}
	return nil
}

func (l *lines) end() {
	if l.next <= l.meta.Hi && len(l.holes) < l.maxHoles {
		l.holes = append(l.holes, Range{l.next, l.meta.Hi})
	}
}

// kind tells the faults apart that archive.ReadChunk reports alike. It reads the object again, with the standard
// library's decompressor, and only after a fault.
func (l *lines) kind(body []byte, err error) Kind {
	src := bytes.NewReader(body)
	zip, zipErr := gzip.NewReader(src)
	if zipErr != nil || zip.Name != "" || zip.Comment != "" || !zip.ModTime.IsZero() || len(zip.Extra) > 0 {
		return KindGzip
	}
	zip.Multistream(false)
	if _, zipErr := io.Copy(io.Discard, zip); zipErr != nil || src.Len() > 0 {
		return KindGzip
	}
	if l.disordered(body) {
		return KindOrder
	}
	return kindOf(err, KindLine)
}

// disordered reports whether seqs that can be read do not ascend within the range before a line is met that cannot.
func (l *lines) disordered(body []byte) bool {
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return false
	}
	in := bufio.NewScanner(zip)
	in.Buffer(nil, archive.MaxLineBytes)
	var last chat.Seq
	for in.Scan() {
		e, err := chat.ScanElement(in.Bytes())
		if err != nil {
			return false
		}
		if e.Seq <= last || e.Seq < l.meta.Lo || e.Seq > l.meta.Hi {
			return true
		}
		last = e.Seq
	}
	return false
}
