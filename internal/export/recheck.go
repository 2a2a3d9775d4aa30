package export

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/objstore"
)

// suspectChunk returns what the state tells of a chunk that is not what was written, nil if it tells nothing such.
func (b *batch) suspectChunk() *archive.StateError {
	if e := b.state.Error; b.state.Status == archive.StatusDamaged && e != nil && e.Code == "chunk_corrupt" {
		return e
	}
	return nil
}

// recheck keeps the verdict on a chunk that is not what was written until a person has dealt with it: its metadata are
// as they should be, so that to a batch that hops over it, it looks like any other, and while its messages are retained
// they can still be had, by removing it.
func (b *batch) recheck(ctx context.Context) error {
	b.suspect = b.suspectChunk()
	if b.suspect == nil {
		return nil
	}
	entry, err := b.headChunkSurely(ctx, b.suspect.Frontier)
	switch {
	case errors.Is(err, objstore.ErrNotExist): // removed: it is pulled again
	case err != nil:
		return fmt.Errorf("look at the chunk that was not what was written: %w", err)
	case entry.CRC64 != b.suspect.CRC64:
		return corrupt(entry.Key)
	}
	b.suspect, b.cleared = nil, true
	b.state.Status, b.state.Error = archive.StatusRunning, nil
	return nil
}

func corrupt(key string) error {
	return damaged("chunk_corrupt", "%s is not what was written; remove it, and its messages are pulled again as far as they are retained", key)
}
