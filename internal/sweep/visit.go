package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

const (
	// reserveShare of a batch is kept for the writes at its end.
	reserveShare = 0.2
	minReserve   = 300 * time.Millisecond
	maxReserve   = 20 * time.Second
)

// errNoProgress is wrapped by the error of a batch that found out nothing: its continuation would run for ever.
var errNoProgress = errors.New("batch of the sweep made no progress")

// visit is one batch of a sweep.
type visit struct {
	*Sweeper
	Request

	spec  Spec
	shelf *shelf
	log   zerolog.Logger
	start time.Time
	calls atomic.Int64

	pointer pointer
	id      string

	part   int // the part that this batch writes
	place  place
	at     time.Time  // of the newest part: what the plan is made by
	groups []infoLine // of all parts so far
	// unlisted are the lists that were given up by all parts so far.
	unlisted []listFailure

	listed bool // this batch has looked at groups
	known  map[chat.Stream]*record
	prior  *prior // what became of the base sweep's lane; nil until it was looked at

	summary Summary
}

// sweepBatch does one batch of the planning of a sweep: c is nil for a tick.
func (s *Sweeper) sweepBatch(ctx context.Context, spec Spec, c *Continuation, req Request) (Summary, error) {
	v := &visit{
		Sweeper: s, Request: req, spec: spec, shelf: &shelf{Store: s.Store}, log: req.Log, start: time.Now(),
	}
	err := v.run(ctx, c)
	v.summary.Sweep, v.summary.Batch, v.summary.Groups = v.id, v.part, len(v.groups)
	v.summary.Calls, v.summary.Elapsed = v.calls.Load(), time.Since(v.start)
	return v.summary, err
}

func (v *visit) run(ctx context.Context, c *Continuation) error {
	if err := v.loadPointer(ctx); err != nil {
		return err
	}
	done, err := v.begin(ctx, c)
	if done || err != nil {
		return err
	}
	v.log = v.log.With().Str("sweep", v.id).Logger()
	return v.advance(ctx)
}

// begin finds out which sweep this batch belongs to and how far that is. It reports true if there is nothing to do.
func (v *visit) begin(ctx context.Context, c *Continuation) (bool, error) {
	now := time.Now()
	switch {
	case c != nil && ahead(c.ID, now):
		v.log.Warn().Msg("the continuation names a sweep that has not begun; the next sweep goes on")
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
func (v *visit) lease(ctx context.Context, until time.Time) error {
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
func (v *visit) resume(ctx context.Context) (bool, error) {
	body, _, err := v.shelf.get(ctx, layout.SweepPlan(v.id))
	if err == nil {
		var plan planObject
		if err := readJSON(body, &plan); err != nil {
			return false, fmt.Errorf("read %s: %w", layout.SweepPlan(v.id), err)
		}
		return true, v.startLane(ctx, plan)
	}
	if !errors.Is(err, objstore.ErrNotExist) {
		return false, fmt.Errorf("look for the sweep's plan: %w", err)
	}
	for !v.place.Done {
		body, _, err := v.shelf.get(ctx, layout.SweepInfo(v.id, v.part))
		if errors.Is(err, objstore.ErrNotExist) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read a part of the sweep: %w", err)
		}
		if err := v.take(body); err != nil {
			return false, err
		}
	}
	return false, nil
}

// take adds a part that an earlier batch, or another delivery of this one, has written.
func (v *visit) take(body []byte) error {
	header, groups, err := decodeInfo(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", layout.SweepInfo(v.id, v.part), err)
	}
	v.groups, v.unlisted = append(v.groups, groups...), append(v.unlisted, header.Unlisted...)
	v.place, v.at = header.Next, header.At
	v.part++
	return nil
}

// advance lists what is left and, when all is listed, plans.
func (v *visit) advance(ctx context.Context) error {
	if !v.place.Done {
		v.listed = true
		done, err := v.listMore(ctx)
		if done || err != nil {
			return err
		}
	}
	return v.makePlan(ctx)
}

// budget returns when nothing more is begun.
func (v *visit) budget() time.Time {
	total := v.Deadline.Sub(v.start)
	reserve := min(retry.Share(total, reserveShare, minReserve, maxReserve), total/2)
	return v.Deadline.Add(-reserve)
}

// listMore looks at more groups and writes what it saw as the next part. It reports true if the batch is over.
func (v *visit) listMore(ctx context.Context) (bool, error) {
	began := time.Now().UTC().Truncate(time.Second)
	s := v.scan()
	bounded, cancel := context.WithDeadline(ctx, v.Deadline.Add(-time.Until(v.Deadline)/20))
	failure := s.run(bounded)
	cancel()
	if failure != nil && len(s.groups) == 0 && (s.place == v.place || !errors.Is(failure, errTimeUp)) {
		return false, failure
	}
	if !s.place.Done && len(s.groups) == 0 && s.place == v.place {
		return false, fmt.Errorf("%w: time was up before a group was looked at; raise the function's time limit", errNoProgress)
	}
	now := time.Now().UTC().Truncate(time.Second)
	header := infoHeader{
		envelope: envelope{format, v.id}, Part: v.part, Began: began, At: now, Next: s.place,
		Unlisted: s.unlisted[len(v.unlisted):],
	}
	w, err := encodeInfo(header, s.groups)
	if err != nil {
		return false, err
	}
	// A crash right after this write: the redelivered event, or the next batch, goes on behind this part.
	taken, object, err := v.shelf.create(ctx, layout.SweepInfo(v.id, v.part), w)
	if err != nil {
		return false, fmt.Errorf("write part of the sweep: %w", err)
	}
	if taken != nil {
		if v.shelf.alive(object) {
			v.summary.Outcome = LostRace
			return true, nil
		}
		if err := v.take(taken); err != nil {
			return false, err
		}
	} else {
		for i := range s.groups {
			s.groups[i].looked = header.looked()
		}
		v.groups, v.unlisted = append(v.groups, s.groups...), s.unlisted
		v.place, v.at = s.place, now
		v.part++
	}
	if failure != nil {
		v.log.Warn().Err(failure).Msg("listing stopped early; the next batch goes on")
	}
	if v.place.Done && time.Now().Before(v.budget()) {
		return false, nil
	}
	return true, v.handOver(ctx)
}

// scan returns the scan that goes on behind the parts that are there.
func (v *visit) scan() *scan {
	s := &scan{
		Sweeper: v.Sweeper, spec: v.spec, start: time.Now(), until: v.budget(), calls: &v.calls, log: v.log,
		place: v.place, unlisted: slices.Clone(v.unlisted), seen: make(map[string]bool, len(v.groups)),
	}
	for i := range v.groups {
		g := &v.groups[i]
		s.seen[g.GroupID] = true
		if g.Code == "" {
			s.answered.Store(true)
		}
		switch {
		case len(g.Topics) > 0:
			s.topicsIn.Store(0)
		case g.TopicsCode != "":
			s.topicsIn.Add(1)
		}
	}
	return s
}

// handOver continues the sweep in another invocation.
func (v *visit) handOver(ctx context.Context) error {
	// A crash right after this: the redelivered event goes on at the same part, and one of the two loses the next.
	if err := v.publish(ctx, v.spec, Continuation{ID: v.id, Part: v.part}); err != nil {
		return fmt.Errorf("publish the sweep's continuation: %w", err)
	}
	v.summary.Outcome = Continued
	// Without it a tick may begin a second sweep beside this one, which costs calls and nothing else.
	if err := v.lease(ctx, time.Now().Add(handover)); err != nil {
		v.log.Warn().Err(err).Msg("lease of the sweep is not extended")
	}
	return nil
}
