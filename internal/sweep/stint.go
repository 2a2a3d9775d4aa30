package sweep

import (
	"context"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/retry"
)

const (
	// reserveShare of a batch is kept for the writes at its end.
	reserveShare = 0.1
	minReserve   = 300 * time.Millisecond
	maxReserve   = 10 * time.Second
	// landingShare of a batch is too little for anything to be begun: what is under way comes to its end.
	landingShare = 0.25
	maxLanding   = 5 * time.Second

	// turn is how long a lane works before it makes place for a sweep that waits.
	turn = time.Hour
	// rereadAfter is how long another's hand-over may be between its read of the pointer and its write.
	rereadAfter = 5 * time.Second
)

// stint is one batch of a sweep, whether it lists, plans, or works through the plan.
type stint struct {
	*Sweeper
	Request

	spec    Spec
	id      string // of the sweep
	objects shelf
	pointer pointer // as it was read last
	summary Summary

	// Calls and streams are begun until lastStart and cut off at end; the writes that follow must be over at Deadline.
	start, lastStart, end time.Time
}

func (s *Sweeper) stint(spec Spec, id string, req Request) stint {
	start := time.Now()
	total := req.Deadline.Sub(start)
	end := req.Deadline.Add(-min(retry.Share(total, reserveShare, minReserve, maxReserve), total/2))
	return stint{
		Sweeper: s, Request: req, spec: spec, id: id, objects: s.shelf(), summary: Summary{Sweep: id},
		start: start, lastStart: end.Add(-retry.Share(total, landingShare, 0, maxLanding)), end: end,
	}
}

func (s *stint) timeIsUp() bool { return !time.Now().Before(s.lastStart) }

// lifetime is how long a sweep that shows nothing is taken for alive: its next batch may wait in the queue, and last as
// long as this one may.
func (s *stint) lifetime() time.Duration { return handover + s.Deadline.Sub(s.start) }

// goOn ends a batch: it notes in the pointer how far the sweep is, and publishes what comes next. That is the sweep's next
// batch, or the first one of the sweep that has waited for longest, if this one has ended (next is nil) or had its turn.
func (s *stint) goOn(ctx context.Context, outcome Outcome, next *Continuation) error {
	s.summary.Outcome = outcome
	overtaken, err := s.overtaken(ctx)
	if err != nil {
		return err
	}
	if overtaken {
		return s.giveIn(ctx, next == nil)
	}
	p, now := &s.pointer, time.Now()
	if p.Current.ID != s.id { // the pointer was lost, or written over by who had read it before this sweep began
		p.begin(s.id, s.spec, s.Owner, now)
	}
	switch {
	case next == nil:
		p.planned(s.id, laneEnded, now)
	case outcome == Planned:
		p.planned(s.id, laneStarted, now)
	case s.summary.Lane:
		p.planned(s.id, laneWorks, now)
	}
	switch had := p.Base.ID == s.id && now.Sub(p.Base.At) >= turn; {
	case len(p.Waiting) == 0:
	case next == nil:
		return s.beginNext(ctx)
	case had:
		s.summary.Outcome, p.Base.Lane = GaveWay, laneGave
		return s.beginNext(ctx)
	}
	if p.Current.Until = now.Add(s.lifetime()).UTC(); next == nil {
		p.Current.Until = time.Time{}
	}
	// A crash right after this write: the redelivered event publishes the next batch. Without a redelivery the sweep is lost
	// when its time is over, and the next tick begins another.
	if err := s.savePointer(ctx); err != nil || next == nil {
		return err
	}
	return s.publish(ctx, s.spec, *next)
}

// beginNext begins the sweep that has waited for longest.
func (s *stint) beginNext(ctx context.Context) error {
	p, now := &s.pointer, time.Now()
	p.begin(laterID(p.Current.ID, now), p.Waiting[0].Spec, s.Owner, now.Add(s.lifetime()))
	s.Log.Info().Str("next_sweep", p.Current.ID).Msg("the sweep that waits begins")
	// A crash right after this write: the redelivered event publishes the sweep that it began. Without a redelivery that is
	// lost when its time is over, and the next tick begins another.
	if err := s.savePointer(ctx); err != nil {
		return err
	}
	return s.publish(ctx, p.Current.Spec, Continuation{ID: p.Current.ID})
}

// publish hands a sweep on. A crash right after it: the redelivered event publishes it once more, and of two batches that
// do the same the second finds what it would write taken.
func (s *stint) publish(ctx context.Context, spec Spec, c Continuation) error {
	next, err := c.encode()
	if err == nil {
		err = s.Publisher.ContinueSweep(ctx, spec, next)
	}
	if err != nil {
		return fmt.Errorf("hand the sweep on: %w", err)
	}
	return nil
}

// overtaken reads the pointer, and reports whether a later sweep has its place. It looks twice: what is read at the moment
// of a hand-over may be written over.
func (s *stint) overtaken(ctx context.Context) (bool, error) {
	for again := false; ; again = true {
		if err := s.loadPointer(ctx); err != nil {
			return false, err
		}
		if overtaken := s.pointer.overtook(s.id, time.Now()); !overtaken || again {
			return overtaken, nil
		}
		if err := s.pause(ctx); err != nil {
			return false, err
		}
	}
}

// giveIn ends a sweep whose place a later one has. If that one was begun by this very event, it is published: the delivery
// before died before it could. A sweep without a lane waits for another turn, unless the later one covers it.
func (s *stint) giveIn(ctx context.Context, ended bool) error {
	c := s.pointer.Current
	switch {
	case c.Owner == s.Owner && !s.pointer.shown(c.ID):
		return s.publish(ctx, c.Spec, Continuation{ID: c.ID})
	case ended:
		return nil
	}
	s.summary.Outcome = LostRace
	if s.summary.Lane || c.Spec.covers(s.spec) {
		return nil // what is left is planned again
	}
	if err := s.wait(ctx); err != nil || s.pointer.alive(time.Now()) || len(s.pointer.Waiting) == 0 {
		return err
	}
	return s.beginNext(ctx) // the later one has ended already
}

// wait notes the task in the pointer, so that it gets its turn. It reads again what it wrote: a hand-over that had read the
// pointer before may have written over it.
func (s *stint) wait(ctx context.Context) error {
	s.summary.Outcome = Waiting
	for !s.pointer.note(s.spec, time.Now()) {
		if len(s.pointer.Waiting) > maxWaiting {
			return fmt.Errorf("%w: %d others do already", errTooMany, maxWaiting)
		}
		// A crash right after this write: the redelivered event finds the task noted.
		if err := s.savePointer(ctx); err != nil {
			return err
		}
		s.Log.Info().Str("under_way", s.pointer.Current.ID).
			Msg("the sweep under way does not cover this one, which waits for its turn")
		if err := s.pause(ctx); err != nil {
			return err
		}
		if err := s.loadPointer(ctx); err != nil {
			return err
		}
		if s.pointer.covers(s.spec, time.Now()) {
			return nil // it has begun meanwhile
		}
	}
	return nil
}

func (s *stint) pause(ctx context.Context) error {
	if err := retry.Sleep(ctx, min(rereadAfter, time.Until(s.Deadline)/4)); err != nil {
		return fmt.Errorf("wait for another hand-over: %w", err)
	}
	return nil
}

// laterID returns the id of a sweep that begins now, behind another in the order of ids, which have whole seconds.
func laterID(before string, now time.Time) string {
	if started, ok := archive.RunStart(before); ok && !ahead(before, now) && !now.After(started.Add(time.Second)) {
		now = started.Add(time.Second)
	}
	return archive.NewRunID(now)
}
