package export

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/chat"
)

// segment is what was found in a closed seq range, ascending and without repetition. Seqs that are missing did not
// come though they were asked for twice.
type segment struct {
	lo, hi   chat.Seq
	elements []chat.Element
}

// pullSegment reads [lo, hi] downwards, page by page, and asks once more for every seq that did not come: a page may
// have been cut at its top, or have been empty for a moment. IsFinished, short pages and placeholders never end it.
func (b *batch) pullSegment(ctx context.Context, lo, hi chat.Seq) (segment, error) {
	found := make([]chat.Element, hi-lo+1)
	take := func(e *chat.Element) {
		if slot := &found[e.Seq-lo]; slot.Seq == 0 {
			*slot = *e
		}
	}
	if err := b.walk(ctx, lo, hi, take); err != nil {
		return segment{}, err
	}
	for from := lo; from <= hi; from++ {
		if found[from-lo].Seq != 0 {
			continue
		}
		to := from
		for to < hi && found[to+1-lo].Seq == 0 {
			to++
		}
		if err := b.walk(ctx, from, to, take); err != nil {
			return segment{}, err
		}
		from = to
	}
	seg := segment{lo: lo, hi: hi, elements: found[:0]}
	for i := range found {
		if found[i].Seq != 0 {
			seg.elements = append(seg.elements, found[i])
		}
	}
	return seg, nil
}

// walk asks for [lo, hi] from the top down and hands over every element in it that comes.
func (b *batch) walk(ctx context.Context, lo, hi chat.Seq, take func(*chat.Element)) error {
	most := chat.Seq(chat.PageSize)
	for cur := hi; cur >= lo; {
		number := min(most, cur-lo+1)
		page, err := b.page(ctx, chat.Query{Stream: b.Stream, Seq: cur, Number: int(number)})
		if errors.Is(err, chat.ErrTooLarge) && number > 1 {
			most = (number + 1) / 2
			continue
		}
		if err != nil {
			return fmt.Errorf("read page at %d: %w", cur, err)
		}
		for i := range page.Elements {
			if e := &page.Elements[i]; e.Seq >= lo && e.Seq <= cur {
				take(e)
			}
		}
		if bottom := lowest(page); bottom > 0 {
			cur = bottom - 1 // at most cur - 1: page refuses what lies wholly above
		} else {
			cur -= number
		}
	}
	return nil
}
