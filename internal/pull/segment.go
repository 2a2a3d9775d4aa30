package pull

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/chat"
)

// Segment is what was found in a closed seq range, ascending and without repetition, what is malformed included. Seqs that
// are missing did not come though they were asked for again.
type Segment struct {
	Lo, Hi   chat.Seq
	Elements []chat.Element

	below int // elements that came although they lie below Lo
}

// nothing is a segment that ends before it begins.
func nothing(lo chat.Seq) Segment { return Segment{Lo: lo, Hi: lo - 1} }

// Split cuts a segment behind seq.
func (s Segment) Split(seq chat.Seq) (left, right Segment) {
	n := 0
	for n < len(s.Elements) && s.Elements[n].Seq <= seq {
		n++
	}
	return Segment{Lo: s.Lo, Hi: seq, Elements: s.Elements[:n]}, Segment{Lo: seq + 1, Hi: s.Hi, Elements: s.Elements[n:]}
}

// Segment reads [lo, hi] downwards, page by page, and asks again for every seq that did not come: a page may have been
// cut at its top, or have been empty for a moment. With an error comes the beginning of the segment that is done
// with; Hi < Lo if none is.
func (r *Reader) Segment(ctx context.Context, lo, hi chat.Seq) (Segment, error) {
	if err := r.Caller.Turn(ctx); err != nil {
		return nothing(lo), err
	}
	return r.segment(ctx, lo, hi)
}

// segment is Segment for a caller that has waited for the turn of the first call.
func (r *Reader) segment(ctx context.Context, lo, hi chat.Seq) (Segment, error) {
	w := newWalk(r, lo, hi)
	err := w.down(ctx, lo, hi)
	if err == nil {
		err = w.audit(ctx, w.done+1, hi)
	}
	if err != nil {
		for w.hi = w.done; w.hi < hi && w.found[w.hi+1-lo].Seq != 0; {
			w.hi++
		}
		w.found = w.found[:w.hi-lo+1]
	}
	return w.segment(), err
}

// fromPages makes the segment of [lo, hi] of pages that were read before, if every seq of it is there.
func fromPages(lo, hi chat.Seq, pages []chat.Page) (Segment, bool) {
	for _, page := range pages {
		if lo < page.Oldest() || hi > page.Newest() {
			continue
		}
		w := newWalk(nil, lo, hi)
		if w.keep(page, lo, hi); w.came == len(w.found) {
			return w.segment(), true
		}
	}
	return Segment{}, false
}

// walk is the reading of one segment.
type walk struct {
	*Reader
	lo, hi chat.Seq
	found  []chat.Element // by seq - lo; Seq is 0 where nothing came
	told   []bool         // by seq - lo: a page that was whole went over this seq
	came   int            // elements in found
	below  int            // elements that came although they lie below lo
	strict bool           // a page that brings nothing is taken for cut, however full
	audits bool           // every seq has been asked for: what a whole page goes over is not asked for below it
	tries  int            // of a page that cannot be read
	done   chat.Seq       // up to here everything has come, or did not come though it was asked for again
}

func newWalk(r *Reader, lo, hi chat.Seq) *walk {
	n := hi - lo + 1
	return &walk{Reader: r, lo: lo, hi: hi, found: make([]chat.Element, n), told: make([]bool, n), tries: pageTries, done: lo - 1}
}

func (w *walk) segment() Segment {
	s := Segment{Lo: w.lo, Hi: w.hi, Elements: w.found[:0], below: w.below}
	for i := range w.found {
		if w.found[i].Seq != 0 {
			s.Elements = append(s.Elements, w.found[i])
		}
	}
	return s
}

// audit asks for what did not come, a page's reach at a time, as long as that brings something: pages that are cut at
// their top bring a few seqs each. Seqs of which only empty or cut pages have told are then asked for once more, run by
// run and more closely. A service that says of its pages that they are whole is asked at most three times for 20 seqs,
// however many of them it leaves out.
func (w *walk) audit(ctx context.Context, lo, hi chat.Seq) error {
	w.audits = true
	defer func() { w.audits = false }()
	for from := lo; from <= hi; {
		if w.found[from-w.lo].Seq != 0 {
			from++
			continue
		}
		to, before := w.lastMissing(from, hi), w.came
		err := w.again(ctx, from, to)
		if err == nil && w.came == before {
			err = w.insist(ctx, from, to)
		}
		if err != nil {
			return err
		}
		if w.came == before {
			from = to + 1 // absent
		} // else what is left is asked for, too
	}
	return nil
}

// lastMissing returns the last seq up to hi that did not come within a page's reach of from, which did not, either. A page
// that reached over a malformed one could not be read.
func (w *walk) lastMissing(from, hi chat.Seq) chat.Seq {
	to := from
	for seq := from + 1; seq <= min(hi, from+chat.PageSize-1) && !w.found[seq-w.lo].Malformed; seq++ {
		if w.found[seq-w.lo].Seq == 0 {
			to = seq
		}
	}
	return to
}

