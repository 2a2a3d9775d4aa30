package sweep

import (
	"context"
	"errors"
	"slices"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// queue is what there is to serve of one kind of streams, the short or the long ones: those that are begun, and a piece of
// the plan. What is left of it begins the next batch.
type queue struct {
	long    bool
	waiting []open     // in the order in which they are to be served: that of the plan, but for those that are stuck
	next    piecePlace // of the plan
}

// piecePlace is a place in one kind of pieces of the plan.
type piecePlace struct {
	Piece int  `json:"piece"`
	Ended bool `json:"ended,omitempty"` // there are no more
}

// take gives out the next stream of the first of some queues that has one. It reports false if there is none, or no time for it.
func (b *board) take(ctx context.Context, queues []*queue) (open, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range queues {
		if b.timeIsUp() || ctx.Err() != nil {
			break
		}
		if err := b.fill(ctx, q); err != nil {
			return open{}, false, err
		}
		if len(q.waiting) > 0 {
			o := q.waiting[0]
			q.waiting = q.waiting[1:]
			return o, true, nil
		}
	}
	return open{}, false, nil
}

// fill reads on in the plan where a queue is empty. The workers wait meanwhile: it is one read for many streams.
func (b *board) fill(ctx context.Context, q *queue) error {
	for len(q.waiting) == 0 && !q.next.Ended {
		key := layout.SweepPlanPiece(b.id, q.long, q.next.Piece)
		h, items, _, err := readLines[item](ctx, b.objects, key)
		if errors.Is(err, objstore.ErrNotExist) && q.next.Piece > 0 {
			// Two deliveries of the batch that planned may have known unlike much, and planned unlike much. What is not here is
			// due again in the next sweep.
			b.Log.Warn().Str("key", key).Msg("the plan ends early; the next sweep takes up what it lacks")
			q.next.Ended = true
			return nil
		}
		if err != nil {
			return err
		}
		n := q.next.Piece * pieceItems
		for i, err := range items {
			if err != nil {
				return err
			}
			if n++; possible(i.Stream) { // one line is not to cost all the others
				q.waiting = append(q.waiting, open{item: i, Rank: n})
			}
		}
		q.next = piecePlace{q.next.Piece + 1, h.Last}
	}
	return nil
}

// exhausted reports whether the whole plan is done.
func (b *board) exhausted() bool {
	return b.short.next.Ended && b.long.next.Ended && len(b.left()) == 0
}

// left returns the streams that the next batch begins with.
func (b *board) left() []open { return slices.Concat(b.short.waiting, b.long.waiting, b.later) }
