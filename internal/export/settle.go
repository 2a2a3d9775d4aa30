package export

import (
	"context"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// Settling: a seq is allotted before its message can be read, so a hole among the newest seqs may still be filled. While
// the newest message is young, the head stays below the first such hole, and the next tick takes the rest. The state's
// memory of a newest seq ends that: what was allotted long enough ago is no longer on its way, or a group that is never
// quiet when a tick comes would hold its holes open for ever, and with them all that is above, until it expires.
const (
	// settlingAge is how old the newest message must be before a hole among the newest is taken for final.
	settlingAge = 2 * time.Minute
	// settlingSeqs is how many of the newest seqs may still be on their way.
	settlingSeqs = 40
)

// allotted remembers the newest seq for later batches, and returns the one up to which nothing is on its way any more, 0 if
// that is unknown. Seen without the newest seq as it was is another group's, or of one that lost its newest messages.
func (h *hints) allotted(newest chat.Seq) chat.Seq {
	var allotted chat.Seq
	seen, now := h.state.Seen, time.Now()
	if seen != nil && seen.Seq <= newest && !seen.At.After(now) {
		if now.Sub(seen.At) < settlingAge {
			return 0
		}
		allotted = seen.Seq
	}
	if newest > 0 {
		h.state.Seen = &archive.Seen{Seq: newest, At: now}
	}
	return allotted
}

// mayCome returns the first of the newest seqs that may still be on its way, as long as the newest message is young.
func (h *head) mayCome(from chat.Seq) chat.Seq {
	return max(from, h.top-settlingSeqs+1, h.allotted+1)
}

// young reports whether the newest message is so new that others may still be on their way. Where neither the message
// nor the group says how new it is, it may be: the next tick is soon enough for it.
func (h *head) young() bool {
	newest := h.lastTime
	for i := range h.newest.Elements {
		if e := &h.newest.Elements[i]; e.Seq == h.top {
			newest = max(newest, e.Time)
		}
	}
	return newest == 0 || time.Since(time.Unix(newest, 0)) < settlingAge
}

// settled returns the head below the first of the newest seqs that may still be on its way. Nothing below from is looked
// at.
func (h *head) settled(ctx context.Context, s *session, from chat.Seq) (chat.Seq, error) {
	if !h.young() {
		return h.top, nil
	}
	from = h.mayCome(from)
	there := make(map[chat.Seq]bool, settlingSeqs)
	note := func(elements []chat.Element) chat.Seq { // returns the first seq that is still missing
		for i := range elements {
			if e := &elements[i]; e.Retained() {
				there[e.Seq] = true
			}
		}
		for there[from] {
			from++
		}
		return from
	}
	missing := note(h.newest.Elements)
	if below := h.top - chat.PageSize; below >= missing {
		page, err := s.reader.Page(ctx, below, chat.PageSize)
		if err != nil {
			return 0, fmt.Errorf("read below the newest page: %w", err)
		}
		missing = note(page.Elements)
	}
	if missing > h.top {
		return h.top, nil
	}
	// A page that was cut lacks messages that are there.
	segment, err := s.reader.Segment(ctx, missing, h.top)
	if err != nil {
		return 0, fmt.Errorf("look for what is missing among the newest messages: %w", err)
	}
	h.newest = chat.Page{} // it lacks what may have come since
	return note(segment.Elements) - 1, nil
}
