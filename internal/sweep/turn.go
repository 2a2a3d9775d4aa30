package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"chatexport/internal/layout"
	"chatexport/internal/retry"
)

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
	case s.summary.Lane:
		p.planned(s.id, laneWorks, now)
	case outcome == Planned:
		p.planned(s.id, laneStarted, now)
	}
	p.Current.TrailsOnly = s.trailsOnly
	had := s.summary.Lane && (s.trailsOnly || now.Sub(p.Base.At) >= turn)
	if len(p.Waiting) > 0 && (next == nil || had) {
		if next != nil {
			s.summary.Outcome, p.Base.Lane = GaveWay, laneGave
		}
		return s.beginNext(ctx)
	}
	if p.Current.Until = s.nextDeadline().UTC(); next == nil {
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
	// A crash right after this write: the redelivered event publishes the sweep that it began. Without a redelivery that is
	// lost when its time is over, and the next tick begins another.
	if err := s.beginWaiting(ctx, s.nextDeadline()); err != nil {
		return err
	}
	next := s.pointer.Current
	s.Log.Info().Str("next_sweep", next.ID).Msg("the sweep that waits begins")
	return s.publish(ctx, next.Spec, Continuation{ID: next.ID})
}

// beginWaiting puts the sweep that has waited for longest into the place of the one under way. What a crash right after it means,
// each caller says.
func (s *stint) beginWaiting(ctx context.Context, until time.Time) error {
	p := &s.pointer
	p.begin(laterID(p.Current.ID, time.Now()), p.Waiting[0].Spec, s.Owner, until)
	return s.savePointer(ctx)
}

// nextDeadline is until when a sweep that shows nothing is taken for alive: its next batch may wait in the queue, and last as
// long as this one may.
func (s *stint) nextDeadline() time.Time { return time.Now().Add(handover + s.Deadline.Sub(s.start)) }

// publish hands a sweep on. A crash right after it: the redelivered event publishes it once more, and of two batches that
// do the same the second finds what it would write taken.
func (s *stint) publish(ctx context.Context, spec Spec, c Continuation) error {
	next, err := json.Marshal(c)
	if err == nil {
		err = s.Publisher.ContinueSweep(ctx, spec, next)
	}
	if err != nil {
		return fmt.Errorf("hand the sweep on: %w", err)
	}
	return nil
}

// overtaken reads the pointer, and reports whether a later sweep has its place: ids are ordered by time. It looks twice: what
// is read at the moment of a hand-over may be written over.
func (s *stint) overtaken(ctx context.Context) (bool, error) {
	err := s.loadPointer(ctx)
	if err == nil && s.pointer.Current.ID > s.id {
		err = s.reload(ctx)
	}
	return s.pointer.Current.ID > s.id, err
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
	s.summary.Outcome = Waiting
	if free, err := s.wait(ctx); err != nil || !free {
		return err
	}
	return s.beginNext(ctx)
}

// wait notes the task in the pointer, so that it gets its turn. It reads again what it wrote: a hand-over that had read the
// pointer before may have written over it. It reports whether the sweep under way has come to its end meanwhile, and so
// begins nobody.
func (s *stint) wait(ctx context.Context) (free bool, err error) {
	for !s.pointer.note(s.spec, time.Now()) {
		if len(s.pointer.Waiting) > maxWaiting {
			return false, fmt.Errorf("%d sweeps wait for their turn already", maxWaiting)
		}
		// A crash right after this write: the redelivered event finds the task noted.
		if err := s.savePointer(ctx); err != nil {
			return false, err
		}
		s.Log.Info().Str("under_way", s.pointer.Current.ID).
			Msg("the sweep under way does not cover this one, which waits for its turn")
		if err := s.reload(ctx); err != nil {
			return false, err
		}
		if s.pointer.covers(s.spec, time.Now()) {
			return false, nil // it has begun meanwhile
		}
	}
	if !s.pointer.alive(time.Now()) {
		return true, nil
	}
	// The note may have been written over the end.
	_, _, err = s.objects.Get(ctx, layout.SweepReport(s.pointer.Current.ID))
	return err == nil, nil
}

// reload reads the pointer again once a hand-over that had read it before has written it.
func (s *stint) reload(ctx context.Context) error {
	if err := retry.Sleep(ctx, min(rereadAfter, time.Until(s.Deadline)/4)); err != nil {
		return fmt.Errorf("wait for another hand-over: %w", err)
	}
	return s.loadPointer(ctx)
}
