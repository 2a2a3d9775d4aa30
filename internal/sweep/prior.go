package sweep

import (
	"context"
	"errors"
	"sync"
	"time"
	"unique"

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

// lookAtLane finds out, once, whether the lane of the base sweep is still at it. It looks for its newest result from the
// hint on: they are numbered without a gap. Where the hint is lost, all are read, or as many as a quarter of the batch
// allows: what is not found is looked at again.
func (v *survey) lookAtLane(ctx context.Context) error {
	if v.prior != nil {
		return nil
	}
	id, now := v.pointer.Base.ID, time.Now()
	p := &prior{laneHint: laneHint{Until: v.pointer.Base.Until, Last: !v.pointer.Base.Lane}}
	if !p.Last {
		var hint laneHint
		switch err := v.objects.readJSON(ctx, layout.SweepLane(), &hint); {
		case err != nil && !lost(err):
			return err
		case err == nil && hint.Sweep == id && hint.Results > 0 && hint.Results <= v.Settings.MaxHops+1:
			p.laneHint = hint
		}
	}
	for until := now.Add(v.Deadline.Sub(now) / 4); time.Now().Before(until) && !p.Last; {
		var h resultHeader
		_, err := readResult(ctx, v.objects, id, p.Results, &h)
		if errors.Is(err, objstore.ErrNotExist) {
			break
		}
		switch {
		case err == nil:
			p.laneHint = hintOf(&h)
		case unreadable(err):
			p.Results++
		default:
			return err
		}
	}
	p.alive = !p.Last && now.Before(p.Until) && !p.Until.After(now.Add(handover+maxBatch+time.Minute))
	v.prior = p
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
						if o := line.Done; o != nil && possible(o.stream()) {
							// There are few outcomes and codes, and very many streams.
							o.Outcome, o.Code = unique.Make(o.Outcome).Value(), unique.Make(o.Code).Value()
							all.add(o.stream(), o.verdict)
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
