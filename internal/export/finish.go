package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
)

// errTimeUp means that the time for pulling ended while pages were under way, which is how most batches end.
var errTimeUp = errors.New("time is up")

// errNoProgress is wrapped by the error of a batch that moved nothing: a continuation of it would run for ever.
var errNoProgress = errors.New("batch made no progress")

// complete ends a run whose head is reached: the manifest, then the state.
func (b *batch) complete(ctx context.Context) error {
	if b.unhopped && b.chunks == 0 { // no PUT has found out whether a chunk stands at the frontier
		if err := b.hop(ctx); err != nil {
			return err
		}
	}
	b.runHead = min(b.runHead, b.frontier-1) // the newest messages may have vanished since the run began
	if err := b.listAll(ctx, archive.StatusComplete); err != nil {
		return err
	}
	b.outcome = Complete
	b.settle(ctx, archive.StatusComplete, nil, nil)
	return nil
}

// handOver ends a batch that has not reached the head: the continuation, then the state. cause is what stopped the
// pulling, nil if time was up. With progress, the next batch tries again from the frontier; without, the platform is
// asked to deliver the event again.
func (b *batch) handOver(ctx context.Context, cause error) error {
	if !b.progressed() {
		if cause == nil {
			cause = errors.New("time was up before anything was stored; raise the function's time limit or CHAT_QPS")
		}
		return fmt.Errorf("%w at seq %d: %w", errNoProgress, b.frontier, cause)
	}
	if cause != nil && !errors.Is(cause, errTimeUp) {
		b.Log.Warn().Str("code", codeOf(cause)).Err(cause).Msg("pulling stopped early; the next batch goes on")
	}
	return b.publish(ctx)
}

func (b *batch) publish(ctx context.Context) error {
	if b.hops+1 > b.Limits.MaxHops {
		b.outcome = HopLimit
		text := fmt.Sprintf("the run has had %d batches (EXPORT_MAX_HOPS); the next tick goes on from here", b.hops+1)
		b.Log.Warn().Msg(text)
		b.settle(ctx, archive.StatusFailed, b.stateError("hop_limit", text), nil)
		return nil
	}
	next, err := Continuation{Cursor: b.frontier, After: b.after, Head: b.runHead, Run: b.runID, Hop: b.hops + 1, Writer: b.writer}.encode()
	if err != nil {
		return err
	}
	// A crash right after this: the redelivered event hops to the cursor and pulls beside the new batch; one of them
	// loses the next PUT and ends.
	if err := b.Requeuer.Continue(ctx, b.Stream, next); err != nil {
		return fmt.Errorf("publish the continuation: %w", err)
	}
	b.next, b.outcome = next, Continued
	b.settle(ctx, archive.StatusRunning, nil, &archive.Lease{Owner: b.Owner, Until: time.Now().Add(handoverLease)})
	return nil
}

// Abandon records that a task was given up after enough attempts. The stream is not worse off: the next tick tries
// again from its frontier. A crash before it means that the state does not tell of the failure. What is known of a chunk
// that is not what was written stays.
func (e *Engine) Abandon(ctx context.Context, req Request, cause error) error {
	b := newBatch(e, req)
	if err := b.loadState(ctx); err != nil {
		return err
	}
	b.state.Lease = nil
	if b.suspectChunk() == nil {
		b.state.Status = archive.StatusFailed
		b.state.Error = b.stateError(codeOf(cause), cause.Error())
	}
	return b.writeState(ctx)
}
