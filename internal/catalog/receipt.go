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

// Receipt is one of the receipts that tell what became of a chunk's links.
type Receipt struct {
	archive.ReceiptMeta

	Key  string
	Body []byte // the object
}

// Receipts yields the receipts of a chunk, as their first lines describe them, and ends where the trail does. It costs a GET
// for each, and one that finds nothing where they do not reach the chunk's end; a chunk without links has none. An error ends it.
func Receipts(ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry) iter.Seq2[Receipt, error] {
	return func(yield func(Receipt, error) bool) {
		for lo := c.Lo; c.Links > 0 && lo <= c.Hi; {
			r, err := ReceiptAt(ctx, store, s, lo)
			if err == nil && r.Hi > c.Hi {
				err = fmt.Errorf("%s: %w: goes on to %d, its chunk ends at %d", r.Key, archive.ErrInvalid, r.Hi, c.Hi)
			}
			if errors.Is(err, objstore.ErrNotExist) || !yield(r, err) || err != nil {
				return
			}
			lo = r.Hi + 1
		}
	}
}

// ReceiptAt reads the receipt that begins at lo. It matches objstore.ErrNotExist where there is none.
func ReceiptAt(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) (Receipt, error) {
	key := layout.Media(s, lo)
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return Receipt{}, err
	}
	m, err := archive.ReadMediaReceipt(bytes.NewReader(body), nil)
	if err == nil && m.Lo != lo {
		err = fmt.Errorf("%w: says that it begins at %d", archive.ErrInvalid, m.Lo)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("%s: %w", key, err)
	}
	return Receipt{ReceiptMeta: m, Key: key, Body: body}, nil
}

// Lines yields what became of each link, in order. An error of visit is returned as it is.
func (r *Receipt) Lines(visit func(archive.MediaLine) error) error {
	_, err := archive.ReadMediaReceipt(bytes.NewReader(r.Body), visit)
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
