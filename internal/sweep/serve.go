package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// work serves streams until all are done, or tried, or time is up. Its error is for the platform; no stream's failure is.
func (l *lane) work(ctx context.Context) error {
	group, joint := errgroup.WithContext(ctx)
	serve := func(concurrency int, long bool) { // one stream after the other
		group.Go(func() error {
			return panics.Logged(l.Log, func() error {
				for {
					o, ok, err := l.take(joint, long)
					if ok {
						err = l.one(joint, o, concurrency)
					}
					if !ok || err != nil {
						return err
					}
				}
			})
		})
	}
	for range longWorkers {
		serve(max(1, l.Settings.Concurrency/4), true)
	}
	for range max(1, l.Settings.Concurrency/2) {
		serve(1, false)
	}
	return errors.Join(group.Wait(), context.Cause(ctx))
}

// take gives out the most urgent stream, or the most urgent of the short ones. It reports false if there is none, or no time
// for one.
func (l *lane) take(ctx context.Context, long bool) (open, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.timeIsUp() && ctx.Err() == nil {
		n := slices.IndexFunc(l.waiting, func(o open) bool { return !o.Behind && (long || !o.long()) })
		enough := l.Next.Ended || len(l.waiting) > pieceItems
		if n < 0 && enough {
			n = l.behind()
		}
		if n >= 0 {
			o := l.waiting[n]
			l.waiting = slices.Delete(l.waiting, n, n+1)
			return o, true, nil
		}
		if enough {
			break
		}
		if err := l.readOn(ctx); err != nil {
			return open{}, false, err
		}
	}
	return open{}, false, nil
}

// behind returns which of the streams that come behind all messages has the oldest files; -1 if there is none, or a stream waits
// for its messages.
func (l *lane) behind() int {
	first := -1
	for n := range l.waiting {
		o := &l.waiting[n]
		if !o.Behind {
			return -1
		}
		if first < 0 || o.Files > 0 && (l.waiting[first].Files == 0 || o.Files < l.waiting[first].Files) {
			first = n
		}
	}
	return first
}

// readOn reads the next piece of the plan. The workers wait meanwhile: it is one read for many streams.
func (l *lane) readOn(ctx context.Context) error {
	key := layout.SweepPlanPiece(l.id, l.Next.Piece)
	h, items, _, err := readLines[item](ctx, l.objects, key)
	if errors.Is(err, objstore.ErrNotExist) && l.Next.Piece > 0 {
		// Two deliveries of the batch that planned may have known unlike much, and planned unlike much. What is not here is
		// due again in the next sweep.
		l.Log.Warn().Str("key", key).Msg("the plan ends early; the next sweep takes up what it lacks")
		l.Next.Ended = true
		return nil
	}
	if err != nil {
		return err
	}
	n := l.Next.Piece * pieceItems
	for i, err := range items {
		if err != nil {
			return err
		}
		if n++; possible(i.Stream) { // one line is not to cost all the others
			l.waiting = append(l.waiting, open{item: i, Rank: n})
		}
	}
	l.Next = planPlace{l.Next.Piece + 1, h.Last}
	return nil
}

// one does a batch of one stream.
func (l *lane) one(ctx context.Context, o open, concurrency int) error {
	log := l.Log.With().Str("group_id", o.GroupID).Str("topic_id", o.TopicID).Logger()
	req := export.Request{
		Stream: o.Stream, Continuation: o.Continuation, Owner: laneOwner, RequestID: l.RequestID, Deadline: l.end, Log: log,
		Keep: true, Concurrency: concurrency, MessagesOnly: !o.Trails, TrailsOnly: o.Trails,
	}
	if told, _ := archive.RunStart(l.id); o.Seen.Create > 0 && o.Attempts == 0 { // earlier than any group was looked at
		req.Known = &export.Known{
			At: told, Facts: chat.Facts{CreateTime: o.Seen.Create, NextSeq: o.Seen.Next, LastTime: o.Seen.Last}, ArchivedCreateTime: o.CreateTime,
		}
	}
	began := time.Now()
	bounded, cancel := context.WithDeadline(ctx, l.end)
	result, err := l.Engine.Run(bounded, req)
	cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Observe != nil {
		l.Observe(log, result, err)
	}
	return l.note(o, result, err, began)
}

