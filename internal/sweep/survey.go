package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

const (
	// reserveShare of a batch is kept for the writes at its end.
	reserveShare = 0.1
	minReserve   = 300 * time.Millisecond
	maxReserve   = 10 * time.Second
)

// errNoProgress is wrapped by the error of a batch that found out nothing: its continuation would run for ever.
var errNoProgress = errors.New("batch of the sweep made no progress")

// survey is one batch of a sweep before its lane begins: it lists, and plans when all is listed.
type survey struct {
	*Sweeper
	Request

	spec    Spec
	objects shelf
	start   time.Time

	pointer pointer
	id      string

	part  int // the part that comes next
	place place
	at    time.Time // of the newest part: what the plan is made by
	seen  *snapshot

	prior *prior // what became of the base sweep's lane; nil until it was looked at

	summary Summary
}

// survey does one batch: c is nil for a tick.
func (s *Sweeper) survey(ctx context.Context, spec Spec, c *Continuation, req Request) (Summary, error) {
	v := &survey{
		Sweeper: s, Request: req, spec: spec, objects: s.shelf(), start: time.Now(), seen: newSnapshot(),
	}
	err := v.run(ctx, c)
	v.summary.Sweep, v.summary.Batch, v.summary.Groups = v.id, v.part, v.seen.counts.Total
	v.summary.Elapsed = time.Since(v.start)
	return v.summary, err
}

func (v *survey) run(ctx context.Context, c *Continuation) error {
	if err := v.loadPointer(ctx); err != nil {
		return err
	}
	done, err := v.begin(ctx, c)
	if done || err != nil {
		return err
	}
	v.Log = v.Log.With().Str("sweep", v.id).Logger()
	listed := false
	for ; !v.place.Done; listed = true {
		if done, err := v.listPart(ctx); done || err != nil {
			return err
		}
	}
	// A plan is not made in what little time a listing leaves: whoever reads all that is known needs some.
	if listed && time.Until(v.Deadline) < v.Deadline.Sub(v.start)/2 {
		return v.handOver(ctx)
	}
	return v.makePlan(ctx)
}

// begin finds out which sweep this batch belongs to and how far that is. It reports true if there is nothing to do.
func (v *survey) begin(ctx context.Context, c *Continuation) (bool, error) {
	now := time.Now()
	switch {
	case c != nil && ahead(c.ID, now):
		v.Log.Warn().Msg("the continuation names a sweep that has not begun; the next sweep goes on")
		v.summary.Outcome = Lost
		return true, nil
	case c != nil:
		v.id = c.ID
		if v.pointer.overtook(v.id, now) {
			v.summary.Outcome = LostRace
			return true, nil
		}
	case v.pointer.leased(v.Owner, now):
		v.summary.Outcome = AlreadyRunning
		return true, nil
	case v.pointer.unfinished(v.Owner, now):
		v.id = v.pointer.Current.ID // a redelivery goes on where its predecessor died
	default:
		if err := v.adopt(ctx); err != nil {
			return false, err
		}
		if err := v.lookAtLane(ctx); err != nil {
			return false, err
		}
		if v.prior.alive && !v.spec.Takeover {
			v.summary.Outcome = AlreadyRunning
			return true, nil
		}
		v.id = archive.NewRunID(now)
	}
	fresh := v.pointer.Current.ID != v.id
	if err := v.lease(ctx, v.Deadline); err != nil {
		return false, err
	}
	if fresh && c == nil {
		return false, nil // nothing of it can be there yet
	}
	return v.resume(ctx)
}

// lease keeps other ticks away. A crash right after it: the redelivered event has the same owner and goes on with the
// same sweep; others wait at most until it ends.
func (v *survey) lease(ctx context.Context, until time.Time) error {
	c := v.pointer.Current
	if c.ID == v.id && c.Owner != "" && !c.Until.Before(until) {
		return nil // the hand-over's lease lasts long enough
	}
	owner := v.Owner
	if c.ID == v.id && c.Owner != "" {
		owner = c.Owner // a continuation keeps the lease of the tick
	}
	v.pointer.Current = current{ID: v.id, Owner: owner, Until: until.UTC()}
	return v.savePointer(ctx)
}

