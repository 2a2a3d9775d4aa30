package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

const (
	// maxLease is how far ahead a lease can reach: no invocation lasts longer than 900 s. A later one is a broken clock.
	maxLease = 15 * time.Minute
	// handoverLease bridges the time that a continuation waits in the queue.
	handoverLease = 10 * time.Minute
	// lastWords bounds the write of the state that tells of a failure: the store itself may be what failed.
	lastWords = 5 * time.Second

	contentJSON = "application/json"
	contentGzip = "application/gzip"
)

// loadState reads the hints. State that cannot be read as state is no hint at all, and is worth a warning; state of an
// unknown format belongs to a newer version and is neither used nor overwritten.
func (b *batch) loadState(ctx context.Context) error {
	key := layout.State(b.Stream)
	body, object, err := b.Store.Get(ctx, key)
	b.saw(object, err)
	b.stateRead = err == nil || errors.Is(err, objstore.ErrNotExist)
	if !b.stateRead {
		return fmt.Errorf("read state: %w", err)
	}
	if err != nil {
		return nil //nolint:nilerr // there is none yet
	}
	state, err := archive.ParseState(body)
	if errors.Is(err, archive.ErrFormat) {
		return fmt.Errorf("read state %s, which a newer version wrote; deploy that version: %w", key, err)
	}
	if err != nil {
		b.Log.Warn().Err(err).Str("key", key).Msg("state is unreadable and ignored")
		return nil
	}
	b.state = state
	return nil
}

// heldByAnother reports whether an event without a cursor must leave the stream to the holder of the lease.
func (b *batch) heldByAnother() bool {
	lease := b.state.Lease
	return b.Continuation == nil && lease != nil && lease.Owner != b.Owner && leaseHolds(lease, time.Now())
}

func leaseHolds(lease *archive.Lease, now time.Time) bool {
	return now.Before(lease.Until) && !lease.Until.After(now.Add(maxLease))
}

// briefSeqs is how much a caller that keeps the run to itself may have to archive without a lease: it takes moments,
// during which a tick costs a race at worst, and the write of a lease would be a quarter of all.
const briefSeqs = 5 * chat.PageSize

// brief reports whether the batch will be over before a lease could be of use.
func (b *batch) brief() bool {
	k := b.Known
	return b.Keep && b.Continuation == nil && !b.cleared && k != nil && k.NextSeq > 0 && k.NextSeq-max(b.state.Frontier, 1) <= briefSeqs
}

// takeLease keeps ticks away until the deadline. A continuation usually finds the lease of the hand-over, and writes
// its own only where that one ends before this batch may.
func (b *batch) takeLease(ctx context.Context) error {
	if b.brief() {
		return nil
	}
	lease := b.state.Lease
	if b.Continuation != nil && lease != nil && leaseHolds(lease, time.Now()) && !lease.Until.Before(b.Deadline) {
		return nil
	}
	b.state.Lease = &archive.Lease{Owner: b.Owner, Until: b.Deadline}
	// A crash right after this write: the redelivered event has the same owner and passes; others wait at most until
	// the deadline.
	if err := b.writeState(ctx); err != nil {
		return b.refused(fmt.Errorf("take lease: %w", err))
	}
	b.ownsLease = true
	return nil
}

// writeState overwrites the hints. What this batch does not know yet stays as it was loaded.
func (b *batch) writeState(ctx context.Context) error {
	if b.frontier > 0 {
		b.state.Frontier, b.state.After = b.frontier, b.after
	}
	if b.runHead > 0 {
		b.state.Head = b.runHead
	}
	if b.state.Status == "" {
		b.state.Status = archive.StatusRunning
	}
	return b.putState(ctx)
}

func (b *batch) putState(ctx context.Context) error {
	b.state.Format = archive.Format
	b.state.UpdatedAt = time.Now().UTC()
	body, err := b.state.Encode()
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	start := time.Now()
	object, err := b.Store.Overwrite(ctx, layout.State(b.Stream), objstore.Write{Body: body, ContentType: contentJSON})
	b.Writes.observe(time.Since(start))
	b.saw(object, err)
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// settle writes the state with which a batch ends. It is a hint: the archive is right without it, so a failure is a
// warning. A crash before it means that the next batch starts from an older hint and hops.
func (b *batch) settle(ctx context.Context, status string, failure *archive.StateError, lease *archive.Lease) {
	b.state.Status, b.state.Error, b.state.Lease = status, failure, lease
	b.count()
	if err := b.writeState(ctx); err != nil {
		b.Log.Warn().Err(err).Msg("state is out of date; the next batch finds the frontier by hopping")
	}
}

// yield clears the lease of this batch's chain, which ends here: the winner may be a tick that failed since, and its
// redelivery must not wait for a run that is over. All else stays as the winner wrote it, since the hints of the loser
// are behind. A crash before it means that ticks wait until the lease ends.
func (b *batch) yield(ctx context.Context) {
	own := b.state.Lease
	if own == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	b.state = archive.State{}
	err := b.loadState(ctx)
	found := b.state.Lease
	if err == nil && found != nil && found.Owner == own.Owner && found.Until.Sub(own.Until).Abs() < time.Second {
		b.state.Lease = nil
		err = b.putState(ctx)
	}
	if err != nil {
		b.Log.Warn().Err(err).Msg("the lease of a lost race stays until it ends")
	}
}

// count adds what this batch did to the counters, once.
func (b *batch) count() {
	c := &b.state.Counters
	c.Batches++
	c.Chunks += int64(b.chunks)
	c.Bytes += b.bytes
	c.RawBytes += b.rawBytes
	c.Pages += b.reader.Pages()
	c.Calls += b.reader.Caller.Counts().Calls
	c.Counts.Add(b.counts)
	c.Unlisted = b.unlisted()
	b.index.seen = nil // counted now
}

// fail records a failure that the platform is to mend by delivering the event again. The own lease goes, so that a
// tick may try, too.
func (b *batch) fail(ctx context.Context, cause error) {
	if !b.stateRead || errors.Is(cause, archive.ErrFormat) {
		return // what is there, somebody's lease among it, is not known; or it is a newer version's: touch nothing
	}
	if ctx.Err() != nil {
		return // the own lease ends with the deadline
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	lease := b.state.Lease
	if b.ownsLease {
		lease = nil
	}
	status := b.state.Status
	if status == "" || b.frontier > b.state.Frontier {
		status = archive.StatusRunning // never complete: what is new is not listed
	}
	failure := b.stateError(codeOf(cause), cause.Error())
	if b.suspect != nil {
		failure = b.suspect
	}
	b.settle(ctx, status, failure, lease)
}

func (b *batch) stateError(code, text string) *archive.StateError {
	return &archive.StateError{Code: code, Text: text, At: time.Now().UTC(), Frontier: max(b.frontier, b.state.Frontier)}
}
