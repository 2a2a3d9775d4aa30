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

// producer turns the segments from lo to the head into chunks, in order. It belongs to the goroutine that pulls, and shares
// nothing with the one that stores but what it gives out.
type producer struct {
	*session
	goal head
	out  chan product

	lo     chat.Seq // of the chunk being written
	writer *archive.ChunkWriter
	short  shortfall
	full   bool     // the last segment filled a chunk
	barren chat.Seq // from here on, nothing that was retained has come
	walkTo chat.Seq // up to here, voids have been looked into and are walked
}

func newProducer(s *session, goal head, lo chat.Seq) *producer {
	p := &producer{session: s, goal: goal, out: make(chan product), barren: lo, walkTo: goal.walkTo}
	p.open(lo)
	return p
}

func (p *producer) open(lo chat.Seq) {
	p.lo, p.short = lo, shortfall{}
	p.writer = archive.NewChunkWriter(p.Stream, lo)
}

// produce pulls up to the head and gives out chunks until the head is reached, time is up, or pulling fails; what came
// before a failure is given out. reading bounds the pulling, and abort everything.
func (p *producer) produce(abort, reading context.Context) error {
	for {
		again, err := p.pull(abort, reading)
		if err != nil || !again {
			if flushed := p.flush(abort); flushed != nil {
				return flushed
			}
			return err
		}
	}
}

// pull adds segments until there are no more. It reports true when a void moved the place from which to pull.
func (p *producer) pull(abort, reading context.Context) (bool, error) {
	segments := p.reader.Segments(reading, p.writer.Hi()+1, p.goal.to, p.timeIsUp, p.goal.newest, p.goal.first)
	defer segments.Stop()
	for {
		segment, ok, failed := segments.Next()
		if !ok {
			return false, failed
		}
		if failed == nil || segment.Lo <= segment.Hi { // the beginning of a segment counts, too
			if err := p.add(abort, segment); err != nil {
				return false, err
			}
		}
		if failed != nil {
			return false, failed
		}
		if p.full && p.timeIsUp() {
			return false, nil // the reserve is for what is pulled already, not for another chunk
		}
		if p.barrenLong() {
			segments.Stop()
			return true, p.crossVoid(abort, reading)
		}
	}
}

// add appends a segment, and closes chunks that have become long or large enough.
func (p *producer) add(abort context.Context, segment pull.Segment) error {
	p.full = false
	for segment.Lo <= segment.Hi {
		part := segment
		last := p.lo + p.Limits.Span - 1
		if part.Hi > last {
			part, segment = segment.Split(last)
		} else {
			segment.Lo = segment.Hi + 1
		}
		if err := p.writer.Append(part.Hi, part.Elements); err != nil {
			return fmt.Errorf("write chunk: %w", err)
		}
		p.short.note(part)
		for i := range part.Elements {
			if e := &part.Elements[i]; e.Retained() {
				p.barren = e.Seq + 1
			}
		}
		if part.Hi == last || p.writer.Size() >= p.Limits.ChunkBytes {
			p.full = true
			if err := p.flush(abort); err != nil {
				return err
			}
		}
	}
	return nil
}

// barrenLong reports whether the chunk has nothing retained and so many pages on end had nothing, the last chunk's
// included, that a void is likely.
func (p *producer) barrenLong() bool {
	hi := p.writer.Hi()
	return p.barren <= p.lo && p.lo <= hi && p.lo > p.walkTo && hi-p.barren+1 >= voidPages*chat.PageSize
}

// crossVoid looks for the end of the void at the beginning of the chunk, and makes one chunk of it if it is proved or
// probed.
func (p *producer) crossVoid(abort, reading context.Context) error {
	f, err := p.reader.Floor(reading, p.void(p.lo, p.writer.Hi(), p.goal.to))
	if err != nil {
		return err
	}
	p.walkTo = max(f.WalkTo, p.writer.Hi())
	if f.First == p.lo {
		return nil
	}
	hi, why := min(f.First-1, p.goal.to), evidence(f, p.lo)
	p.Log.Warn().Int64("lo", int64(p.lo)).Int64("hi", int64(hi)).Str("evidence", why).
		Msg("messages had expired before they could be archived")
	chunk, err := archive.NewExpiredChunk(p.Stream, p.lo, hi, why, p.runID, p.RequestID, p.session.writer)
	if err != nil {
		return fmt.Errorf("make chunk of an expired range: %w", err)
	}
	if err := p.send(abort, product{Chunk: chunk}); err != nil {
		return err
	}
	p.open(hi + 1)
	p.barren = p.lo
	return nil
}

// flush gives out what has been written, if anything, and opens the next chunk.
func (p *producer) flush(abort context.Context) error {
	if p.writer.Hi() < p.lo {
		return nil
	}
	chunk, err := p.writer.Close(p.runID, p.RequestID, p.session.writer)
	if err != nil {
		return fmt.Errorf("close chunk: %w", err)
	}
	made := product{chunk, p.short}
	p.open(chunk.Meta.Hi + 1)
	return p.send(abort, made)
}

func (p *producer) send(abort context.Context, made product) error {
	select {
	case p.out <- made:
		return nil
	case <-abort.Done():
		return context.Cause(abort)
	}
}
