package export

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"chatexport/internal/chat"
)

const (
	// segmentPages is how many pages a worker pulls in a row at most. Longer segments lose more when time runs out,
	// shorter ones lose the overlap of audit and paging.
	segmentPages = 5
	// window is how many segments a worker may be ahead of the one that is written, on average: it bounds the memory for
	// what came out of order.
	window = 2
)

// fetcher pulls the segments of a range side by side and gives them out in order.
type fetcher struct {
	cancel context.CancelFunc
	slots  chan chan fetched
	wg     sync.WaitGroup
}

type fetched struct {
	segment segment
	err     error
}

// fetch begins to pull [lo, hi]. The caller must call stop.
func (b *batch) fetch(ctx context.Context, lo, hi chat.Seq) *fetcher {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetcher{cancel: cancel, slots: make(chan chan fetched, window*b.Limits.Concurrency)}
	f.wg.Go(func() { b.plan(ctx, f, lo, hi) })
	return f
}

// plan begins one segment after the other, as long as there is time. The first is a single page, so that even a slow
// service leaves something to keep.
func (b *batch) plan(ctx context.Context, f *fetcher, lo, hi chat.Seq) {
	defer close(f.slots)
	workers := make(chan struct{}, b.Limits.Concurrency)
	size := chat.Seq(chat.PageSize)
	for lo <= hi && !b.timeIsUp() {
		bottom, top := lo, min(hi, lo+size-1)
		slot := make(chan fetched, 1)
		select {
		case workers <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case f.slots <- slot:
		case <-ctx.Done():
			return
		}
		f.wg.Go(func() {
			defer func() { <-workers }()
			slot <- b.fetchOne(ctx, bottom, top)
		})
		lo, size = top+1, b.segmentSize()
	}
}

// segmentSize keeps segments so short that those that are begun now come home in time, also where all workers share a
// slow pace: what is under way when time is up is lost.
func (b *batch) segmentSize() chat.Seq {
	left := time.Until(b.budget.pullEnd).Seconds() / 2
	pages := left * b.Limiter.Rate() / float64(b.Limits.Concurrency)
	return chat.PageSize * chat.Seq(max(1, min(segmentPages, pages)))
}

// fetchOne turns a panic into an error: in a goroutine of its own it would kill the process, and with it the event.
func (b *batch) fetchOne(ctx context.Context, lo, hi chat.Seq) (result fetched) {
	defer func() {
		if r := recover(); r != nil {
			result = fetched{err: fmt.Errorf("panic while pulling [%d, %d]: %v\n%s", lo, hi, r, debug.Stack())}
		}
	}()
	seg, err := b.pullSegment(ctx, lo, hi)
	return fetched{segment: seg, err: err}
}

// next waits for the next segment in order. It reports false when there are no more: the range is done, or no segment
// was begun for want of time.
func (f *fetcher) next() (segment, bool, error) {
	slot, ok := <-f.slots
	if !ok {
		return segment{}, false, nil
	}
	result := <-slot
	return result.segment, true, result.err
}

// stop ends all pulling and waits for it.
func (f *fetcher) stop() {
	f.cancel()
	for range f.slots {
		continue // the planner may wait for room
	}
	f.wg.Wait()
}
