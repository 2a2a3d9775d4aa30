package pull

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

// Segments are the segments of a range, pulled side by side and given out in order.
type Segments struct {
	*Reader
	enough func() bool
	read   []chat.Page

	cancel context.CancelFunc
	slots  chan chan pulled
	stuck  chan struct{} // closed if planning ended with broken: then a slot may stay empty
	broken error
	wg     sync.WaitGroup
	// length is how many pages the next segment has. One is best as long as the service counts seqs: all workers are at
	// the lowest seqs that are left, and little is lost when time runs out. Where it counts messages and leaves holes out,
	// a page reaches further down, and segments that are too short would ask for the same messages again.
	length atomic.Int64
}

type pulled struct {
	segment Segment
	err     error
}

// Segments begins to pull [lo, hi]; no segment is begun once enough says so. What stands whole on pages that were read
// before is not asked for again. The caller must call Stop.
func (r *Reader) Segments(ctx context.Context, lo, hi chat.Seq, enough func() bool, read ...chat.Page) *Segments {
	ctx, cancel := context.WithCancel(ctx)
	s := &Segments{
		Reader: r, enough: enough, read: read,
		cancel: cancel, slots: make(chan chan pulled, window*r.Concurrency), stuck: make(chan struct{}),
	}
	s.length.Store(1) // the first segment is one page, so that even a slow service leaves something to keep
	s.wg.Go(func() {
		defer close(s.slots)
		s.broken = panics.Logged(r.Log, func() error {
			s.plan(ctx, lo, hi)
			return nil
		})
		if s.broken != nil {
			close(s.stuck)
		}
	})
	return s
}

// plan begins one segment after the other. It waits for the turn of each segment's first call itself: workers that
// waited side by side would come in any order, and what is pulled behind a gap is lost when time is up.
func (s *Segments) plan(ctx context.Context, lo, hi chat.Seq) {
	workers := make(chan struct{}, s.Concurrency)
	for lo <= hi {
		select {
		case workers <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if s.enough() {
			return
		}
		bottom, top := lo, min(hi, lo+chat.Seq(s.length.Load())*chat.PageSize-1)
		lo = top + 1
		slot := make(chan pulled, 1)
		select {
		case s.slots <- slot:
		case <-ctx.Done():
			return
		}
		if segment, ok := fromPages(bottom, top, s.read); ok {
			slot <- pulled{segment: segment}
			<-workers
			continue
		}
		if err := s.Caller.Turn(ctx); err != nil {
			slot <- pulled{nothing(bottom), fmt.Errorf("read page at %d: %w", top, err)}
			return
		}
		s.wg.Go(func() {
			defer func() { <-workers }()
			slot <- s.pull(ctx, bottom, top)
		})
	}
}

func (s *Segments) pull(ctx context.Context, lo, hi chat.Seq) (result pulled) {
	result.segment = nothing(lo)
	result.err = panics.Logged(s.Log, func() (err error) {
		if result.segment, err = s.segment(ctx, lo, hi); err == nil {
			s.adapt(result.segment)
		}
		return err
	})
	return result
}

// adapt makes segments longer while their last pages reach far below them, and shorter again when they no longer do.
func (s *Segments) adapt(segment Segment) {
	switch pages := s.length.Load(); {
	case segment.below >= sparse:
		s.length.CompareAndSwap(pages, min(mostPages, 2*pages))
	case segment.below == 0 && pages > 1:
		s.length.CompareAndSwap(pages, pages/2)
	}
}

// Next waits for the next segment in order. It reports false when there are no more: the range is done, or there was
// enough. With an error may come the beginning of the segment that failed.
func (s *Segments) Next() (Segment, bool, error) {
	slot, ok := <-s.slots
	if !ok {
		return Segment{}, false, s.broken
	}
	select {
	case result := <-slot:
		return result.segment, true, result.err
	case <-s.stuck:
		return Segment{}, false, s.broken
	}
}

// Stop ends all pulling and waits for it.
func (s *Segments) Stop() {
	s.cancel()
	for range s.slots {
		continue // the planner may wait for room
	}
	s.wg.Wait()
}
