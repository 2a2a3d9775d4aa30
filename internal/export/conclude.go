package export

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/trail"
)

// errNoProgress is wrapped by the error of a batch that was out of time before it moved anything: a continuation of it
// would run for ever.
var errNoProgress = errors.New("batch made no progress")

// batch holds the owners of one Run side by side. Only Run, work and conclude see it: none of the owners can reach another
// through it.
type batch struct {
	*session
	hints *hints
	tail  *tail
	goal  head
	haul  haul

	stands     map[string]trail.Stand // of the trails, by name
	trailsGoOn bool                   // a continuation is to follow them

	outcome Outcome
	code    string // of a standing verdict
	handed  []byte // the continuation that was published, or left to the caller
}

// conclude is the one place where a batch ends: README.md has it as a table. stopped is why it works no further, nil if
// everything up to the head is archived. An error means that the event must be delivered again.
func (b *batch) conclude(ctx context.Context, stopped error) error {
	b.haul.warn(b.Log)
	err := b.tail.judge(ctx, b.list(ctx, stopped))
	found := verdictOf(err)
	if gone := found != nil && found.status == archive.StatusGone; err == nil || gone {
		if failed := b.follow(ctx, gone); failed != nil {
			err, found = failed, verdictOf(failed)
		}
	}
	handOver := b.tail.progressed() && (stopped != nil && errors.Is(err, stopped) || timeUp(err)) // a failed listing is an error
	switch {
	case errors.Is(err, errHeld):
		b.outcome = AlreadyRunning
	case errors.Is(err, chain.ErrLostRace):
		b.outcome = LostRace
		b.hints.yield(ctx)
	case b.trailsGoOn && b.hops < b.Limits.MaxHops:
		return b.goOn(ctx, found)
	case err == nil:
		b.outcome = Complete
		b.hints.end(ctx, b.tail.place(), b.haul, archive.StatusComplete, nil, nil)
	case errors.Is(err, chat.ErrGone) && !b.hints.kept && b.tail.genesis == nil:
		b.outcome, b.code = Unknown, codeOf(err)
		b.Log.Warn().Str("code", b.code).Err(err).Msg("the service knows no such group or topic, and nothing is archived of it: no state is kept")
	case found != nil:
		b.stand(ctx, found, nil)
	case handOver && b.hops+1 > b.Limits.MaxHops:
		b.outcome = HopLimit
		text := fmt.Sprintf("the run has had %d batches (EXPORT_MAX_HOPS); the next tick goes on from here", b.hops+1)
		b.Log.Warn().Msg(text)
		b.hints.end(ctx, b.tail.place(), b.haul, archive.StatusFailed, b.hints.failure("hop_limit", text, b.tail.frontier), nil)
	case handOver:
		return b.handOver(ctx, err)
	default:
		return b.fail(ctx, noProgress(err, b.tail.frontier))
	}
	return nil
}

// list lists what is archived once nothing more will be: the run has reached its head, or the stream no longer exists.
// It returns what stopped the batch, or what stopped the listing.
func (b *batch) list(ctx context.Context, stopped error) error {
	switch {
	case stopped == nil:
		if b.tail.unhopped { // no PUT has found out whether a chunk stands at the frontier
			if err := b.tail.hop(ctx); err != nil {
				return err
			}
		}
		if b.tail.genesis != nil {
			b.tail.head = min(b.tail.head, b.tail.frontier-1) // the newest messages may have vanished since the run began
		}
		return b.tail.listAll(ctx, archive.StatusComplete)
	case errors.Is(stopped, chat.ErrGone) && b.tail.genesis != nil:
		if err := b.tail.hopSurely(ctx); err != nil {
			return err // where time is up and the run is handed on, the next batch finds the group gone, too
		}
		if err := b.tail.listAll(ctx, archive.StatusGone); err != nil {
			return err
		}
	}
	return stopped
}

// stand records a verdict and ends the run, but for the trails of a stream that is gone.
func (b *batch) stand(ctx context.Context, v *verdict, lease *archive.Lease) {
	b.outcome, b.code = Outcome(v.status), v.code
	b.Log.Warn().Str("status", v.status).Str("code", v.code).Msg(v.text)
	failure := b.hints.failure(v.code, v.text, b.tail.frontier)
	if v.crc64 != "" {
		failure.Frontier, failure.CRC64 = v.lo, v.crc64
	}
	b.hints.end(ctx, b.tail.place(), b.haul, v.status, failure, lease)
}

// handOver publishes the continuation, then writes the state. Whatever stopped the batch, the next one tries again from
// the frontier.
func (b *batch) handOver(ctx context.Context, stopped error) error {
	if !timeUp(stopped) {
		b.Log.Warn().Str("code", codeOf(stopped)).Err(stopped).Msg("the batch stopped early; the next one goes on")
	}
	if err := b.publish(ctx, Continuation{Head: b.tail.head, Run: b.runID}); err != nil {
		return b.fail(ctx, err)
	}
	b.hints.end(ctx, b.tail.place(), b.haul, archive.StatusRunning, nil, b.hints.handedOver())
	return nil
}

// goOn publishes a continuation for the trails of a stream whose messages are listed; it begins a new run. Should that fail,
// the next tick follows them.
func (b *batch) goOn(ctx context.Context, gone *verdict) error {
	err := b.publish(ctx, Continuation{})
	var lease *archive.Lease
	if err == nil {
		lease = b.hints.handedOver()
	} else {
		b.outcome = Complete
		b.Log.Warn().Err(err).Msg("the trails are left to the next tick")
	}
	if gone != nil {
		b.stand(ctx, gone, lease)
		return nil
	}
	b.hints.end(ctx, b.tail.place(), b.haul, archive.StatusComplete, nil, lease)
	return nil
}

// publish hands on to the next batch, which continues from the frontier.
func (b *batch) publish(ctx context.Context, next Continuation) error {
	next.Cursor, next.After, next.Hop, next.Writer = b.tail.frontier, b.tail.after, b.hops+1, b.writer
	raw, err := next.encode()
	if err != nil {
		return err
	}
	if !b.Keep {
		// A crash right after this: the redelivered event hops to the cursor and pulls beside the new batch; one of them
		// loses the next PUT and ends.
		if err := b.Requeuer.Continue(ctx, b.Stream, raw); err != nil {
			return fmt.Errorf("publish the continuation: %w", err)
		}
	}
	b.handed, b.outcome = raw, Continued
	return nil
}

// fail records what the platform is to mend by delivering the event again.
func (b *batch) fail(ctx context.Context, err error) error {
	b.hints.fail(ctx, b.tail.place(), b.haul, err)
	return err
}

// timeUp reports whether a batch was stopped by nothing but the end of its time.
func timeUp(err error) bool { return errors.Is(err, errTimeUp) || errors.Is(err, errListingTimeUp) }

// noProgress says what an operator can do where a batch was too short to move anything.
func noProgress(err error, frontier chat.Seq) error {
	if !timeUp(err) {
		return err
	}
	return fmt.Errorf("%w at seq %d; raise the function's time limit or CHAT_QPS: %w", errNoProgress, frontier, err)
}
