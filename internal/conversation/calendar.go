package conversation

import (
	"context"
	"time"
)

// Mark is what is known of a day without reading more than was read.
type Mark struct {
	Date  Date
	Sure  bool // it has rows; otherwise it only may have some, as far as the manifests tell
	Count int  // of rows; 0 if they are not counted
}

// visit tells of each chunk what is known of its days: counts by quarters where it was read, else its oldest and newest time.
func (c *Conversation) visit(read func(counts map[int64]int32), unread func(lo, hi int64)) {
	for i := range c.Chunks {
		k := &c.Chunks[i]
		if counts := c.learned.of(chunkID{k.Lo, k.SHA256}); counts != nil {
			read(counts)
		} else if lo, hi, ok := k.times(); ok {
			unread(lo, hi)
		} else {
			unread(k.anchor, k.anchor)
		}
	}
}

// Month returns the days of a month that have rows, or may have some, in order.
func (c *Conversation) Month(year int, month time.Month, zone *time.Location) []Mark {
	first := Date{year, month, 1}
	last := first.Add(32)
	last = Date{last.Year, last.Month, 1}.Add(-1)
	from, _ := first.bounds(zone)
	_, to := last.bounds(zone)
	marks := make([]Mark, last.Day)
	maybe := make([]bool, last.Day)
	day := func(seconds int64) int { return DateOf(seconds, zone).Day - 1 }
	c.visit(func(counts map[int64]int32) {
		for q, n := range counts {
			if at := q * quarter; at >= from && at < to {
				marks[day(at)].Count += int(n)
				marks[day(at)].Sure = true
			}
		}
	}, func(lo, hi int64) {
		if hi < from || lo >= to {
			return
		}
		for _, end := range []int64{lo, hi} {
			if end >= from && end < to {
				marks[day(end)].Sure = true
			}
		}
		for d, end := day(max(lo, from)), day(min(hi, to-1)); d <= end; d++ {
			maybe[d] = true
		}
	})
	var days []Mark
	for i, m := range marks {
		if m.Date = first.Add(i); m.Sure || maybe[i] {
			if maybe[i] {
				m.Count = 0 // there may be more
			}
			days = append(days, m)
		}
	}
	return days
}

// Ends returns the days of the first and of the newest row, in order of seq: what has an absurd time does not count. Both are
// zero where nothing is archived. It reads the newest chunk.
func (c *Conversation) Ends(ctx context.Context, zone *time.Location) (first, last Date, err error) {
	if len(c.Chunks) == 0 {
		return first, last, nil
	}
	for i := range c.Chunks {
		if lo, _, ok := c.Chunks[i].times(); ok {
			first = DateOf(lo, zone)
			break
		}
	}
	u, err := c.load(ctx, len(c.Chunks)-1)
	if err != nil {
		return first, last, err
	}
	for i := range u.items() {
		last = DateOf(i.time, zone)
	}
	if first.IsZero() {
		first = last
	}
	return first, last, nil
}

// Around returns the nearest days before and after a day that have rows, zero where there is none. They are certain once the
// chunks of this day were read: of any other chunk that ends before it, the last day has rows.
func (c *Conversation) Around(d Date, zone *time.Location) (older, newer Date) {
	from, to := d.bounds(zone)
	before, after := int64(-1), int64(-1)
	take := func(at int64) {
		if at < from && at > before {
			before = at
		}
		if at >= to && (after < 0 || at < after) {
			after = at
		}
	}
	c.visit(func(counts map[int64]int32) {
		for q := range counts {
			take(q * quarter)
		}
	}, func(lo, hi int64) {
		take(lo)
		take(hi)
	})
	if before >= 0 {
		older = DateOf(before, zone)
	}
	if after >= 0 {
		newer = DateOf(after, zone)
	}
	return older, newer
}

// overlaps reports whether a chunk has rows between two times, as far as is known without reading it.
func (c *Conversation) overlaps(k *Chunk, from, to int64) bool {
	if counts := c.learned.of(chunkID{k.Lo, k.SHA256}); counts != nil {
		for q := range counts {
			if at := q * quarter; at+quarter > from && at < to {
				return true
			}
		}
		return false
	}
	if lo, hi, ok := k.times(); ok {
		return lo < to && hi >= from
	}
	return k.anchor >= from && k.anchor < to
}
