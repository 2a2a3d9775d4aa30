package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Receipt is one of the receipts of a trail: of those that tell what became of a chunk's links, or of looks at a chunk.
type Receipt struct {
	archive.ReceiptMeta

	Trail archive.Trail
	Key   string
	Body  []byte // the object
}

// Receipts yields the receipts of a chunk's links, as their first lines describe them, and ends where the trail does. It costs a
// GET for each, and one that finds nothing where they do not reach the chunk's end; a chunk without links has none. An error ends it.
func Receipts(ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry) iter.Seq2[Receipt, error] {
	return receipts(ctx, store, s, c, c.Links > 0, ReceiptAt)
}

// Looks is Receipts for the looks at a chunk, of which one that had expired has none. The last one may go on beyond the chunk: if
// all that it tells is that messages have expired. Of the chunks behind it that it covers too, nothing is yielded.
func Looks(ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry) iter.Seq2[Receipt, error] {
	return receipts(ctx, store, s, c, c.Expired < c.Sum(), LookAt)
}

func receipts(
	ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry, needed bool, at func(context.Context, Store, chat.Stream, chat.Seq) (Receipt, error),
) iter.Seq2[Receipt, error] {
	return func(yield func(Receipt, error) bool) {
		for lo := c.Lo; needed && lo <= c.Hi; {
			r, err := at(ctx, store, s, lo)
			if err == nil && r.Hi > c.Hi && r.Counts[archive.ChangeExpired] < r.Sum() {
				err = fmt.Errorf("%s: %w: goes on to %d, its chunk ends at %d", r.Key, archive.ErrInvalid, r.Hi, c.Hi)
			}
			if errors.Is(err, objstore.ErrNotExist) || !yield(r, err) || err != nil {
				return
			}
			lo = r.Hi + 1
		}
	}
}

// ReceiptAt reads the receipt of links that begins at lo. It matches objstore.ErrNotExist where there is none.
func ReceiptAt(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) (Receipt, error) {
	return receiptAt(ctx, store, archive.Media(), layout.Media(s, lo), lo, func(body []byte) (archive.ReceiptMeta, error) {
		return archive.ReadMediaReceipt(bytes.NewReader(body), nil)
	})
}

// LookAt is ReceiptAt for looks.
func LookAt(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) (Receipt, error) {
	return receiptAt(ctx, store, archive.Change(), layout.Change(s, lo), lo, func(body []byte) (archive.ReceiptMeta, error) {
		return archive.ReadChangeReceipt(bytes.NewReader(body), nil)
	})
}

func receiptAt(
	ctx context.Context, store Store, trail archive.Trail, key string, lo chat.Seq, read func(body []byte) (archive.ReceiptMeta, error),
) (Receipt, error) {
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return Receipt{}, err
	}
	m, err := read(body)
	if err == nil && m.Lo != lo {
		err = fmt.Errorf("%w: says that it begins at %d", archive.ErrInvalid, m.Lo)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("%s: %w", key, err)
	}
	return Receipt{ReceiptMeta: m, Trail: trail, Key: key, Body: body}, nil
}

// Lines yields what became of each link, in order: of the messages of a chunk, or of what a look has found. An error of visit
// is returned as it is.
func (r *Receipt) Lines(visit func(archive.MediaLine) error) error {
	if r.Trail.Name == archive.Media().Name {
		_, err := archive.ReadMediaReceipt(bytes.NewReader(r.Body), visit)
		return err
	}
	return r.Differences(func(line archive.ChangeLine) error {
		for _, l := range line.Media {
			if err := visit(l); err != nil {
				return err
			}
		}
		return nil
	})
}

// Differences yields what a look has found, in order; Now is valid during the call only. An error of visit is returned as it is.
func (r *Receipt) Differences(visit func(archive.ChangeLine) error) error {
	_, err := archive.ReadChangeReceipt(bytes.NewReader(r.Body), visit)
	return err
}

// Stored yields what the lines of the receipt say is stored, in order; the same file may come more than once.
func (r *Receipt) Stored(visit func(archive.MediaLine) error) error {
	return r.Lines(func(line archive.MediaLine) error {
		if line.State != archive.MediaStored {
			return nil
		}
		return visit(line)
	})
}
