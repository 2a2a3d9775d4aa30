package sweep

import (
	"context"
	"errors"
	"sync"
	"time"
	"unique"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/objstore"
	"chatexport/internal/panics"
)

const (
	// readers read results side by side: each holds one.
	readers = 4
	// maxVerdicts bounds the memory that is taken in advance for what a lane says it did.
	maxVerdicts = 1 << 20
)

// lookBack finds the newest result of the base sweep's lane, from what the pointer tells on: they are numbered without a
// gap. Where the pointer tells nothing, all are read, or as many as a quarter of the batch allows: what is not found is
// looked at again.
func (v *survey) lookBack(ctx context.Context) error {
	b := v.pointer.Base
	if b.Results < 0 || b.Results > v.Settings.MaxHops+1 {
		b.Results = 0
	}
	now := time.Now()
	for until := now.Add(v.Deadline.Sub(now) / 4); time.Now().Before(until) && b.ID != "" && !b.Last; {
		var h resultHeader
		_, err := readResult(ctx, v.objects, b.ID, b.Results, &h)
		if errors.Is(err, objstore.ErrNotExist) {
			break
		}
		switch {
		case err == nil:
			b.heard(&h)
		case unreadable(err):
			b.Results++
		default:
			return err
		}
	}
	v.prior = b
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
			v.Log.Warn().Str("base", v.prior.ID).
				Msg("there is no time to read all results of the sweep before; some streams are looked at again; raise the function's time limit")
			break
		}
		group.Go(func() error {
			return panics.Logged(v.Log, func() error {
				others, err := readResult(joint, v.objects, v.prior.ID, batch, new(resultHeader))
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
