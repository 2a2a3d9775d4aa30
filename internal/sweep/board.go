package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
	"chatexport/internal/retry"
)

const (
	// shortSeqs is the most that a stream may have to archive to be served beside many others: it holds little memory,
	// and no worker for long.
	shortSeqs = 50 * chat.PageSize
	// longWorkers serve the others, so that those neither stop the short ones nor fill the memory: each may hold two chunks.
	longWorkers = 2

	// maxAttempts is how often a stream that fails is tried by one lane, once in a batch.
	maxAttempts = 3
	// refusedFrom streams are taken for all that the app has, if the service refuses every one of them.
	refusedFrom = 3
)

// long reports whether a stream is one of those that few workers serve.
func (i *item) long() bool { return i.New > int64(shortSeqs) }

// board divides the streams of a batch among its workers.
type board struct {
	*lane

	known time.Time // when the app told the news of streams

	mu      sync.Mutex // of what follows
	waiting []open     // in the order in which they are to be served
	next    planPlace  // in the plan, behind these
	later   []open     // for the next batch

	lines    *lines // of the result
	tally    Tally  // of this batch
	over     int    // streams that are done with
	noRights int    // of these, how many were refused as an account without rights is
	failures nameList
	expired  nameList
	moved    bool // some stream got on, though it is not done
	served   bool // some stream did not fail
	refused  int  // streams that failed for a reason that is not theirs
}

func newBoard(l *lane) *board {
	b := &board{lane: l, lines: newLines(), waiting: l.opens, next: l.Next}
	b.known, _ = archive.RunStart(l.id) // earlier than any group was looked at: what is known is at most as old
	slices.SortStableFunc(b.waiting, func(a, b open) int { return cmp.Compare(a.Rank, b.Rank) })
	return b
}

// work serves streams until all are done, or tried, or time is up. Its error is for the platform; no stream's failure is.
func (b *board) work(ctx context.Context) error {
	group, joint := errgroup.WithContext(ctx)
	serve := func(concurrency int, long bool) { // one stream after the other
		group.Go(func() error {
			return panics.Logged(b.Log, func() error {
				for {
					o, ok, err := b.take(joint, long)
					if ok {
						err = b.one(joint, o, concurrency)
					}
					if !ok || err != nil {
						return err
					}
				}
			})
		})
	}
	for range longWorkers {
		serve(max(1, b.Settings.Concurrency/4), true)
	}
	for range max(1, b.Settings.Concurrency/2) {
		serve(1, false)
	}
	return errors.Join(group.Wait(), context.Cause(ctx))
}

// take gives out the most urgent stream, or the most urgent of the short ones. It reports false if there is none, or no time
// for one.
func (b *board) take(ctx context.Context, long bool) (open, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.timeIsUp() && ctx.Err() == nil {
		n := slices.IndexFunc(b.waiting, func(o open) bool { return long || !o.long() })
		if n >= 0 {
			o := b.waiting[n]
			b.waiting = slices.Delete(b.waiting, n, n+1)
			return o, true, nil
		}
		if b.next.Ended || len(b.waiting) > pieceItems {
			break
		}
		if err := b.readOn(ctx); err != nil {
			return open{}, false, err
		}
	}
	return open{}, false, nil
}

// readOn reads the next piece of the plan. The workers wait meanwhile: it is one read for many streams.
func (b *board) readOn(ctx context.Context) error {
	key := layout.SweepPlanPiece(b.id, b.next.Piece)
	h, items, _, err := readLines[item](ctx, b.objects, key)
	if errors.Is(err, objstore.ErrNotExist) && b.next.Piece > 0 {
		// Two deliveries of the batch that planned may have known unlike much, and planned unlike much. What is not here is
		// due again in the next sweep.
		b.Log.Warn().Str("key", key).Msg("the plan ends early; the next sweep takes up what it lacks")
		b.next.Ended = true
		return nil
	}
	if err != nil {
		return err
	}
	n := b.next.Piece * pieceItems
	for i, err := range items {
		if err != nil {
			return err
		}
		if n++; possible(i.Stream) { // one line is not to cost all the others
			b.waiting = append(b.waiting, open{item: i, Rank: n})
		}
	}
	b.next = planPlace{b.next.Piece + 1, h.Last}
	return nil
}

// left returns the streams that the next batch begins with.
func (b *board) left() []open { return slices.Concat(b.waiting, b.later) }

