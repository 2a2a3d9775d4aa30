package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

var errContinuation = errors.New("not a continuation of a sweep")

// Continuation is what one batch of a sweep tells the next; the event carries its JSON, which nobody else reads. It is a
// hint, since the objects of the sweep tell for themselves: where a batch of the lane begins stands in the result of the batch
// before.
type Continuation struct {
	ID    string `json:"id"`              // of the sweep
	Batch *int   `json:"batch,omitempty"` // of the lane, from 0; nil while the sweep is being planned
}

// parseContinuation reads what encode wrote, and refuses what names no batch. The error has no content of raw.
func parseContinuation(raw []byte) (Continuation, error) {
	var c Continuation
	switch {
	case json.Unmarshal(raw, &c) != nil:
		return Continuation{}, fmt.Errorf("%w: another JSON", errContinuation)
	case !validID(c.ID):
		return Continuation{}, fmt.Errorf("%w: id is none", errContinuation)
	case c.Batch != nil && *c.Batch < 0:
		return Continuation{}, fmt.Errorf("%w: batch is out of range", errContinuation)
	}
	return c, nil
}

func (c Continuation) encode() ([]byte, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode continuation of the sweep: %w", err)
	}
	return raw, nil
}

// Run does one batch of a sweep: next is what the Publisher was given, nil for a tick. A nil error means that the event
// is done with.
func (s *Sweeper) Run(ctx context.Context, spec Spec, next []byte, req Request) (Summary, error) {
	if len(next) == 0 {
		return s.survey(ctx, spec, nil, req)
	}
	c, err := parseContinuation(next)
	switch {
	case err != nil:
		req.Log.Warn().Err(err).Msg("the continuation names no batch of a sweep; the next sweep goes on")
		return Summary{Outcome: Lost}, nil
	case c.Batch != nil:
		return s.laneBatch(ctx, spec, c.ID, *c.Batch, req)
	default:
		return s.survey(ctx, spec, &c, req)
	}
}
