package report

import (
	"fmt"
	"slices"
	"time"

	"chatexport/scripts/chatexport/internal/cli"
)

const (
	// clockSkew is how far after now a message's time may be and still be one.
	clockSkew = 24 * time.Hour
	// A time is an outlier on the early side if the axis is this many times shorter without it, and ten years at that.
	outlierFactor = 10
	outlierGap    = 10 * 365 * 24 * 3600
	// outlierShare of the chunks may be outliers: 1 in so many, at least one.
	outlierShare = 100
)

// axis is the time that the strips show, in seconds since 1970: that of all messages but a few whose time is absurd, which
// would leave no room for the others. It is empty if no message has a time.
type axis struct{ from, to int64 }

// axisOf finds the axis of all streams. Messages from after now have a wrong time, often in milliseconds.
func axisOf(all []drawn, now time.Time) axis {
	latest := now.Add(clockSkew).Unix()
	var ends []int64
	for i := range all {
		for _, c := range all[i].chunks {
			for _, at := range []int64{c.tsMin, c.tsMax} {
				if at > 0 && at <= latest {
					ends = append(ends, at)
				}
			}
		}
	}
	if len(ends) == 0 {
		return axis{}
	}
	slices.Sort(ends)
	from, to := 0, ends[len(ends)-1]
	for i := range min(max(1, len(ends)/outlierShare), len(ends)-2) {
		with, without := to-ends[i], to-ends[i+1]
		if with-without > outlierGap && without*outlierFactor < with {
			from = i + 1
		}
	}
	return axis{ends[from], max(to, ends[from]+1)}
}

// beside is what the strip of a stream does not show.
type beside struct {
	early, late    int64 // messages; at least so many, as chunks tell only their oldest and newest time
	oldest, newest int64
}

// fit brings what a stream's chunks say of their times onto the axis, and counts what is beside it. A chunk of which one end
// is beside it ends where its neighbour begins.
func (d *drawn) fit(a axis) {
	last := a.from
	for i := range d.chunks {
		c := &d.chunks[i]
		if c.tsMin == 0 {
			continue
		}
		d.count(c, a)
		switch {
		case c.tsMin > a.to || c.tsMax < a.from:
			c.tsMin, c.tsMax = 0, 0
			continue
		case c.tsMin < a.from:
			c.tsMin = min(last, c.tsMax)
		}
		if c.tsMax > a.to {
			c.tsMax = max(c.tsMin, d.nextTime(i+1, a))
		}
		last = c.tsMax
	}
}

func (d *drawn) count(c *span, a axis) {
	if c.tsMin < a.from {
		d.beside.early += off(c.tsMax < a.from, c.archived)
		if d.beside.oldest == 0 || c.tsMin < d.beside.oldest {
			d.beside.oldest = c.tsMin
		}
	}
	if c.tsMax > a.to {
		d.beside.late += off(c.tsMin > a.to, c.archived)
		d.beside.newest = max(d.beside.newest, c.tsMax)
	}
}

// off is how many of a chunk's messages are beside the axis: all, or at least the one that the end is of.
func off(all bool, messages int64) int64 {
	if all {
		return messages
	}
	return 1
}

// nextTime is when the first chunk from i on begins that is on the axis.
func (d *drawn) nextTime(i int, a axis) int64 {
	for _, c := range d.chunks[i:] {
		if c.tsMin >= a.from && c.tsMin <= a.to {
			return c.tsMin
		}
	}
	return a.to
}

// lines says what is beside the axis.
func (b beside) lines(a axis) []string {
	var lines []string
	if b.early > 0 {
		lines = append(lines, fmt.Sprintf("at least %s before the axis, from %s on", cli.Plural(b.early, "message"), date(time.Unix(b.oldest, 0))))
	}
	if b.late > 0 {
		text := fmt.Sprintf("at least %s after the axis, up to ", cli.Plural(b.late, "message"))
		if ms := b.newest / 1000; ms >= a.from-outlierGap && ms <= a.to+outlierGap {
			lines = append(lines, text+fmt.Sprintf("%d: in milliseconds that is %s", b.newest, date(time.UnixMilli(b.newest))))
		} else {
			lines = append(lines, text+date(time.Unix(b.newest, 0)))
		}
	}
	return lines
}
