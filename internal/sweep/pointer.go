package sweep

import (
	"context"
	"errors"
	"fmt"
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
	// clock. Ids are ordered by time, so such a one would be the latest for ever.
	maxSkew = 10 * time.Minute
)

// pointer is state/sweep/latest.json, the only object of sweeps that is overwritten. It is a hint: where it is lost or
// stale, streams are looked at once more that need not be.
type pointer struct {
	envelope

	Current current   `json:"current"`
	Base    base      `json:"base"`
	At      time.Time `json:"updated_at"`
}

// current is the sweep that is being listed and planned, or was last.
type current struct {
	ID    string    `json:"id,omitempty"`
	Owner string    `json:"owner,omitempty"` // the event that began it; empty once it is planned
	Until time.Time `json:"until,omitzero"`  // of the lease
}

// base is the last sweep that was planned: what it knew, and the results of its lane, are what the next one begins with.
type base struct {
	ID    string    `json:"id,omitempty"`
	Lane  bool      `json:"lane,omitempty"` // something was due
	Until time.Time `json:"until,omitzero"` // until then a lane without a result may still be waiting for its first batch
}

// loadPointer reads the pointer; the zero one if there is none, or none that can be read.
func (v *survey) loadPointer(ctx context.Context) error {
	var p pointer
	err := v.objects.readJSON(ctx, layout.SweepLatest(), &p)
	if err == nil && (p.Current.ID != "" && !validID(p.Current.ID) || p.Base.ID != "" && !validID(p.Base.ID)) {
		err = fmt.Errorf("%w: it names no sweep", errObject)
	}
	switch {
	case err == nil:
		v.pointer = p
	case unreadable(err):
		v.Log.Warn().Err(err).Msg("pointer is unreadable and ignored; every stream is looked at")
	case !errors.Is(err, objstore.ErrNotExist):
		return err
	}
	return nil
}

// savePointer overwrites the pointer.
func (v *survey) savePointer(ctx context.Context) error {
	v.pointer.Format, v.pointer.At = format, time.Now().UTC()
	return v.objects.overwriteJSON(ctx, layout.SweepLatest(), v.pointer)
}

// leased reports whether another event's sweep is under way.
func (p pointer) leased(owner string, now time.Time) bool {
	c := p.Current
	return c.Owner != "" && c.Owner != owner && now.Before(c.Until) && !c.Until.After(now.Add(maxBatch))
}

// unfinished reports whether an event's own earlier delivery began a sweep and did not come to its end. What was listed
// long ago is not worth going on with: a person's event may have the same bytes every time.
func (p pointer) unfinished(owner string, now time.Time) bool {
	c := p.Current
	started, ok := archive.RunStart(c.ID)
	return owner != "" && c.Owner == owner && c.ID != p.Base.ID && ok && now.Sub(started) < freshFor && !ahead(c.ID, now)
}

// overtook reports whether a sweep need not go on: it was planned and its lane was started, or a later one was, or is
// about to be. Ids are ordered by time. One of a time to come is not later: what it knew is as good as any, though.
func (p pointer) overtook(id string, now time.Time) bool {
	planned := p.Base.ID >= id && !ahead(p.Base.ID, now)
	begun := p.Current.ID > id && !ahead(p.Current.ID, now) && p.leased("", now)
	return planned || begun
}

// ahead reports whether a sweep's id is of a time to come.
func ahead(id string, now time.Time) bool {
	started, _ := archive.RunStart(id)
	return started.After(now.Add(maxSkew))
}

// validID reports whether a text is the id of a sweep: it becomes part of keys.
func validID(id string) bool {
	_, ok := archive.RunStart(id)
	return ok && len(id) <= 64
}
