package export

import (
	"context"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/pull"
)

// voidPages on end without a retained element make a void worth looking into.
const voidPages = 5

// producer turns the segments from lo to the head into chunks, in order.
type producer struct {
	*batch
	out    chan<- archive.Chunk
	lo     chat.Seq // of the chunk being written
	barren chat.Seq // from here on, nothing that was retained has come
	writer *archive.ChunkWriter
	full   bool // the last segment filled a chunk
}

// produce pulls from lo up to the head and gives out chunks until the head is reached, time is up, or pulling fails;
// what came before a failure is given out. pull bounds the pulling, and abort everything.
func (b *batch) produce(abort, pull context.Context, lo chat.Seq, out chan<- archive.Chunk) error {
	p := &producer{batch: b, out: out, barren: lo}
	p.open(lo)
	for {
		again, err := p.pull(abort, pull)
		if err != nil || !again {
			return joinFlush(err, p.flush(abort))
		}
	}
}

func joinFlush(err, flushed error) error {
	if flushed != nil {
		return flushed
	}
	return err
}

func (p *producer) open(lo chat.Seq) {
	p.lo = lo
	p.writer = archive.NewChunkWriter(p.Stream, lo)
}

// pull adds segments until there are no more. It reports true when a void moved the place from which to pull.
func (p *producer) pull(abort, ctx context.Context) (bool, error) {
	f := p.reader.Segments(ctx, p.writer.Hi()+1, p.head, p.timeIsUp, p.newest, p.first)
	defer f.Stop()
	for {
		seg, ok, err := f.Next()
		if err != nil || !ok {
			return false, err
		}
		if err := p.add(abort, seg); err != nil {
			return false, err
		}
		if p.full && p.timeIsUp() {
			return false, nil // the reserve is for what is pulled already, not for another chunk
		}
		if !p.barrenLong() {
			continue
		}
		f.Stop()
		moved, err := p.crossVoid(abort, ctx)
		if err != nil || moved {
			return moved, err
		}
		return true, nil // nothing moved, but the workers have been stopped
	}
}

// barrenLong reports whether the chunk has nothing retained and so many pages on end had nothing, the last chunk's
// included, that a void is likely.
func (p *producer) barrenLong() bool {
	hi := p.writer.Hi()
	return p.barren <= p.lo && p.lo <= hi && p.lo > p.walkedTo && hi-p.barren+1 >= voidPages*chat.PageSize
}

// crossVoid looks for the end of the void at the beginning of the chunk, and makes one chunk of it if it is proved or
// probed. It reports whether it did.
func (p *producer) crossVoid(abort, ctx context.Context) (bool, error) {
	f, err := p.reader.Floor(ctx, p.void(p.lo, p.writer.Hi(), p.head))
	if err != nil {
		return false, err
	}
	p.walkedTo = max(f.WalkTo, p.writer.Hi())
	if f.First == p.lo {
		return false, nil
	}
	hi := min(f.First-1, p.head)
	p.Log.Warn().Int64("lo", int64(p.lo)).Int64("hi", int64(hi)).Str("evidence", evidence(f, p.lo)).
		Msg("messages had expired before they could be archived")
	chunk, err := archive.NewExpiredChunk(p.Stream, p.lo, hi, evidence(f, p.lo), p.runID, p.RequestID, p.batch.writer)
	if err != nil {
		return false, fmt.Errorf("make chunk of an expired range: %w", err)
	}
	if err := p.send(abort, chunk); err != nil {
		return false, err
	}
	p.open(hi + 1)
	p.barren = p.lo
	return true, nil
}

// add appends a segment, and closes chunks that have become long or large enough.
func (p *producer) add(abort context.Context, seg pull.Segment) error {
	p.full = false
	for seg.Lo <= seg.Hi {
		part := seg
		if last := p.lo + p.Limits.Span - 1; part.Hi > last {
			part, seg = seg.Split(last)
		} else {
			seg.Lo = seg.Hi + 1
		}
		if err := p.writer.Append(part.Hi, part.Elements); err != nil {
			return fmt.Errorf("write chunk: %w", err)
		}
		for i := range part.Elements {
			if e := &part.Elements[i]; e.Retained() {
				p.barren = e.Seq + 1
			}
		}
		if p.writer.Hi() == p.lo+p.Limits.Span-1 || p.writer.Size() >= p.Limits.ChunkBytes {
			p.full = true
			if err := p.flush(abort); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush gives out what has been written, if anything, and opens the next chunk.
func (p *producer) flush(abort context.Context) error {
	if p.writer.Hi() < p.lo {
		return nil
	}
	chunk, err := p.writer.Close(p.runID, p.RequestID, p.batch.writer)
	if err != nil {
		return fmt.Errorf("close chunk: %w", err)
	}
	p.open(chunk.Meta.Hi + 1)
	return p.send(abort, chunk)
}

func (p *producer) send(abort context.Context, chunk archive.Chunk) error {
	select {
	case p.out <- chunk:
		return nil
	case <-abort.Done():
		return context.Cause(abort)
	}
}
