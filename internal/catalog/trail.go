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
			r, err := receipt(ctx, store, layout.Media(s, lo), lo)
			if errors.Is(err, objstore.ErrNotExist) || !yield(r, err) || err != nil {
				return
			}
			lo = r.Hi + 1
		}
	}
}

func receipt(ctx context.Context, store Store, key string, lo chat.Seq) (Receipt, error) {
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

// Stored yields what the lines of the receipt say is stored, in order; the same file may come more than once.
func (r *Receipt) Stored(visit func(archive.MediaLine) error) error {
	_, err := archive.ReadMediaReceipt(bytes.NewReader(r.Body), func(line archive.MediaLine) error {
		if line.State != archive.MediaStored {
			return nil
		}
		return visit(line)
	})
	return err
}
