package trail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// ErrUnread means that a chunk is missing or damaged, for certain.
var ErrUnread = errors.New("the chunk cannot be read")

// Job is the work on one chunk.
type Job struct {
	Following
	Manifest *archive.Manifest // that lists the chunk
	Chunk    archive.ChunkEntry
	Whole    bool // the work began so early that what does not fit fits into no batch
	Again    bool // an earlier batch has waited at From

	trail *Trail
}

// From returns the first seq of the chunk that no receipt covers.
func (j *Job) From() chat.Seq { return j.trail.hint.Frontier }

// Batch tells in which batch the work is done.
func (j *Job) Batch() Batch { return j.trail.Batch }

// Read returns the chunk's object, as it was listed. Lost and damaged ones are ErrUnread, once that can be believed.
func (j *Job) Read(ctx context.Context) (body []byte, err error) {
	err = chain.Believe(ctx, j.trail.Jitter, ErrUnread, func(ctx context.Context) error {
		var err error
		body, _, err = j.trail.Store.Get(ctx, j.Chunk.Key)
		switch {
		case errors.Is(err, objstore.ErrNotExist), errors.Is(err, objstore.ErrCorrupt):
			return fmt.Errorf("%w: %s: %w", ErrUnread, j.Chunk.Key, err)
		case err != nil:
			return fmt.Errorf("read chunk: %w", err)
		case archive.SHA256(body) != j.Chunk.SHA256:
			return fmt.Errorf("%w: %s: other bytes than were listed", ErrUnread, j.Chunk.Key)
		}
		return nil
	})
	if errors.Is(err, ErrUnread) {
		j.trail.Log.Warn().Str("key", j.Chunk.Key).Str("trail", j.trail.Form().Name).Err(err).Msg("a chunk cannot be read; the trail goes on behind it")
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Elements yields what the chunk has from From on, each valid until the next. What cannot be read ends it with an error.
func (j *Job) Elements(body []byte) iter.Seq2[chat.Element, error] {
	return func(yield func(chat.Element, error) bool) {
		errEnough := errors.New("enough")
		from := j.From()
		_, err := archive.ReadChunk(bytes.NewReader(body), j.trail.Stream, j.Chunk.Lo, j.Chunk.Hi, func(e chat.Element) error {
			if e.Seq >= from && !yield(e, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(chat.Element{}, err)
		}
	}
}

// Due yields the chunks from this one on that are due now, one behind the other, those that need no receipt included.
func (j *Job) Due(ctx context.Context) iter.Seq2[archive.ChunkEntry, error] {
	return func(yield func(archive.ChunkEntry, error) bool) {
		now := time.Now()
		for m := *j.Manifest; ; {
			for i := range m.Chunks {
				c := &m.Chunks[i]
				if c.Hi < j.Chunk.Lo {
					continue
				}
				if due, needed := j.trail.kind.Due(&m, c); needed && due.After(now) || !yield(*c, nil) {
					return
				}
			}
			if m.Hi+1 >= j.To {
				return
			}
			var err error
			if m, err = j.trail.manifest(ctx, m.Hi+1); err != nil {
				yield(archive.ChunkEntry{}, err)
				return
			}
		}
	}
}

// Counted returns the sum of the counts of the receipts for this chunk below From.
func (j *Job) Counted(ctx context.Context) (int64, error) {
	var sum int64
	next := j.Chunk.Lo
	err := j.trail.chain.Hop(ctx, next, func() bool { return next >= j.From() }, func(_ context.Context, e archive.ReceiptEntry) error {
		next, sum = e.Hi+1, sum+e.Sum()
		return nil
	})
	if err == nil && next < j.From() {
		err = damaged("receipt_missing", "%s does not exist", j.trail.chain.Key(next))
	}
	return sum, err
}

// Put writes the next receipt, from From up to hi. build makes it from what all receipts have in common. Its error ends the
// work on the chunk.
func (j *Job) Put(ctx context.Context, hi chat.Seq, bytes int64, build func(archive.ReceiptMeta) (archive.Receipt, error)) error {
	t := j.trail
	m := archive.ReceiptMeta{Lo: j.From(), Hi: hi, Run: t.Run, Writer: t.Writer}
	var err error
	if m.Previous, err = t.previous(ctx); err != nil {
		return err
	}
	r, err := build(m)
	if err != nil {
		return fmt.Errorf("build receipt: %w", err)
	}
	own := archive.ReceiptEntry{ReceiptMeta: r.Meta, CRC64: strconv.FormatUint(objstore.CRC64(r.Body), 10)}
	// A crash right after this write: the receipt counts, and whoever comes next hops over it.
	stored, mine, err := t.chain.Put(ctx, own, objstore.Write{
		Body: r.Body, ContentType: "application/gzip", Metadata: t.Form().Metadata(r.Meta),
	})
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	if err := t.pass(ctx, stored); err != nil {
		return err
	}
	if !mine {
		t.alone = false // who left one receipt may have left more
		return errMoved
	}
	for name, n := range r.Meta.Counts {
		t.done.Counts[name] += n
	}
	t.done.Bytes += bytes
	return nil
}

// previous is what the next receipt is chained to.
func (t *Trail) previous(ctx context.Context) (string, error) {
	switch {
	case t.hint.After != nil:
		return t.hint.After.SHA256, nil
	case t.genesis != "":
		return t.genesis, nil
	}
	body, _, err := t.Store.Get(ctx, layout.Genesis(t.Stream))
	if err != nil {
		return "", fmt.Errorf("read genesis: %w", err)
	}
	return archive.SHA256(body), nil
}
