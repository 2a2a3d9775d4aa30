package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

const (
	// maxLease is how far ahead a lease can reach: no invocation lasts longer than 900 s. A later one is a broken clock.
	maxLease = 15 * time.Minute
	// handoverLease bridges the time that a continuation waits in the queue.
	handoverLease = 10 * time.Minute
	// briefSeqs is how much a caller that keeps the run to itself may have to archive without a lease: it takes moments,
	// during which a tick costs a race at worst, and the write of a lease would be a quarter of all.
	briefSeqs = 5 * chat.PageSize
)

// errHeld means that another event holds the lease.
var errHeld = errors.New("another event works on the stream")

func holds(lease *archive.Lease, now time.Time) bool {
	return lease != nil && now.Before(lease.Until) && !lease.Until.After(now.Add(maxLease))
}

// stops reports whether a lease stops this batch: another event's stops every event without a cursor, and no continuation.
func (h *hints) stops() bool {
	return !h.goesOn && holds(h.state.Lease, time.Now()) && h.state.Lease.Owner != h.Owner
}

// lease keeps ticks away until the deadline. A continuation usually finds the lease of the hand-over, and writes its own
// only where that one ends before this batch may. Of a stream without state it is taken once the service knows the
// stream: ids are anybody's to invent, and nobody may delete what is left of them.
func (h *hints) lease(ctx context.Context) error {
	lease := h.state.Lease
	if h.ownsLease || h.brief() || h.goesOn && holds(lease, time.Now()) && !lease.Until.Before(h.Deadline) {
		return nil
	}
	h.state.Lease = &archive.Lease{Owner: h.Owner, Until: h.Deadline}
	// A crash right after this write: the redelivered event has the same owner and passes; others wait at most until
	// the deadline.
	if err := h.put(ctx); err != nil {
		return fmt.Errorf("take lease: %w", err)
	}
	h.ownsLease = true
	return nil
}

// brief reports whether the batch will be over before a lease could be of use. What this batch found out about a suspect
// chunk must be written before the chunk is pulled again: then a lease is of use.
func (h *hints) brief() bool {
	k := h.Known
	return h.Keep && !h.goesOn && !h.cleared && k != nil && k.NextSeq > 0 && k.NextSeq-max(h.state.Frontier, 1) <= briefSeqs
}

// handedOver is the lease that bridges the time until the continuation is served.
func (h *hints) handedOver() *archive.Lease {
	return &archive.Lease{Owner: h.Owner, Until: time.Now().Add(handoverLease)}
}

// yield clears the lease of this batch's chain, which ends here: the winner may be a tick that failed since, and its
// redelivery must not wait for a run that is over. All else stays as the winner wrote it, since the hints of the loser
// are behind. A crash before it means that ticks wait until the lease ends.
func (h *hints) yield(ctx context.Context) {
	own := h.state.Lease
	if own == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	err := h.load(ctx)
	found := h.state.Lease
	if err == nil && found != nil && found.Owner == own.Owner && found.Until.Sub(own.Until).Abs() < time.Second {
		h.state.Lease = nil
		err = h.put(ctx)
	}
	if err != nil {
		h.Log.Warn().Err(err).Msg("the lease of a lost race stays until it ends")
	}
}
