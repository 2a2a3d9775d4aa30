package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

const (
	// maxBatch is the longest that an invocation lasts (SCF documentation, 583/11637). A lease that reaches further is a
	// broken clock.
	maxBatch = 15 * time.Minute
	// handover bridges the time that a continuation waits in the queue.
	handover = 10 * time.Minute
	// freshFor is how long a redelivery goes on with what its predecessor began. The platform repeats a minute apart.
	freshFor = time.Hour
	// maxSkew is how far clocks may differ: a sweep that begins later than that has a forged id, or was begun by a broken
	// clock.
	maxSkew = 10 * time.Minute
	// turn is how long a lane works before it makes place for a sweep that waits.
	turn = time.Hour
	// rereadAfter is how long another's hand-over may be between its read of the pointer and its write.
	rereadAfter = 5 * time.Second
	// stale is how old a sweep may be and still cover the tasks of others.
	stale = 20 * time.Hour
	// maxWaiting bounds the pointer. The task {} always finds room: it covers all others.
	maxWaiting = 16
	// longWait is worth a warning: a night's sweep should have begun by the morning.
	longWait = 6 * time.Hour
)

// pointer is state/sweep/latest.json, the only object of sweeps that is overwritten. It is a hint: where it is lost or
// stale, streams are looked at once more that need not be. Whoever writes it has just read it, and never puts an earlier
// sweep in the place of a later one.
type pointer struct {
	envelope

	Current current   `json:"current"`
	Base    base      `json:"base"`
	Waiting []waiting `json:"waiting,omitempty"` // in the order in which they get their turn; none covers another
	At      time.Time `json:"updated_at"`
}

// current is the sweep under way, or the last one.
type current struct {
	ID    string `json:"id,omitempty"`
	Spec  Spec   `json:"task"`
	Owner string `json:"owner,omitempty"` // the event that began it
	// TrailsOnly means that all messages of its plan are archived.
	TrailsOnly bool      `json:"trails_only,omitempty"`
	Until      time.Time `json:"until,omitzero"` // one that has shown nothing more by then is lost; zero once it has ended
}

// base is the last sweep that was planned: what it knew, and the results of its lane, are what the next one begins with.
type base struct {
	ID   string    `json:"id,omitempty"`
	At   time.Time `json:"at,omitzero"` // when it was planned
	Lane laneState `json:"lane"`
}

// laneState is how far the lane of a sweep is known to be.
type laneState string

const (
	laneStarted laneState = ""         // its first event was published, or was to be
	laneWorks   laneState = "at_work"  // it has a result
	laneGave    laneState = "gave_way" // it has made place for a sweep that waited
	laneEnded   laneState = "ended"    // or nothing was due
)

// waiting is a task that gets its turn.
type waiting struct {
	Spec  Spec      `json:"task"`
	Since time.Time `json:"since"`
}

// pointer reads the pointer; the zero one if there is none. The error may be that it is unreadable.
func (s shelf) pointer(ctx context.Context) (pointer, error) {
	var p pointer
	err := s.readJSON(ctx, layout.SweepLatest(), &p)
	if errors.Is(err, objstore.ErrNotExist) {
		return pointer{}, nil
	}
	if err != nil {
		return pointer{}, err
	}
	if !begun(p.Current.ID, time.Now()) { // by a broken clock: it would be the latest for ever
		p.Current = current{}
	}
	if !validID(p.Base.ID) {
		p.Base = base{}
	}
	return p, nil
}

// loadPointer reads the pointer anew.
func (s *stint) loadPointer(ctx context.Context) error {
	var err error
	s.pointer, err = s.objects.pointer(ctx)
	switch {
	case unreadable(err):
		s.Log.Warn().Err(err).Msg("pointer is unreadable and ignored; every stream is looked at")
	case err != nil:
		return err
	}
	for _, w := range s.pointer.Waiting {
		if waited := time.Since(w.Since); waited > longWait {
			s.Log.Warn().Int64("waited_ms", waited.Milliseconds()).Msg("a sweep has waited for its turn for long; sweep less often, or raise CHAT_QPS")
		}
	}
	return nil
}