// resume reads the parts that are there already, and whether the sweep has been planned.
func (v *survey) resume(ctx context.Context) (bool, error) {
	var plan planObject
	switch err := v.objects.readJSON(ctx, layout.SweepPlan(v.id), &plan); {
	case err == nil:
		return true, v.startLane(ctx, plan)
	case !errors.Is(err, objstore.ErrNotExist):
		return false, err
	}
	for ; !v.place.Done; v.part++ {
		body, _, err := v.objects.read(ctx, layout.SweepInfo(v.id, v.part))
		if errors.Is(err, objstore.ErrNotExist) {
			break
		}
		if err != nil {
			return false, err
		}
		header, err := v.seen.read(body)
		if err != nil {
			return false, fmt.Errorf("part %d: %w", v.part, err)
		}
		v.place, v.at = header.Next, header.At
	}
	return false, nil
}

// reserved returns when a batch ends all but the writes at its end.
func reserved(start, deadline time.Time) time.Time {
	total := deadline.Sub(start)
	return deadline.Add(-min(retry.Share(total, reserveShare, minReserve, maxReserve), total/2))
}

// listPart looks at more groups and writes what it saw as the next part. It reports true if the batch is over.
func (v *survey) listPart(ctx context.Context) (bool, error) {
	lines := newLines()
	l := v.listing(v.start, reserved(v.start, v.Deadline), v.seen.groups)
	l.spec, l.log, l.place, l.unlisted = v.spec, v.Log, v.place, slices.Clone(v.seen.unlisted)
	l.keep = func(line *sightLine) {
		lines.add(line)
		v.seen.take(line)
	}
	bounded, cancel := context.WithDeadline(ctx, v.Deadline.Add(-v.Deadline.Sub(v.start)/20))
	failure := l.run(bounded)
	cancel()
	for _, c := range []*retry.Caller{l.caller, l.lists, l.quick} {
		v.summary.Calls += c.Counts().Calls
	}
	switch still := l.kept == 0 && l.place == v.place; {
	case l.refused > 0 && !v.seen.groups.answered && !l.place.Done:
		return false, cmp.Or(failure, errNoGroup) // the next batch would fare no better
	case failure != nil && (still || l.kept == 0 && !errors.Is(failure, errTimeUp)):
		return false, failure
	case still && !l.place.Done:
		return false, fmt.Errorf("%w: time was up before a group was looked at; raise the function's time limit", errNoProgress)
	}
	header := partHeader{
		envelope{format, v.id}, v.part, time.Now().UTC().Truncate(time.Second), l.place, l.unlisted[len(v.seen.unlisted):],
	}
	w, err := lines.close(header)
	if err != nil {
		return false, err
	}
	// A crash right after this write: the redelivered event, or the next batch, goes on behind this part.
	taken, object, err := v.objects.create(ctx, layout.SweepInfo(v.id, v.part), w)
	switch {
	case err != nil:
		return false, err
	case taken != nil && v.objects.Since(object.LastModified):
		v.summary.Outcome = LostRace
		return true, nil
	case taken != nil: // whoever wrote it died: the next batch goes on behind it
		return true, v.handOver(ctx)
	}
	v.seen.unlisted, v.place, v.at = l.unlisted, l.place, header.At
	v.part++
	if failure != nil {
		v.Log.Warn().Err(failure).Msg("listing stopped early; the next batch goes on")
	}
	if failure == nil && (l.place.Done || !l.timeIsUp()) {
		return false, nil
	}
	return true, v.handOver(ctx)
}

// handOver continues the sweep in another invocation.
func (v *survey) handOver(ctx context.Context) error {
	// A crash right after this: the redelivered event goes on at the same part, and one of the two loses the next.
	if err := v.publish(ctx, v.spec, Continuation{ID: v.id, Part: v.part}); err != nil {
		return fmt.Errorf("publish the sweep's continuation: %w", err)
	}
	v.summary.Outcome = Continued
	// Without it a tick may begin a second sweep beside this one, which costs calls and nothing else.
	if err := v.lease(ctx, time.Now().Add(handover)); err != nil {
		v.Log.Warn().Err(err).Msg("lease of the sweep is not extended")
	}
	return nil
}
