package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// maxHeavy is how many long streams of the plan may be passed over in the search for short ones: all of them are carried
// from result to result.
const maxHeavy = 500

// put files a stream that is to be served later: among those that wait, by its place in the plan.
func (b *board) put(o open) {
	queue := &b.light
	if o.New > int64(lightSeqs) {
		queue = &b.heavy
	}
	n, _ := slices.BinarySearchFunc(*queue, o, func(a, b open) int {
		return cmp.Or(cmp.Compare(a.Stuck, b.Stuck), cmp.Compare(a.Rank, b.Rank), -1)
	})
	*queue = slices.Insert(*queue, n, o)
}

// take gives out the next stream for a worker. It reports false if there is none, or no time for one.
func (b *board) take(ctx context.Context, heavy int) (open, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.timeIsUp() && ctx.Err() == nil {
		switch {
		case heavy > 0 && len(b.heavy) > 0:
			n := 0
			if heavy > 1 {
				n = soonest(b.heavy)
			}
			o := b.heavy[n]
			b.heavy = slices.Delete(b.heavy, n, n+1)
			b.room.Broadcast()
			return o, true, nil
		case len(b.light) > 0:
			o := b.light[0]
			b.light = b.light[1:]
			return o, true, nil
		case heavy == 0 && len(b.heavy) >= maxHeavy && !b.ended:
			if b.heavyAtWork == 0 {
				return open{}, false, nil
			}
			b.room.Wait() // until a long stream is taken; at the latest until their workers are out of time
			continue
		}
		o, ok, err := b.nextItem(ctx)
		if !ok || err != nil {
			return o, ok, err
		}
		if heavy > 0 || o.New <= int64(lightSeqs) {
			return o, true, nil
		}
		b.put(o)
	}
	return open{}, false, nil
}

// quit notes that a worker of long streams is done: those that wait for it go on, or end, too.
func (b *board) quit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heavyAtWork--
	b.room.Broadcast()
}

func soonest(opens []open) int {
	best := 0
	for n := range opens {
		if opens[n].New < opens[best].New {
			best = n
		}
	}
	return best
}

// nextItem reads on in the plan. The others wait meanwhile: it is one read for thousands of streams.
func (b *board) nextItem(ctx context.Context) (open, bool, error) {
	for !b.ended {
		if b.read && b.offset < len(b.items) {
			b.offset++
			b.ended = b.lastPiece && b.offset == len(b.items)
			return open{item: b.items[b.offset-1], Rank: b.piece*pieceItems + b.offset}, true, nil
		}
		if err := b.readPiece(ctx); err != nil {
			return open{}, false, err
		}
	}
	return open{}, false, nil
}

func (b *board) readPiece(ctx context.Context) error {
	if b.read {
		b.piece, b.offset, b.read = b.piece+1, 0, false
	}
	key := layout.SweepPlanPiece(b.id, b.piece)
	body, _, err := b.shelf.get(ctx, key)
	if b.piece > 0 && errors.Is(err, objstore.ErrNotExist) {
		// Two deliveries of the batch that planned may have read unlike much of what was known, and planned unlike much.
		// What is not here is due again in the next sweep.
		b.log.Warn().Str("key", key).Msg("the lane's plan ends early; the next sweep takes up what it lacks")
		b.items, b.read, b.lastPiece, b.ended = nil, true, true, true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the lane's plan: %w", err)
	}
	var header pieceHeader
	rest, err := openLines(body, &header)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	b.items = b.items[:0]
	for raw, err := range rest {
		var i item
		if err == nil {
			err = readJSON(raw, &i)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		if possible(i.stream()) { // one line is not to cost all the others
			b.items = append(b.items, i)
		}
	}
	b.read, b.lastPiece = true, header.Last
	b.ended = b.lastPiece && b.offset >= len(b.items)
	return nil
}

// exhausted reports whether the whole plan is done.
func (b *board) exhausted() bool {
	return b.ended && len(b.light)+len(b.heavy)+len(b.later) == 0
}

// left returns the streams that the next batch begins with.
func (b *board) left() []open { return slices.Concat(b.light, b.heavy, b.later) }
