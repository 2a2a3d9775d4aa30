package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"

	"chatexport/internal/chat"
)

const readBuffer = 64 << 10

// Content is what reading a chunk's object found in it.
type Content struct {
	// Counts are counted from the lines. Expired, absent and repaired seqs leave no trace there: those counts are 0
	// here and can be had from the metadata only.
	Counts      Counts
	First, Last chat.Seq // of the lines; 0 if there is none
	TsMin       int64    // oldest MsgTimeStamp in seconds; 0 if no element has one
	TsMax       int64
	OtherIDs    int64    // lines whose own ids are not the stream's
	FirstOther  chat.Seq // the first of them; 0 if there is none
	RawBytes    int64
	RawSHA256   string
	Bytes       int64 // size of the object
	SHA256      string
}

// Check compares what was read with what the metadata promise. The error wraps ErrInvalid and names the first
// difference.
func (c Content) Check(meta ChunkMeta) error {
	lines := meta.Counts
	lines.Expired, lines.Absent, lines.Repaired = 0, 0, 0
	switch {
	case c.SHA256 != meta.SHA256:
		return invalid("sha256 of the object is %s, its metadata say %s", c.SHA256, meta.SHA256)
	case c.RawSHA256 != meta.RawSHA256:
		return invalid("sha256 of the lines is %s, the metadata say %s", c.RawSHA256, meta.RawSHA256)
	case c.RawBytes != meta.RawBytes:
		return invalid("the lines have %d bytes, the metadata say %d", c.RawBytes, meta.RawBytes)
	case c.Counts != lines:
		return invalid("the lines count %+v, the metadata say %+v", c.Counts, lines)
	case c.TsMin != meta.TsMin || c.TsMax != meta.TsMax:
		return invalid("times of the lines are [%d, %d], the metadata say [%d, %d]", c.TsMin, c.TsMax, meta.TsMin, meta.TsMax)
	case c.OtherIDs != meta.OtherIDs:
		return invalid("%d lines have other ids than the stream's, the metadata say %d", c.OtherIDs, meta.OtherIDs)
	case c.First != 0 && (c.First < meta.Lo || c.Last > meta.Hi):
		return invalid("the lines cover [%d, %d], the metadata say [%d, %d]", c.First, c.Last, meta.Lo, meta.Hi)
	}
	return nil
}

// Describe returns what the metadata of a chunk [lo, hi] with this content would say, as far as the content tells: a seq
// without a line counts as absent, whatever it was, and who wrote the chunk is not known.
func (c Content) Describe(lo, hi chat.Seq) ChunkMeta {
	m := ChunkMeta{
		Format: Format, Lo: lo, Hi: hi, Counts: c.Counts, TsMin: c.TsMin, TsMax: c.TsMax, OtherIDs: c.OtherIDs,
		RawBytes: c.RawBytes, RawSHA256: c.RawSHA256, SHA256: c.SHA256,
	}
	m.Absent = int64(hi-lo+1) - c.Counts.Lines()
	return m
}

// ReadChunk reads the object of the stream's chunk [lo, hi] to its end and checks that it is format 1: one gzip member
// without name, time or anything else in its header and with nothing behind it, one element a line, compact and with
// ids as members (whose values are counted only: see Content.OtherIDs), seqs strictly ascending within [lo, hi]. visit, which may be nil, gets each element in this order;
// its JSON is the whole line and valid during the call only.
//
// Memory is bounded by MaxLineBytes. An error of visit is returned as it is; one of r wraps that error; everything else wraps ErrInvalid. The
// metadata are not known here: see Content.Check.
func ReadChunk(r io.Reader, s chat.Stream, lo, hi chat.Seq, visit func(chat.Element) error) (Content, error) {
	l := lines{splice: newSplicer(s), lo: lo, hi: hi, visit: visit, hash: sha256.New()}
	size, sum, err := readMember(r, l.read)
	if err != nil {
		return Content{}, err
	}
	l.content.Bytes, l.content.SHA256 = size, sum
	l.content.RawSHA256 = hex.EncodeToString(l.hash.Sum(nil))
	return l.content, nil
}

