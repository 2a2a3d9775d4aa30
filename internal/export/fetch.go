package export

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"chatexport/internal/chat"
	"chatexport/internal/panics"
)

const (
	// window is how many segments a worker may be ahead of the one that is written, on average: it bounds the memory for
	// what came out of order.
	window = 2
	// mostPages is the longest segment. Longer ones would lose more when time runs out.
	mostPages = 16
	// sparse is how many messages from below a segment its last page must bring for segments to become longer.
	sparse = chat.PageSize / 4
)

// fetcher pulls the segments of a range side by side and gives them out in order.
type fetcher struct {
	cancel context.CancelFunc
	slots  chan chan fetched
	stuck  chan struct{} // closed if planning ended with broken: then a slot may stay empty
	broken error
	wg     sync.WaitGroup
	// pages is how long the next segment will be. One page is best as long as the service counts seqs: all workers are
	// at the lowest seqs that are left, and little is lost when time runs out. Where it counts messages and leaves holes
	// out, a page reaches further down, and segments that are too short would ask for the same messages again.
	pages atomic.Int64
}

type fetched struct {
	segment segment
	err     error
}

// fetch begins to pull [lo, hi]. The caller must call stop.
func (b *batch) fetch(ctx context.Context, lo, hi chat.Seq) *fetcher {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetcher{cancel: cancel, slots: make(chan chan fetched, window*b.Limits.Concurrency), stuck: make(chan struct{})}
	f.pages.Store(1)
	f.wg.Go(func() {
		defer close(f.slots)
		f.broken = panics.Logged(b.Log, func() error {
			b.plan(ctx, f, lo, hi)
			return nil
		})
		if f.broken != nil {
			close(f.stuck)
		}
	})
	return f
}

// plan begins one segment after the other, as long as there is time. The first is a single page, so that even a slow
// service leaves something to keep. It waits for the pace of each segment's first call itself: workers that waited side
// by side would come in any order, and what is pulled behind a gap is lost when time is up.
func (b *batch) plan(ctx context.Context, f *fetcher, lo, hi chat.Seq) {
	workers := make(chan struct{}, b.Limits.Concurrency)
	for lo <= hi && !b.timeIsUp() {
		bottom, top := lo, min(hi, lo+chat.Seq(f.pages.Load())*chat.PageSize-1)
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
		if seg, ok := b.fromNewest(bottom, top); ok {
			slot <- fetched{segment: seg}
			<-workers
			lo = top + 1
			continue
		}
		if err := b.Limiter.Wait(ctx); err != nil {
			slot <- fetched{err: fmt.Errorf("read page at %d: %w", top, err)}
			return
		}
		f.wg.Go(func() {
			defer func() { <-workers }()
			slot <- b.fetchOne(ctx, f, bottom, top)
		})
		lo = top + 1
	}
}

// adapt makes segments longer while their last pages reach far below them, and shorter again when they no longer do.
func (f *fetcher) adapt(seg segment, err error) {
	switch pages := f.pages.Load(); {
	case err != nil:
	case seg.below >= sparse:
		f.pages.CompareAndSwap(pages, min(mostPages, 2*pages))
	case seg.below == 0 && pages > 1:
		f.pages.CompareAndSwap(pages, pages/2)
	}
}

func (b *batch) fetchOne(ctx context.Context, f *fetcher, lo, hi chat.Seq) (result fetched) {
	result.err = panics.Logged(b.Log, func() (err error) {
		result.segment, err = b.pullSegment(ctx, lo, hi)
		f.adapt(result.segment, err)
		return err
	})
	return result
}

// next waits for the next segment in order. It reports false when there are no more: the range is done, or no segment
// was begun for want of time.
func (f *fetcher) next() (segment, bool, error) {
	slot, ok := <-f.slots
	if !ok {
		return segment{}, false, f.broken
	}
	select {
	case result := <-slot:
		return result.segment, true, result.err
	case <-f.stuck:
		return segment{}, false, f.broken
	}
}

// stop ends all pulling and waits for it.
func (f *fetcher) stop() {
	f.cancel()
	for range f.slots {
		continue // the planner may wait for room
	}
	f.wg.Wait()
}
