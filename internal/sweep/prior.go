package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// maxRepeated is how many outcomes a result holds at most if it repeats those of results before it. Two neighbours that
// do not repeat each other hold more than that together: so what a plan's outcomes take to read depends on its streams,
// not on its batches.
const maxRepeated = 4000

// prior is what became of the lane of the sweep before, as far as its newest results tell.
type prior struct {
	tail

	alive    bool // the lane is, or may be, under way
	finished bool // it came to its end, or there was none
}

// tail is the end of a lane's results.
type tail struct {
	header resultHeader // of the newest that can be read; zero if there is none
	done   []outcome    // what that tells
	next   int          // the newest of those that it does not repeat; -1 if it repeats all
}

// lookAtLane finds out whether the lane of the base sweep is still at it. It reads few of its results, however many
// there are: most ticks end here.
func (v *visit) lookAtLane(ctx context.Context) error {
	b := v.pointer.Base
	v.prior = &prior{tail: tail{next: -1}, finished: true}
	if !b.Lane {
		return nil
	}
	var err error
	if v.prior.tail, err = v.findTail(ctx, b.ID); err != nil {
		return err
	}
	last := &v.prior.header
	if v.prior.finished = last.Last; last.Last {
		return nil
	}
	until, now := b.Until, time.Now()
	if last.Format != 0 {
		until = last.Until
	}
	v.prior.alive = now.Before(until) && !until.After(now.Add(handover+maxBatch+time.Minute))
	return nil
}

// findTail finds the newest result of a lane. They are numbered without a gap: steps double until there is none, and
// are halved from there.
func (v *visit) findTail(ctx context.Context, id string) (tail, error) {
	t := tail{next: -1}
	newest, none := -1, -1
	for batch := 0; !t.header.Last && (none < 0 || newest+1 < none); {
		header, done, err := v.result(ctx, id, batch)
		switch {
		case err == nil:
			newest = batch
			t = tail{header, done, batch - 1 - max(0, header.Repeats)}
		case unreadable(err):
			newest, t.done, t.next = batch, nil, batch-1
		case errors.Is(err, objstore.ErrNotExist):
			none = batch
		default:
			return tail{}, err
		}
		if none < 0 {
			batch = max(1, 2*batch)
		} else {
			batch = (newest + none) / 2
		}
	}
	return t, nil
}

// result reads one result of a lane. What cannot be read is warned of, and its streams are looked at again.
func (v *visit) result(ctx context.Context, id string, batch int) (resultHeader, []outcome, error) {
	key := layout.SweepResult(id, batch)
	body, _, err := v.Store.Get(ctx, key)
	if err == nil {
		var header resultHeader
		var done []outcome
		if header, done, _, err = decodeResult(body); err == nil {
			return header, done, nil
		}
	}
	if unreadable(err) {
		v.log.Warn().Err(err).Str("key", key).Msg("result of a lane is unreadable; its streams are looked at again")
	}
	return resultHeader{}, nil, fmt.Errorf("read results of the sweep before: %w", err)
}

// lookBack reads what the base sweep knew and what its lane did, whether or not that is still at it. What cannot be
// read, or not in half of the time that is left, is done without: then more streams are looked at than need be, but no
// sweep ever comes to its end of time over the same results as the one before. It reports true if it left the work to
// the next batch, which has more time.
func (v *visit) lookBack(ctx context.Context) (bool, error) {
	v.known = make(map[chat.Stream]*record)
	if v.prior == nil {
		if err := v.lookAtLane(ctx); err != nil {
			return false, err
		}
	}
	if v.pointer.Base.ID == "" {
		return false, nil
	}
	learnt, whole, err := v.readLane(ctx)
	if err != nil {
		return false, err
	}
	if !whole && v.listed {
		return true, v.handOver(ctx)
	}
	if !whole {
		v.log.Warn().Str("base", v.pointer.Base.ID).
			Msg("there is no time to read all results of the sweep before; some streams are looked at again; raise the function's time limit")
	}
	if err := v.readKnown(ctx); err != nil {
		return false, err
	}
	for i := range learnt {
		o := &learnt[i]
		r := v.known[o.stream()]
		if r == nil {
			r = &record{Group: o.Group, Topic: o.Topic}
			v.known[o.stream()] = r
		}
		r.learn(*o)
	}
	return false, nil
}

// readKnown reads what the base sweep knew.
func (v *visit) readKnown(ctx context.Context) error {
	body, _, err := v.shelf.get(ctx, layout.SweepKnown(v.pointer.Base.ID, 0))
	if err == nil {
		var known map[chat.Stream]*record
		if known, err = decodeKnown(body); err == nil {
			v.known = known
			return nil
		}
	}
	if !errors.Is(err, objstore.ErrNotExist) && !unreadable(err) {
		return fmt.Errorf("read what the sweep before knew: %w", err)
	}
	v.log.Warn().Err(err).Msg("what the sweep before knew is lost; every stream is looked at")
	return nil
}

// readLane reads what became of the base sweep's streams, the oldest first, and reports whether that is all.
func (v *visit) readLane(ctx context.Context) ([]outcome, bool, error) {
	until := time.Now().Add(time.Until(v.Deadline) / 2)
	found := [][]outcome{v.prior.done} // the newest first
	whole := true
	for batch := v.prior.next; batch >= 0; {
		if whole = time.Now().Before(until); !whole {
			break
		}
		header, done, err := v.result(ctx, v.pointer.Base.ID, batch)
		if err != nil && !unreadable(err) && !errors.Is(err, objstore.ErrNotExist) {
			return nil, false, err
		}
		found = append(found, done)
		batch -= 1 + max(0, header.Repeats)
	}
	slices.Reverse(found)
	return slices.Concat(found...), whole, nil
}
