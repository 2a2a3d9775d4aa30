package export

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"chatexport/internal/chat"
)

// segment is what was found in a closed seq range, ascending and without repetition. Seqs that are missing did not
// come though they were asked for twice.
type segment struct {
	lo, hi   chat.Seq
	elements []chat.Element
	below    int // elements that came although they lie below lo
}

// pull is the reading of one segment.
type pull struct {
	*batch
	lo, hi  chat.Seq
	found   []chat.Element // by seq - lo; Seq is 0 where nothing came
	covered []bool         // a page that was not cut went over this seq
	came    int
	waited  bool // for the pace of the first call
	strict  bool // a page of which nothing was wanted is taken for cut, however full
	below   int  // elements that came although they lie below lo
}

// pullSegment reads [lo, hi] downwards, page by page, and asks again for every seq that did not come: a page may have
// been cut at its top, or have been empty for a moment. IsFinished, short pages and placeholders never end it. The
// caller has waited for the pace of the first call.
func (b *batch) pullSegment(ctx context.Context, lo, hi chat.Seq) (segment, error) {
	p := &pull{batch: b, lo: lo, hi: hi, found: make([]chat.Element, hi-lo+1), covered: make([]bool, hi-lo+1), waited: true}
	if err := p.walk(ctx, lo, hi); err != nil {
		return segment{}, err
	}
	if err := p.audit(ctx); err != nil {
		return segment{}, err
	}
	seg := segment{lo: lo, hi: hi, elements: p.found[:0], below: p.below}
	for i := range p.found {
		if p.found[i].Seq != 0 {
			seg.elements = append(seg.elements, p.found[i])
		}
	}
	return seg, nil
}

// fromNewest takes [lo, hi] from the page that was read to find the head, if every seq of it is there: most ticks find
// less than a page of new messages, which is then read once.
func (b *batch) fromNewest(lo, hi chat.Seq) (segment, bool) {
	if hi-lo >= chat.PageSize || lo < lowest(b.newest) {
		return segment{}, false
	}
	p := &pull{batch: b, lo: lo, hi: hi, found: make([]chat.Element, hi-lo+1)}
	p.take(b.newest, lo, hi)
	return segment{lo: lo, hi: hi, elements: p.found}, p.came == len(p.found)
}

// audit asks for what did not come, run by run, as long as that brings something: pages that are cut at their top bring
// a few seqs each. Seqs of which only empty or cut pages have told are asked for once more than others, and more closely:
// what a page brings from below them, or brings twice, may hide that it was cut.
func (p *pull) audit(ctx context.Context) error {
	for from := p.lo; from <= p.hi; {
		if p.found[from-p.lo].Seq != 0 {
			from++
			continue
		}
		to := from
		for to < p.hi && p.found[to+1-p.lo].Seq == 0 {
			to++
		}
		before, sure := p.came, !slices.Contains(p.covered[from-p.lo:to+1-p.lo], false)
		err := p.walk(ctx, from, to)
		if err == nil && p.came == before && !sure {
			p.strict = true
			err = p.walk(ctx, from, to)
			p.strict = false
		}
		if err != nil {
			return err
		}
		if p.came == before {
			from = to + 1 // absent
		} // else what is left of the run is asked for, too
	}
	return nil
}

// walk asks for [lo, hi] from the top down and keeps every element in it that comes.
func (p *pull) walk(ctx context.Context, lo, hi chat.Seq) error {
	most := chat.Seq(chat.PageSize)
	for cur := hi; cur >= lo; {
		number := min(most, cur-lo+1)
		page, err := p.pagePaced(ctx, chat.Query{Stream: p.Stream, Seq: cur, Number: int(number)}, p.waited)
		p.waited = false
		if errors.Is(err, chat.ErrTooLarge) && number > 1 {
			most = (number + 1) / 2
			continue
		}
		if err != nil {
			return fmt.Errorf("read page at %d: %w", cur, err)
		}
		bottom := lowest(page)
		came := p.take(page, lo, cur)
		switch whole := page.Finished == chat.FinishedInterval; {
		case bottom == 0:
			cur -= number
		case !came && !whole && number > 1 && (p.strict || !full(page, cur, number)):
			most = (number + 1) / 2 // a page that goes far down and was cut at its top
		default:
			if whole {
				p.cover(max(bottom, cur-number+1, lo), cur)
			}
			cur = bottom - 1 // below cur: page refuses what lies wholly above
		}
	}
	return nil
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

// take keeps what of a page lies in [lo, hi], the first of equals, and reports whether there was any.
func (p *pull) take(page chat.Page, lo, hi chat.Seq) (came bool) {
	for i := range page.Elements {
		e := &page.Elements[i]
		if e.Seq < p.lo {
			p.below++
		}
		if e.Seq < lo || e.Seq > hi {
			continue
		}
		came = true
		if slot := &p.found[e.Seq-p.lo]; slot.Seq == 0 {
			*slot = *e
			p.came++
		}
	}
	return came
}

func (p *pull) cover(lo, hi chat.Seq) {
	for seq := lo; seq <= hi; seq++ {
		p.covered[seq-p.lo] = true
	}
}
