package export

import (
	"context"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
	"chatexport/internal/pull"
)

// haul is what a batch archived.
type haul struct {
	lo, hi   chat.Seq // hi < lo if nothing
	chunks   int
	counts   archive.Counts
	bytes    int64 // of the chunks, compressed
	rawBytes int64
	short    shortfall
}

func (h *haul) add(entry archive.ChunkEntry, short shortfall) {
	h.short.add(short)
	h.hi = entry.Hi
	h.chunks++
	h.counts.Add(entry.Counts)
	h.bytes += entry.Bytes
	h.rawBytes += entry.RawBytes
}

// count adds the haul to the stream's counters.
func (h *haul) count(c *archive.Counters) {
	c.Batches++
	c.Chunks += int64(h.chunks)
	c.Bytes += h.bytes
	c.RawBytes += h.rawBytes
	c.Counts.Add(h.counts)
}

// advance archives from the frontier up to the goal. Its error is what stopped it; everything stored before it counts.
func advance(ctx context.Context, t *tail, goal head, done *haul) error {
	done.lo, done.hi = t.frontier, t.frontier-1
	for t.frontier <= goal.to {
		if t.timeIsUp() {
			return errTimeUp
		}
		again, err := pipeline(ctx, t, goal, done)
		if err == nil && again {
			err = t.hop(ctx) // who left one chunk may have left more
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pipeline pulls chunks and stores them, one after the other: the next is pulled while the last is stored. It reports
// true when an older chunk stood in the way, so that pulling must begin again behind it.
func pipeline(ctx context.Context, t *tail, goal head, done *haul) (bool, error) {
	abort, cancel := context.WithCancel(ctx)
	defer cancel()
	reading, stop := context.WithDeadline(abort, t.budget.pullEnd)
	defer stop()
	p := newProducer(t.session, goal, t.frontier)
	produced := make(chan error, 1)
	go func() { // waited for below, by its result
		err := panics.Logged(t.Log, func() error { return p.produce(abort, reading) })
		close(p.out)
		produced <- err
	}()
	again, err := storeAll(ctx, t, p.out, done)
	if again || err != nil {
		cancel()
		for range p.out {
			continue // pulled in vain
		}
		if failed := <-produced; failed != nil {
			t.Log.Debug().Err(failed).Msg("what was being pulled is given up")
		}
		return again, err
	}
	err = <-produced
	if err != nil && ctx.Err() == nil && (reading.Err() != nil || pull.OutOfTime(err)) {
		err = fmt.Errorf("%w: %w", errTimeUp, err)
	}
	return false, err
}

// storeAll stores chunks at the frontier as they come. It reports true when an older chunk stood in the way.
func storeAll(ctx context.Context, t *tail, chunks <-chan product, done *haul) (bool, error) {
	for chunk := range chunks {
		own := archive.ChunkEntryOf(chunk.Meta, t.chunks.Key(chunk.Meta.Lo), int64(len(chunk.Body)), archive.CRC64(chunk.Body))
		// A crash right after this write: the chunk counts, and the redelivered event hops over it.
		stored, mine, err := t.chunks.Put(ctx, own, objstore.Write{
			Body: chunk.Body, ContentType: contentGzip, Metadata: chunk.Meta.Metadata(),
		})
		if err != nil {
			return false, fmt.Errorf("write chunk: %w", err)
		}
		if mine {
			done.add(stored, chunk.short)
		}
		if err := t.pass(ctx, stored); err != nil || !mine {
			return !mine, err
		}
	}
	return false, nil
}