// readMember reads an object that is one gzip member to its end, and returns its size and SHA-256. read must take all of the
// member's content.
func readMember(r io.Reader, read func(in *bufio.Reader, src *source) error) (size int64, sha256Hex string, err error) {
	src := &source{r: r, hash: sha256.New()}
	in := bufio.NewReaderSize(src, readBuffer)
	if err := checkHeader(in, src); err != nil {
		return 0, "", err
	}
	zip, err := gzip.NewReader(in)
	if err != nil {
		return 0, "", src.explain("gzip", err)
	}
	zip.Multistream(false)
	if err := read(bufio.NewReaderSize(zip, readBuffer), src); err != nil {
		return 0, "", err
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return 0, "", src.explain("gzip", err)
		}
		return 0, "", invalid("bytes behind the gzip member")
	}
	return src.size, hex.EncodeToString(src.hash.Sum(nil)), nil
}

// checkHeader demands the fixed part of the header with no flags and no time. What remains free is what a compressor
// says of itself (level, operating system).
func checkHeader(in *bufio.Reader, src *source) error {
	header, err := in.Peek(10)
	if err != nil {
		return src.explain("gzip header", err)
	}
	if !bytes.Equal(header[:8], []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0}) {
		return invalid("gzip header is not that of a chunk")
	}
	return nil
}

// lines reads the NDJSON and counts.
type lines struct {
	splice  splicer
	lo, hi  chat.Seq
	visit   func(chat.Element) error
	hash    hash.Hash
	content Content
}

func (l *lines) read(in *bufio.Reader, src *source) error {
	return eachLine(in, src, l.take)
}

// eachLine visits the lines with their ends, each valid during the call only.
func eachLine(in *bufio.Reader, src *source, visit func(line []byte) error) error {
	var long []byte // a line that did not fit into the reader's buffer
	for {
		line, err := in.ReadSlice('\n')
		for long = long[:0]; errors.Is(err, bufio.ErrBufferFull) && len(long) <= MaxLineBytes; {
			long = append(long, line...)
			line, err = in.ReadSlice('\n')
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if len(line) > MaxLineBytes {
			return invalid("a line is longer than %d bytes", MaxLineBytes)
		}
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return invalid("the last line does not end")
		case err != nil:
			return src.explain("gzip", err)
		}
		if err := visit(line); err != nil {
			return err
		}
	}
}

func (l *lines) take(line []byte) error {
	c := &l.content
	l.hash.Write(line)
	c.RawBytes += int64(len(line))
	raw := line[:len(line)-1]
	e, err := chat.ScanElement(raw)
	switch {
	case err != nil:
		return invalid("the line after seq %d: %v", c.Last, err)
	case e.Repaired || len(e.JSON) != len(raw):
		return invalid("the line of seq %d has white space or bytes that are not UTF-8", e.Seq)
	case !e.HasGroupID || l.splice.topic != "" && !e.HasTopicID:
		return invalid("the line of seq %d has no ids", e.Seq)
	case e.Seq <= c.Last || e.Seq < l.lo || e.Seq > l.hi:
		return invalid("seq %d follows %d in a chunk of [%d, %d]", e.Seq, c.Last, l.lo, l.hi)
	}
	c.Counts.element(&e)
	if c.First == 0 {
		c.First = e.Seq
	}
	c.Last = e.Seq
	if !l.splice.names(raw) {
		c.OtherIDs++
		if c.FirstOther == 0 {
			c.FirstOther = e.Seq
		}
	}
	if e.Time > 0 {
		c.TsMax = max(c.TsMax, e.Time)
		if c.TsMin == 0 || e.Time < c.TsMin {
			c.TsMin = e.Time
		}
	}
	if l.visit == nil {
		return nil
	}
	return l.visit(e)
}

// source measures the object as it is read, and remembers an error of its reader, so that it is not taken for a
// defect of the content.
type source struct {
	r    io.Reader
	hash hash.Hash
	size int64
	err  error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (s *source) explain(what string, err error) error {
	switch {
	case s.err != nil:
		return fmt.Errorf("read chunk: %w", s.err)
	case errors.Is(err, ErrInvalid):
		return err
	default:
		return invalid("%s: %v", what, err)
	}
}