// savePointer overwrites the pointer. What a crash right after it means, each caller says.
func (s *stint) savePointer(ctx context.Context) error {
	s.pointer.Format, s.pointer.At = format, time.Now().UTC()
	w, err := encodeJSON(s.pointer)
	if err == nil {
		_, err = s.objects.Overwrite(ctx, layout.SweepLatest(), w)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", layout.SweepLatest(), err)
	}
	return nil
}

// begin puts a sweep into the place of the one under way. What it covers need not wait any more.
func (p *pointer) begin(id string, spec Spec, owner string, until time.Time) {
	p.Current = current{ID: id, Spec: spec, Owner: owner, Until: until.UTC()}
	p.Waiting = slices.DeleteFunc(p.Waiting, func(w waiting) bool { return spec.covers(w.Spec) })
}

// planned notes how far the lane of a sweep is, which the next one begins with.
func (p *pointer) planned(id string, lane laneState, now time.Time) {
	if p.Base.ID != id {
		p.Base = base{ID: id, At: now.UTC()}
	}
	if lane != laneStarted { // else a late delivery of who started it
		p.Base.Lane = lane
	}
}

// note has a task wait, in the place of the first one that it covers. It reports whether it did already.
func (p *pointer) note(spec Spec, now time.Time) bool {
	covered := func(w waiting) bool { return spec.covers(w.Spec) }
	if slices.ContainsFunc(p.Waiting, func(w waiting) bool { return w.Spec.covers(spec) }) {
		return true
	}
	at, since := len(p.Waiting), now.UTC()
	if n := slices.IndexFunc(p.Waiting, covered); n >= 0 {
		at, since = n, p.Waiting[n].Since
	}
	p.Waiting = slices.Insert(slices.DeleteFunc(p.Waiting, covered), at, waiting{spec, since})
	return false
}

// alive reports whether a sweep is, or may be, under way.
func (p *pointer) alive(now time.Time) bool {
	return now.Before(p.Current.Until) && !p.Current.Until.After(now.Add(handover+maxBatch+time.Minute))
}

// covers reports whether the sweep under way exports all that a task asks for. One that is old, or has only trails left, does
// not: it knows nothing of what came since.
func (p *pointer) covers(spec Spec, now time.Time) bool {
	started, ok := archive.RunStart(p.Current.ID)
	return ok && now.Sub(started) < stale && !p.Current.TrailsOnly && p.Current.Spec.covers(spec)
}

// shown reports whether the lane of a sweep is known to work, or to be over.
func (p *pointer) shown(id string) bool {
	return p.Base.ID == id && p.Base.Lane != laneStarted
}

// unfinished reports whether an event's own earlier delivery began a sweep and did not come to its end. What was listed
// long ago is not worth going on with: a person's event may have the same bytes every time.
func (p *pointer) unfinished(owner string, now time.Time) bool {
	c := p.Current
	started, ok := archive.RunStart(c.ID)
	return owner != "" && c.Owner == owner && !p.shown(c.ID) && ok && now.Sub(started) < freshFor
}

// begun reports whether an id is that of a sweep that may have begun.
func begun(id string, now time.Time) bool {
	started, _ := archive.RunStart(id)
	return validID(id) && !started.After(now.Add(maxSkew))
}

// laterID returns the id of a sweep that begins now, behind another in the order of ids, which have whole seconds.
func laterID(before string, now time.Time) string {
	if started, ok := archive.RunStart(before); ok && !now.After(started.Add(time.Second)) {
		now = started.Add(time.Second)
	}
	return archive.NewRunID(now)
}

// validID reports whether a text is the id of a sweep: it becomes part of keys.
func validID(id string) bool {
	_, ok := archive.RunStart(id)
	return ok && len(id) <= 64
}
