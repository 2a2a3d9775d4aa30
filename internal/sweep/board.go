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

// board divides the streams of a batch among its workers.
type board struct {
	*lane

	known time.Time // when the app told the news of streams

	mu          sync.Mutex // of what follows
	short, long queue
	later       []open // for the next batch

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
	b := &board{lane: l, lines: newLines(), short: queue{next: l.Short}, long: queue{long: true, next: l.Long}}
	b.known, _ = archive.RunStart(l.id) // earlier than any group was looked at: what is known is at most as old
	slices.SortStableFunc(l.opens, func(a, b open) int {
		return cmp.Or(cmp.Compare(a.Stuck, b.Stuck), cmp.Compare(a.Rank, b.Rank))
	})
	for _, o := range l.opens {
		q := &b.short
		if o.long() {
			q = &b.long
		}
		q.waiting = append(q.waiting, o)
	}
	return b
}

// work serves streams until all are done, or tried, or time is up. Its error is for the platform; no stream's failure is.
func (b *board) work(ctx context.Context) error {
	group, joint := errgroup.WithContext(ctx)
	serve := func(concurrency int, queues ...*queue) { // one stream after the other
		group.Go(func() error {
			return panics.Logged(b.Log, func() error {
				for {
					o, ok, err := b.take(joint, queues)
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
		serve(max(1, b.Settings.Concurrency/4), &b.long, &b.short)
	}
	for range max(1, b.Settings.Concurrency/2) {
		serve(1, &b.short)
	}
	return errors.Join(group.Wait(), context.Cause(ctx))
}

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
			o.Stuck++ // or its own: it had most of the batch
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
		o.Continuation, o.New, o.Attempts, o.Stuck = r.Next, int64(r.Head-r.Frontier+1), 0, 0
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
