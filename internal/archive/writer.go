package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"time"

	"github.com/klauspost/compress/gzip"

	"chatexport/internal/chat"
)

const (
	// gzipLevel is the knee of the curve. On a real chat log, against level 6: level 4 saves a fifth of the time and costs
	// 9 % more bytes, level 5 saves a tenth and costs 1 %, level 7 takes a third more and saves 2 %. Level 6 here makes
	// as many bytes as the standard library's level 6, in two fifths of the time. Compressing is half of all the work.
	gzipLevel = 5

	// MaxLineBytes bounds one line of a chunk, its end included, so that a reader's memory is bounded, too. The service
	// sends at most 1 MB in a whole page (10018) and the client takes at most 4 MB, which can grow threefold where bytes
	// that are not UTF-8 are replaced.
	MaxLineBytes = 16 << 20
)

// Chunk is a finished chunk: all that was found in a closed range of seqs.
type Chunk struct {
	Stream chat.Stream
	Meta   ChunkMeta
	Body   []byte // the object
}

// ChunkWriter builds one chunk. The same range with the same elements gives the same Body in one build of the program,
// however the range was cut into calls of Append. It is for one goroutine.
type ChunkWriter struct {
	stream  chat.Stream
	lo, hi  chat.Seq
	counts  Counts
	tsMin   int64
	tsMax   int64
	other   int64
	raw     int64
	rawHash hash.Hash
	out     *blocks
	zip     *gzip.Writer
	splice  splicer
	line    []byte
}

// NewChunkWriter returns a writer of the chunk that begins at lo. What is wrong with the stream or lo is told by Append
// and Close.
func NewChunkWriter(s chat.Stream, lo chat.Seq) *ChunkWriter {
	out := &blocks{}
	return &ChunkWriter{
		stream:  s,
		lo:      lo,
		hi:      lo - 1,
		rawHash: sha256.New(),
		out:     out,
		zip:     newGzip(out),
		splice:  newSplicer(s),
	}
}

// newGzip writes a header without name and time: the content alone decides the bytes.
func newGzip(out *blocks) *gzip.Writer {
	zip, err := gzip.NewWriterLevel(out, gzipLevel)
	if err != nil {
		panic(err) // gzipLevel is a constant that the tests have tried
	}
	zip.ModTime = time.Unix(0, 0) // the zero time.Time would be written as a date in 2042
	return zip
}

// Append extends the range to hi and writes the elements found in it, which must be ascending, each seq once, all above
// the previous Hi and up to hi. What is missing is counted absent. The elements are not kept. Upon an error, which
// wraps ErrInvalid, nothing was appended.
func (w *ChunkWriter) Append(hi chat.Seq, elements []chat.Element) error {
	if err := w.check(hi, elements); err != nil {
		return err
	}
	for i := range elements {
		if err := w.write(&elements[i]); err != nil {
			return err
		}
	}
	w.counts.Absent += int64(hi-w.hi) - int64(len(elements))
	w.hi = hi
	return nil
}

func (w *ChunkWriter) check(hi chat.Seq, elements []chat.Element) error {
	if err := w.stream.Validate(); err != nil {
		return invalid("%v", err)
	}
	if hi < w.hi {
		return invalid("chunk cannot end at %d, it has reached %d", hi, w.hi)
	}
	if err := validateRange(w.lo, max(hi, w.lo)); err != nil {
		return err
	}
	last := w.hi
	for i := range elements {
		e := &elements[i]
		switch {
		case e.Seq <= last || e.Seq > hi:
			return invalid("seq %d does not ascend from %d to %d", e.Seq, last, hi)
		case !bytes.HasPrefix(e.JSON, []byte(`{"`)):
			return invalid("seq %d is not an object with members", e.Seq)
		case len(e.JSON)+w.splice.length() > MaxLineBytes:
			return invalid("seq %d has %d bytes, a line holds %d", e.Seq, len(e.JSON), MaxLineBytes)
		}
		last = e.Seq
	}
	return nil
}

func (w *ChunkWriter) write(e *chat.Element) error {
	w.line = w.splice.line(w.line[:0], e)
	w.rawHash.Write(w.line)
	if _, err := w.zip.Write(w.line); err != nil {
		return err // cannot happen: blocks take everything
	}
	w.raw += int64(len(w.line))
	w.counts.element(e)
	if (e.HasGroupID || e.HasTopicID) && !w.splice.names(w.line) {
		w.other++
	}
	if e.Time > 0 {
		w.tsMax = max(w.tsMax, e.Time)
		if w.tsMin == 0 || e.Time < w.tsMin {
			w.tsMin = e.Time
		}
	}
	return nil
}

// Hi returns the last seq covered; lo - 1 before anything was appended.
func (w *ChunkWriter) Hi() chat.Seq { return w.hi }

// Size returns the bytes of the object so far, without what the compressor still holds back (less than 128 KB).
func (w *ChunkWriter) Size() int64 { return w.out.size }

// Close finishes the chunk. The range must not be empty. Of the request id, bytes that are not printable ASCII are
// replaced and all but the first 128 are dropped; run and writer are refused then. The error wraps ErrInvalid. The
// writer must not be used afterwards.
func (w *ChunkWriter) Close(run, requestID, writer string) (Chunk, error) {
	if err := w.check(w.hi, nil); err != nil {
		return Chunk{}, err
	}
	return w.finish(ChunkMeta{Run: run, RequestID: token(requestID), Writer: writer})
}

// NewExpiredChunk returns the empty chunk of a range that is proved expired. The range may be of any length. The error
// wraps ErrInvalid.
func NewExpiredChunk(s chat.Stream, lo, hi chat.Seq, evidence, run, requestID, writer string) (Chunk, error) {
	w := NewChunkWriter(s, lo)
	if err := w.check(hi, nil); err != nil {
		return Chunk{}, err
	}
	w.counts.Expired = int64(hi - lo + 1)
	w.hi = hi
	return w.finish(ChunkMeta{Run: run, RequestID: token(requestID), Writer: writer, Evidence: evidence})
}

// finish fills in what the lines say. Meta comes with what they do not.
func (w *ChunkWriter) finish(meta ChunkMeta) (Chunk, error) {
	if err := w.zip.Close(); err != nil {
		return Chunk{}, err
	}
	body := w.out.take()
	meta.Format = Format
	meta.Lo, meta.Hi = w.lo, w.hi
	meta.Counts = w.counts
	meta.TsMin, meta.TsMax = w.tsMin, w.tsMax
	meta.OtherIDs = w.other
	meta.RawBytes = w.raw
	meta.RawSHA256 = hex.EncodeToString(w.rawHash.Sum(nil))
	meta.SHA256 = SHA256(body)
	if err := meta.validate(); err != nil {
		return Chunk{}, err
	}
	return Chunk{Stream: w.stream, Meta: meta, Body: body}, nil
}