// one does a batch of one stream.
func (b *board) one(ctx context.Context, o open, concurrency int) error {
	log := b.Log.With().Str("group_id", o.GroupID).Str("topic_id", o.TopicID).Logger()
	req := export.Request{
		Stream: o.Stream, Continuation: o.Continuation, Owner: laneOwner, RequestID: b.RequestID, Deadline: b.end, Log: log,
		Keep: true, Concurrency: concurrency,
	}
	if o.Seen.Create > 0 && o.Attempts == 0 {
		req.Known = &export.Known{
			At: b.known, Facts: chat.Facts{CreateTime: o.Seen.Create, NextSeq: o.Seen.Next, LastTime: o.Seen.Last}, ArchivedCreateTime: o.CreateTime,
		}
	}
	began := time.Now()
	bounded, cancel := context.WithDeadline(ctx, b.end)
	result, err := b.Engine.Run(bounded, req)
	cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Observe != nil {
		b.Observe(log, result, err)
	}
	return b.note(o, result, err, began)
}

// note files what a batch of a stream came to.
func (b *board) note(o open, r export.Result, err error, began time.Time) error {
	b.tally.add(r)
	// The engine has warned of what expired behind the frontier. What was gone before the archive began is for the report
	// only: a first sweep would warn of every old group, and nobody could have done anything about it.
	if expired := int64(r.Missed) + r.Counts.Expired; expired > 0 {
		b.expired.add(Named{Stream: o.Stream, Seqs: expired})
	}
	again := err != nil
	switch {
	case err != nil && export.OutOfTime(err) && b.timeIsUp():
		if began.Sub(b.start) < b.lastStart.Sub(b.start)/2 {
			o.Rank = b.next.Piece*pieceItems + 1 // or its own: it had most of the batch, and goes behind the others that are there
		}
		b.later = append(b.later, o)
		return nil
	case err != nil && notTheirs(err):
		if b.refused++; b.refused >= stuckAfter && !b.served {
			return fmt.Errorf("%w, the last one with: %w", errStuck, err)
		}
	case err != nil:
	case r.Outcome == export.Continued:
		b.moved = true
		o.Continuation, o.New, o.Attempts = r.Next, int64(r.Head-r.Frontier+1), 0
		b.later = append(b.later, o)
		return nil
	default:
		again = r.Outcome == export.LostRace || r.Outcome == export.AlreadyRunning
	}
	b.served = b.served || err == nil
	if o.Attempts++; again && o.Attempts < maxAttempts {
		b.moved = true
		b.later = append(b.later, o)
		return nil
	}
	b.finished(o, r, err, began)
	return nil
}

// The codes with which the service refuses an account without rights.
const (
	codeParameter  = "10004" // invalid parameter
	codePermission = "10007" // no permission
)

// notTheirs reports whether a failure would meet every stream: credentials, settings, or the bucket. Streams that fail by
// themselves must never stop a lane, since the most endangered come first in every sweep.
func notTheirs(err error) bool {
	for _, condition := range []error{objstore.ErrDenied, objstore.ErrNoBucket, objstore.ErrVersioned} {
		if errors.Is(err, condition) {
			return true
		}
	}
	r, ok := errors.AsType[refusal](err)
	return ok && r.RetryClass() == retry.Permanent && !ofGroup(err)
}

// suspect warns of what is likely where the service refuses everything that a lane came to. One group may be of a kind
// without history; all of them are not.
func (b *board) suspect(all Tally) {
	if all.Messages == 0 && b.over >= refusedFrom && b.noRights == b.over && all.Outcomes[archive.StatusUnsupported] == sum(all.Outcomes) {
		b.Log.Warn().Int("streams", b.over).
			Msg("the service refuses every stream of this lane; the likely cause is that CHAT_ADMIN has lost its rights: make it an admin account of the app again")
	}
}

// finished notes how a stream ended for this sweep.
func (b *board) finished(o open, r export.Result, err error, began time.Time) {
	text := ""
	if err != nil {
		r.Outcome, text = archive.StatusFailed, err.Error()
	}
	o.learn(o.Seen, r, began, time.Now())
	b.lines.add(resultLine{Done: &o.record})
	b.over++
	if r.Code == codeParameter || r.Code == codePermission {
		b.noRights++
	}
	b.tally.ended(string(r.Outcome))
	if r.Outcome != export.Complete {
		b.failures.add(Named{Stream: o.Stream, Outcome: string(r.Outcome), Code: r.Code, Text: text})
	}
}
