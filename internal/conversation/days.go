package conversation

import (
	"cmp"
	"context"
	"slices"
	"time"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
)

// Days returns the days that have rows within a range, in order, each with the count of these. It reads every chunk that the
// range needs; what they tell of names is known afterwards.
func (c *Conversation) Days(ctx context.Context, rng catalog.Range, zone *time.Location) ([]Mark, error) {
	counts := map[Date]int{}
	var day Date
	var from, to int64 // of the day
	count := func(p place) {
		if !within(p.time, from, to) {
			day = DateOf(p.time, zone)
			from, to = day.bounds(zone)
		}
		counts[day]++
	}
	for i := range c.Chunks {
		if !reaches(&c.Chunks[i], rng) {
			continue
		}
		u, err := c.load(ctx, i)
		if err != nil {
			return nil, err
		}
		for it := range u.items() {
			if shows(rng, it) {
				count(place{it, i})
			}
		}
	}
	for _, p := range c.edges(nil, 1, lastTime+1) {
		if shows(rng, p.item) {
			count(p)
		}
	}
	days := make([]Mark, 0, len(counts))
	for date, n := range counts {
		days = append(days, Mark{Date: date, Sure: true, Count: n})
	}
	slices.SortFunc(days, func(a, b Mark) int {
		return cmp.Or(cmp.Compare(a.Date.Year, b.Date.Year), cmp.Compare(a.Date.Month, b.Date.Month), cmp.Compare(a.Date.Day, b.Date.Day))
	})
	return days, nil
}

// reaches reports whether a chunk may have rows of a range. A row has a time, if need be a neighbour's, so that a chunk without
// any is wanted, too.
func reaches(k *Chunk, rng catalog.Range) bool {
	if rng.FromSeq > 0 && k.Hi < rng.FromSeq || rng.ToSeq > 0 && k.Lo > rng.ToSeq {
		return false
	}
	lo, hi, ok := k.times()
	if !ok {
		lo, hi = k.anchor, k.anchor
	}
	return (rng.Since == 0 || hi >= rng.Since) && (rng.Until == 0 || lo < rng.Until)
}

// shows reports whether a row is within a range.
func shows(rng catalog.Range, it item) bool {
	hi := it.hi
	if it.gap == GapBroken {
		hi = chat.MaxSeq // nobody knows where it ends
	}
	return (rng.FromSeq == 0 || hi >= rng.FromSeq) && (rng.ToSeq == 0 || it.seq <= rng.ToSeq) &&
		(rng.Since == 0 || it.time >= rng.Since) && (rng.Until == 0 || it.time < rng.Until)
}
