package export

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// recheck keeps the verdict on a chunk that is not what was written until a person has dealt with it: its metadata are
// as they should be, so that to a batch that hops over it, it looks like any other, and while its messages are retained
// they can still be had, by removing it.
func (b *batch) recheck(ctx context.Context) error {
	found := b.state.Error
	if b.state.Status != archive.StatusDamaged || found == nil || found.Code != "chunk_corrupt" {
		return nil
	}
	b.suspect = found
	key := layout.Chunk(b.Stream, found.Frontier)
	body, object, err := b.Store.Get(ctx, key)
	b.saw(object, err)
	switch {
	case errors.Is(err, objstore.ErrNotExist): // removed: it is pulled again
	case errors.Is(err, objstore.ErrCorrupt):
		return damaged(found.Code, "%s cannot be read back as it was written", key)
	case err != nil:
		return fmt.Errorf("look at the chunk that was not what was written: %w", err)
	case sha256Hex(body) != object.Metadata["sha256"]:
		return damaged(found.Code, "%s is still not what was written; remove it and its messages are pulled again, as far as they are retained", key)
	}
	b.suspect = nil
	b.state.Status = archive.StatusRunning
	return nil
}