// note files what a batch of a stream came to.
func (l *lane) note(o open, r export.Result, err error, began time.Time) error {
	looked, changed := r.Looked()
	l.summary.Tally.join(Tally{
		Messages: r.Counts.Lines(), Chunks: int64(r.Chunks), Bytes: r.Bytes, Calls: r.Calls, Throttled: r.Throttled,
		Files: r.Media.Counts[archive.MediaStored], FileBytes: r.Media.Bytes, Looked: looked, Changed: changed,
	})
	// The engine has warned of what expired behind the frontier. What was gone before the archive began is for the report
	// only: a first sweep would warn of every old group, and nobody could have done anything about it.
	if expired := int64(r.Missed) + r.Counts.Expired; expired > 0 {
		l.Expired.add(Named{Stream: o.Stream, Seqs: expired})
	}
	again := err != nil
	switch {
	case err != nil && export.OutOfTime(err) && l.timeIsUp():
		if began.Sub(l.start) < l.lastStart.Sub(l.start)/2 {
			o.Rank = l.Next.Piece*pieceItems + 1 // or its own: it had most of the batch, and goes behind the others that are there
		}
		l.later = append(l.later, o)
		return nil
	case err != nil && notTheirs(err):
		if l.refused++; l.refused >= stuckAfter && !l.served {
			return fmt.Errorf("%w, the last one with: %w", errStuck, err)
		}
	case err != nil:
	case o.Trails && r.Next != nil: // also where the stream is gone
		l.moved = true
		l.later = append(l.later, o)
		return nil
	case r.Outcome == export.Continued:
		l.moved = true
		o.Continuation, o.New, o.Attempts = r.Next, int64(r.Head-r.Frontier+1), 0
		l.later = append(l.later, o)
		return nil
	default:
		again = r.Outcome == export.LostRace || r.Outcome == export.AlreadyRunning
	}
	l.served = l.served || err == nil
	if o.Attempts++; again && o.Attempts < maxAttempts {
		l.moved = true
		l.later = append(l.later, o)
		return nil
	}
	l.finished(&o, r, err, began)
	if !o.Trails && o.follows(time.Now()) { // once no stream has messages left
		o.Trails, o.Behind, o.Continuation, o.Attempts = true, !o.urgent(time.Now(), l.Settings.Retention), nil, 0
		l.waiting = append(l.waiting, o)
	}
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
func (l *lane) suspect() {
	if all := l.Tally; all.Messages == 0 && l.done >= refusedFrom && l.noRights == l.done && all.Outcomes[archive.StatusUnsupported] == sum(all.Outcomes) {
		l.Log.Warn().Int("streams", l.done).
			Msg("the service refuses every stream of this lane; the likely cause is that CHAT_ADMIN has lost its rights: make it an admin account of the app again")
	}
}

// finished notes how a stream ended for this sweep.
func (l *lane) finished(o *open, r export.Result, err error, began time.Time) {
	text := ""
	if err != nil {
		r.Outcome, text = archive.StatusFailed, err.Error()
	}
	o.learn(o.Seen, r, began, time.Now())
	l.lines.add(resultLine{Done: &o.record})
	l.done++
	if r.Code == codeParameter || r.Code == codePermission {
		l.noRights++
	}
	if !o.Trails { // else it was counted before, or is none of those that were due
		l.summary.Tally.join(Tally{Outcomes: map[string]int{string(r.Outcome): 1}})
	}
	if r.Outcome != export.Complete {
		l.Failures.add(Named{Stream: o.Stream, Outcome: string(r.Outcome), Code: r.Code, Text: text})
	}
}