// insist asks strictly for every run of seqs in [lo, hi] of which no whole page has told, twice but for the last, which
// was just asked for.
func (w *walk) insist(ctx context.Context, lo, hi chat.Seq) error {
	w.strict = true
	defer func() { w.strict = false }()
	open := func(seq chat.Seq) bool { return seq <= hi && w.found[seq-w.lo].Seq == 0 && !w.told[seq-w.lo] }
	for from := lo; from <= hi; from++ {
		if !open(from) {
			continue
		}
		to := from
		for open(to + 1) {
			to++
		}
		before := w.came
		err := w.again(ctx, from, to)
		if err == nil && w.came == before && to < hi {
			err = w.again(ctx, from, to)
		}
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (w *walk) again(ctx context.Context, lo, hi chat.Seq) error {
	if err := w.Caller.Turn(ctx); err != nil {
		return fmt.Errorf("read page at %d: %w", hi, err)
	}
	return w.down(ctx, lo, hi)
}

// down asks for [lo, hi] from the top down and keeps every element of it that comes. Its caller has waited for the turn
// of the first call.
func (w *walk) down(ctx context.Context, lo, hi chat.Seq) error {
	most := chat.Seq(chat.PageSize)
	for cur, empty := hi, chat.Seq(0); ; {
		number := min(most, cur-lo+1)
		page, err := w.page(ctx, cur, int(number), w.tries)
		switch {
		case errors.Is(err, chat.ErrTooLarge) && number > 1:
			most = (number + 1) / 2
		case Unreadable(err):
			if below := cur - number; below >= lo { // first, since it is done with when the time ends
				if err := w.part(ctx, lo, below, w.tries > 1); err != nil {
					return err
				}
			}
			return w.apart(ctx, cur-number+1, cur, err)
		case err == nil && w.tries == 1 && len(page.Elements) == 0 && empty != cur:
			empty = cur // for a moment, maybe: the audit may divide the page in another way
		case err != nil:
			return fmt.Errorf("read page at %d: %w", cur, err)
		default:
			fresh := w.keep(page, lo, cur)
			if !fresh && number > 1 && w.cut(page, cur, number) {
				most = (number + 1) / 2
			} else {
				cur = w.note(page, lo, cur, number)
			}
		}
		if cur < lo {
			return nil
		}
		if err := w.Caller.Turn(ctx); err != nil {
			return fmt.Errorf("read page at %d: %w", cur, err)
		}
	}
}

// keep keeps what of a page lies in [lo, hi], the first of equals, and reports whether there was anything new.
func (w *walk) keep(page chat.Page, lo, hi chat.Seq) (fresh bool) {
	for i := range page.Elements {
		e := &page.Elements[i]
		if e.Seq < w.lo {
			w.below++
		}
		if e.Seq < lo || e.Seq > hi {
			continue
		}
		if slot := &w.found[e.Seq-w.lo]; slot.Seq == 0 {
			*slot = *e
			w.came++
			fresh = true
		}
	}
	return fresh
}

// cut reports whether a page that brought nothing new goes on below its newest elements, which are missing: then it must
// be asked for in smaller pieces. A page as full as it was asked to be was hardly cut; what it brings from below the
// segment may hide that it was, which is why the audit is strict at last.
func (w *walk) cut(page chat.Page, cur, number chat.Seq) bool {
	top := newestUpTo(page, cur)
	return top > 0 && top < cur && page.Finished != chat.FinishedInterval && (w.strict || !full(page, cur, number))
}

// note remembers of which seqs of [lo, cur] a page tells that says of itself that it is whole, and returns where to go on
// below it. An empty one tells of nothing: it may be so for a moment.
func (w *walk) note(page chat.Page, lo, cur, number chat.Seq) chat.Seq {
	bottom := page.Oldest()
	if bottom == 0 {
		return cur - number
	}
	if page.Finished == chat.FinishedInterval {
		for seq := max(cur-number+1, lo); seq <= cur; seq++ {
			w.told[seq-w.lo] = true
		}
		if w.audits {
			bottom = min(bottom, cur-number+1)
		}
	}
	return bottom - 1 // below cur: page refuses what lies wholly above
}

// full reports whether a page has as many elements as were asked for, and so was hardly cut.
func full(page chat.Page, hi, number chat.Seq) bool {
	seqs := make(map[chat.Seq]bool, len(page.Elements)) // an element may come twice
	for i := range page.Elements {
		if seq := page.Elements[i].Seq; seq <= hi {
			seqs[seq] = true
		}
	}
	return chat.Seq(len(seqs)) >= number
}

// newestUpTo returns the largest seq of a page up to cur, 0 if there is none.
func newestUpTo(page chat.Page, cur chat.Seq) chat.Seq {
	var newest chat.Seq
	for i := range page.Elements {
		if seq := page.Elements[i].Seq; seq <= cur {
			newest = max(newest, seq)
		}
	}
	return newest
}
