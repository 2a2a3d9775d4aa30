package sweep

import (
	"context"
	"encoding/json"
	"time"

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
)

// stint is one batch of a sweep, whether it lists, plans, or works through the plan.
type stint struct {
	*Sweeper
	Request

	spec       Spec
	id         string // of the sweep; empty in a tick until it is known
	objects    shelf
	pointer    pointer // as it was read last
	trailsOnly bool    // the lane has no messages left

	summary Summary // its outcome is set when the batch has nothing left to do

	// Calls and streams are begun until lastStart and cut off at end; the writes that follow must be over at Deadline.
	start, lastStart, end time.Time
}

// Run does one batch of a sweep: next is what the Publisher was given, nil for a tick. A nil error means that the event
// is done with.
func (s *Sweeper) Run(ctx context.Context, spec Spec, next []byte, req Request) (Summary, error) {
	var c Continuation
	if len(next) > 0 {
		var ok bool
		if c, ok = parseContinuation(next); !ok {
			req.Log.Warn().Msg("the continuation names no batch of a sweep; the next sweep goes on")
			return Summary{Outcome: Lost}, nil
		}
	}
	b := s.stint(spec, c.ID, req)
	var err error
	if c.Batch != nil {
		err = (&lane{stint: b, batch: *c.Batch, lines: newLines()}).run(ctx)
	} else {
		err = (&survey{stint: b, seen: newSnapshot()}).run(ctx)
	}
	b.summary.Sweep, b.summary.Elapsed = b.id, time.Since(b.start)
	return b.summary, err
}

func (s *Sweeper) stint(spec Spec, id string, req Request) *stint {
	start := time.Now()
	total := req.Deadline.Sub(start)
	end := req.Deadline.Add(-min(retry.Share(total, reserveShare, minReserve, maxReserve), total/2))
	return &stint{
		Sweeper: s, Request: req, spec: spec, id: id, objects: s.shelf(),
		start: start, lastStart: end.Add(-retry.Share(total, landingShare, 0, maxLanding)), end: end,
	}
}

func (s *stint) timeIsUp() bool { return !time.Now().Before(s.lastStart) }

// over reports whether the batch has nothing left to do.
func (s *stint) over() bool { return s.summary.Outcome != "" }

// Continuation is what one batch of a sweep tells the next; the event carries its JSON, which nobody else reads. It is a
// hint, since the objects of the sweep tell for themselves: where a batch of the lane begins stands in the result of the batch
// before.
type Continuation struct {
	ID    string `json:"id"`              // of the sweep
	Batch *int   `json:"batch,omitempty"` // of the lane, from 0; nil while the sweep is being planned
}

// parseContinuation refuses what names no batch of a sweep that may have begun.
func parseContinuation(raw []byte) (c Continuation, ok bool) {
	err := json.Unmarshal(raw, &c)
	return c, err == nil && begun(c.ID, time.Now()) && (c.Batch == nil || *c.Batch >= 0)
}
