package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
	"chatexport/internal/pull"
)

// advance archives from the frontier towards the head until that is reached or time is up. Its error is what stopped
// the pulling; everything stored before it counts.
func (b *batch) advance(ctx context.Context) error {
	b.lo = b.frontier
	for b.frontier <= b.head && !b.timeIsUp() {
		moved, err := b.pipeline(ctx)
		if err != nil || !moved {
			return err
		}
		b.met = true
		if err := b.hop(ctx); err != nil { // who left one chunk may have left more
			return err
		}
	}
	return nil
}

// pipeline pulls chunks and stores them, one after the other: the next is pulled while the last is stored. It reports
// true when an older chunk stood in the way, so that pulling must begin again behind it.
func (b *batch) pipeline(ctx context.Context) (bool, error) {
	abort, cancel := context.WithCancel(ctx)
	defer cancel()
	reading, cancelPull := b.pullContext(abort)
	defer cancelPull()
	chunks := make(chan archive.Chunk)
	produced := make(chan error, 1)
	from := b.frontier
	go func() { // waited for below, by its result
		err := panics.Logged(b.Log, func() error { return b.produce(abort, reading, from, chunks) })
		close(chunks)
		produced <- err
	}()
	moved, err := b.storeAll(ctx, chunks)
	if moved || err != nil {
		cancel()
		for range chunks {
			continue // pulled in vain
		}
		if failed := <-produced; failed != nil {
			b.Log.Debug().Err(failed).Msg("what was being pulled is given up")
		}
		return moved, err
	}
	err = <-produced
	if err != nil && ctx.Err() == nil && (reading.Err() != nil || pull.OutOfTime(err)) {
		err = fmt.Errorf("%w: %w", errTimeUp, err)
	}
	return false, err
}

func (b *batch) storeAll(ctx context.Context, chunks <-chan archive.Chunk) (moved bool, err error) {
	for chunk := range chunks {
		own, err := b.storeChunk(ctx, chunk)
		if err != nil || !own {
			return !own && err == nil, err
		}
	}
	return false, nil
}

// storeChunk writes a chunk at the frontier and moves the frontier behind what is stored there. It reports whether that
// is this batch's own chunk.
func (b *batch) storeChunk(ctx context.Context, chunk archive.Chunk) (bool, error) {
	key := layout.Chunk(b.Stream, chunk.Meta.Lo)
	// A crash right after this write: the chunk counts, and the redelivered event hops over it.
	err := b.create(ctx, key, objstore.Write{
		Body: chunk.Body, ContentType: contentGzip, Metadata: chunk.Meta.Metadata(),
	})
	var entry archive.ChunkEntry
	own := true
	switch {
	case err == nil:
		entry = archive.ChunkEntryOf(chunk.Meta, key, int64(len(chunk.Body)), archive.CRC64(chunk.Body))
	case errors.Is(err, objstore.ErrExist), errors.Is(err, objstore.ErrUnknown):
		written := err
		if entry, own, err = b.resolve(ctx, chunk); err != nil {
			if errors.Is(written, objstore.ErrUnknown) && !isVerdict(err) && !errors.Is(err, errLostRace) {
				err = fmt.Errorf("write chunk: %w", written) // why it did not arrive, the write knows
			}
			return false, err
		}
	default:
		return false, b.refused(fmt.Errorf("write chunk: %w", err))
	}
	if own {
		b.chunks++
		b.counts.Add(entry.Counts)
		b.bytes += entry.Bytes
		b.rawBytes += entry.RawBytes
	}
	return own, b.passed(ctx, entry)
}

// resolve finds out whose chunk is stored under the key of one that this batch tried to write.
func (b *batch) resolve(ctx context.Context, chunk archive.Chunk) (entry archive.ChunkEntry, own bool, err error) {
	key := layout.Chunk(b.Stream, chunk.Meta.Lo)
	entry, modified, err := b.headTaken(ctx, chunk.Meta.Lo)
	if err != nil {
		return entry, false, fmt.Errorf("look at the chunk that is there already: %w", err)
	}
	if entry.Writer == b.writer {
		written := archive.ChunkEntryOf(chunk.Meta, key, entry.Bytes, archive.CRC64(chunk.Body))
		if entry.SHA256 != written.SHA256 || entry.CRC64 != written.CRC64 {
			b.suspect = &archive.StateError{Frontier: entry.Lo, CRC64: written.CRC64}
			return entry, false, corrupt(key)
		}
		return entry, true, nil // the answer to an earlier attempt was lost
	}
	// Where nobody is alive, it is a leftover of a run that died: go on behind it.
	return entry, false, b.raced(entry, modified)
}

// raced returns errLostRace if another delivery stored a chunk since this batch began: that one is alive, or will be
// delivered again.
func (b *batch) raced(entry archive.ChunkEntry, modified time.Time) error {
	if c := b.Continuation; c != nil && c.Writer == entry.Writer || slices.Contains(b.Predecessors, entry.Writer) {
		return nil // a batch before this one gave this write up, and it arrived all the same
	}
	if !b.began.IsZero() && modified.After(b.began) {
		b.Log.Info().Int64("lo", int64(entry.Lo)).Int64("hi", int64(entry.Hi)).Msg("another delivery wrote this chunk and goes on")
		return errLostRace
	}
	return nil
}
