package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
)

const (
	// readers read results side by side: each holds one.
	readers = 4
	// maxVerdicts bounds the memory that is taken in advance for what a lane says it did.
	maxVerdicts = 1 << 20
)

// laneHint is lane.json, which is overwritten after each result of the latest sweep's lane: whoever wants to know how far
// that is need not read them all.
type laneHint struct {
	envelope

	Results int       `json:"results"` // there are at least so many
	Done    int       `json:"done"`    // streams that they tell of
	Until   time.Time `json:"until"`   // a lane that has shown nothing more by then is lost
	Last    bool      `json:"last"`    // the lane is at its end
}

func hintOf(h *resultHeader) laneHint {
	return laneHint{envelope{format, h.Sweep}, h.Batch + 1, sum(h.Tally.Outcomes), h.Until, h.Last}
}

// prior is what became of the lane of the sweep before.
type prior struct {
	laneHint

	alive bool // the lane is, or may be, under way
}

// lookAtLane finds out whether the lane of the base sweep is still at it, once.
func (v *survey) lookAtLane(ctx context.Context) error {
	if v.prior != nil {
		return nil
	}
	b := v.pointer.Base
	v.prior = &prior{laneHint: laneHint{Until: b.Until, Last: !b.Lane}}
	if v.prior.Last {
		return nil
	}
	if err := v.findNewest(ctx, b.ID); err != nil {
		return err
	}
	until, now := v.prior.Until, time.Now()
	v.prior.alive = !v.prior.Last && now.Before(until) && !until.After(now.Add(handover+maxBatch+time.Minute))
	return nil
}

// findNewest looks for the newest result of a lane, from the hint on. They are numbered without a gap. Where the hint is
// lost, all are read, or as many as a quarter of the batch allows: what is not found is looked at again.
func (v *survey) findNewest(ctx context.Context, id string) error {
	var hint laneHint
	body, _, err := v.shelf.get(ctx, layout.SweepLane())
	if err == nil {
		err = readJSON(body, &hint)
	}
	switch {
	case err != nil && !errors.Is(err, objstore.ErrNotExist) && !unreadable(err):
		return fmt.Errorf("look for the lane's newest result: %w", err)
	case err == nil && hint.Sweep == id && hint.Results > 0 && hint.Results <= v.Settings.MaxHops+1:
		v.prior.laneHint = hint
	}
	for until := time.Now().Add(time.Until(v.Deadline) / 4); time.Now().Before(until) && !v.prior.Last; {
		h, _, err := v.result(ctx, id, v.prior.Results)
		switch {
		case err == nil:
			v.prior.laneHint = hintOf(&h)
		case unreadable(err):
			v.prior.Results++
		case errors.Is(err, objstore.ErrNotExist):
			return nil
		default:
			return err
		}
	}
	return nil
}

// result reads one result. What cannot be read is warned of, and its streams are looked at again.
func (v *survey) result(ctx context.Context, id string, batch int) (h resultHeader, rest resultLines, err error) {
	key := layout.SweepResult(id, batch)
	body, _, err := v.shelf.get(ctx, key)
	if err == nil {
		if rest, err = openResult(body, &h); err == nil {
			return h, rest, nil
		}
	}
	if unreadable(err) {
		v.log.Warn().Err(err).Str("key", key).Msg("result of a lane is unreadable; its streams are looked at again")
	}
	return resultHeader{}, nil, fmt.Errorf("read results of the sweep before: %w", err)
}

// verdicts reads what became of the base sweep's streams, in their order, whether or not its lane is still at it: the
// newest results first, and no more of them than half of the time that is left allows. So no sweep ever comes to its end
// of time over the same results as the one before.
func (v *survey) verdicts(ctx context.Context) (*table[verdict], error) {
	all := &table[verdict]{rows: make([]row[verdict], 0, min(max(v.prior.Done, 0), maxVerdicts))}
	until := time.Now().Add(time.Until(v.Deadline) / 2)
	var mu sync.Mutex
	group, joint := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for batch := v.prior.Results - 1; batch >= 0; batch-- {
		if !time.Now().Before(until) {
			v.log.Warn().Str("base", v.pointer.Base.ID).
				Msg("there is no time to read all results of the sweep before; some streams are looked at again; raise the function's time limit")
			break
		}
		group.Go(func() error {
			return panics.Logged(v.log, func() error {
				return v.eachVerdict(joint, batch, func(o *outcome) {
					mu.Lock()
					defer mu.Unlock()
					all.add(o.stream(), o.verdict)
				})
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all.sort()
	return all, nil
}

// eachVerdict reads the verdicts of one result of the base sweep.
func (v *survey) eachVerdict(ctx context.Context, batch int, each func(*outcome)) error {
	_, rest, err := v.result(ctx, v.pointer.Base.ID, batch)
	if err != nil && (unreadable(err) || errors.Is(err, objstore.ErrNotExist)) {
		return nil // the streams are looked at again
	}
	if err != nil {
		return err
	}
	for line, err := range rest {
		if err != nil {
			v.log.Warn().Err(err).Int("batch", batch).Msg("result of a lane is unreadable; its streams are looked at again")
			return nil
		}
		if line.Done != nil {
			each(line.Done)
		}
	}
	return nil
}
