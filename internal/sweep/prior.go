package sweep

import (
	"context"
	"errors"
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
	err := v.objects.readJSON(ctx, layout.SweepLane(), &hint)
	switch {
	case err != nil && !lost(err):
		return err
	case err == nil && hint.Sweep == id && hint.Results > 0 && hint.Results <= v.Settings.MaxHops+1:
		v.prior.laneHint = hint
	}
	for until := time.Now().Add(time.Until(v.Deadline) / 4); time.Now().Before(until) && !v.prior.Last; {
		var h resultHeader
		_, err := readResult(ctx, v.objects, id, v.prior.Results, &h)
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

// verdicts reads what became of the base sweep's streams, in their order, whether or not its lane is still at it: the
// newest results first, and no more of them than half of the time that is left allows. So no sweep ever comes to its end
// of time over the same results as the one before. What is lost or broken is looked at again.
func (v *survey) verdicts(ctx context.Context) (*table[verdict], error) {
	all := &table[verdict]{rows: make([]row[verdict], 0, min(max(v.prior.Done, 0), maxVerdicts))}
	until := time.Now().Add(time.Until(v.Deadline) / 2)
	var mu sync.Mutex
	group, joint := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for batch := v.prior.Results - 1; batch >= 0; batch-- {
		if !time.Now().Before(until) {
			v.Log.Warn().Str("base", v.pointer.Base.ID).
				Msg("there is no time to read all results of the sweep before; some streams are looked at again; raise the function's time limit")
			break
		}
		group.Go(func() error {
			return panics.Logged(v.Log, func() error {
				others, err := readResult(joint, v.objects, v.pointer.Base.ID, batch, new(resultHeader))
				if err == nil {
					mu.Lock()
					defer mu.Unlock()
					var line resultLine
					for line, err = range others {
						if line.Done != nil {
							all.add(line.Done.stream(), line.Done.verdict)
						}
					}
				}
				if lost(err) {
					v.Log.Warn().Err(err).Msg("a result of the lane cannot be read; its streams are looked at again")
					return nil
				}
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all.sort()
	return all, nil
}
