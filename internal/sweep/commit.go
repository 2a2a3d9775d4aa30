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

// pieceItems is how many streams a piece of the plan holds: what is left of one is carried from result to result.
const pieceItems = 1000

// planObject is plan.json: that it exists means that the whole plan is written.
type planObject struct {
	envelope

	Report Report `json:"report"` // as far as it is known before the lane begins
}

// makePlan decides what is due, writes the plan and starts the lane. Everything it decides by is written already, so
// that a redelivery makes the same plan.
func (v *survey) makePlan(ctx context.Context) error {
	if err := v.lookAtLane(ctx); err != nil {
		return err
	}
	verdicts, err := v.verdicts(ctx)
	if err != nil {
		return err
	}
	started, _ := archive.RunStart(v.id)
	p := &planner{
		since: started,
		now:   v.at, spec: v.spec, retention: v.Settings.Retention, rate: v.Settings.QPS,
		blind: v.seen.blind, failures: v.seen.failures,
	}
	for _, l := range v.seen.unlisted {
		p.unlisted = append(p.unlisted, l.Type)
		p.failures.add(l)
	}
	v.seen.complete()
	known := learned(v.readKnown(ctx, v.pointer.Base.ID), verdicts)
	key := func(piece int) string { return layout.SweepKnown(v.id, piece) }
	// A crash right after any of these writes: a redelivery finds the pieces, and makes the same plan.
	if err := writePieces(ctx, v.objects, v.id, key, knownRecords, p.plan(v.seen, known)); err != nil {
		return err
	}
	report := Report{
		envelope: envelope{format, v.id}, StartedAt: started, PlannedAt: v.at, Previous: v.pointer.Base.ID, Groups: v.seen.counts,
		Streams: p.streams, AtRisk: p.atRisk, Failures: p.failures, Skipped: v.seen.skipped,
	}
	v.warn(report)
	v.summary.Streams = p.streams
	if err := v.settlePrior(ctx); err != nil {
		return err
	}
	if len(p.items) == 0 {
		return v.nothingDue(ctx, report)
	}
	return v.commit(ctx, p.items, report)
}

// nothingDue ends a sweep that found nothing to do.
func (v *survey) nothingDue(ctx context.Context, report Report) error {
	report.FinishedAt = report.PlannedAt
	// A crash right after this write: a redelivery plans once more, with the same result.
	if err := v.objects.report(ctx, report); err != nil {
		return err
	}
	v.planned(ctx, Complete, base{ID: v.id})
	return nil
}

// planned makes the sweep the base of the next one. A crash before it: the next sweep finds the plan by the sweep's id, which
// the pointer has; where nothing was due, it begins with what the sweep before knew.
func (v *survey) planned(ctx context.Context, outcome Outcome, b base) {
	v.summary.Outcome, v.pointer.Base, v.pointer.Current.Owner = outcome, b, ""
	if err := v.savePointer(ctx); err != nil {
		v.Log.Warn().Err(err).Msg("pointer is out of date; the next sweep looks for this one's plan, or begins with older knowledge")
	}
}

// commit writes the plan, the short streams and the long ones each by themselves, and starts the lane.
func (v *survey) commit(ctx context.Context, items []item, report Report) error {
	for _, long := range []bool{false, true} {
		key := func(piece int) string { return layout.SweepPlanPiece(v.id, long, piece) }
		// A crash right after any of these writes: a redelivery makes the same pieces.
		err := writePieces(ctx, v.objects, v.id, key, pieceItems, func(yield func(*item, error) bool) {
			for n := range items {
				if items[n].long() == long && !yield(&items[n], nil) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	plan := planObject{envelope{format, v.id}, report}
	// A crash right after this write: a redelivery starts the lane. Without one, the next sweep takes the streams up.
	if err := v.objects.createJSON(ctx, layout.SweepPlan(v.id), plan); err != nil {
		return err
	}
	return v.startLane(ctx, plan)
}

// startLane publishes the lane's first batch.
func (v *survey) startLane(ctx context.Context, plan planObject) error {
	// A crash right after this: a redelivery starts the lane once more. Of two batches with one number the second finds
	// the result taken, and ends.
	if err := v.publish(ctx, v.spec, Continuation{ID: v.id, Batch: new(0)}); err != nil {
		return fmt.Errorf("start the lane: %w", err)
	}
	v.summary.Streams = plan.Report.Streams
	v.planned(ctx, Planned, base{ID: v.id, Lane: true, Until: time.Now().UTC().Add(v.lifetime())})
	return nil
}

// lifetime is how long a lane that shows nothing is taken for alive: its next batch may wait in the queue, and last as
// long as this one may.
func (v *survey) lifetime() time.Duration { return handover + v.Deadline.Sub(v.start) }

// adopt makes the sweep that the pointer names as current the base, if it was planned: its batch died before it could
// say so.
func (v *survey) adopt(ctx context.Context) error {
	c := v.pointer.Current
	if c.ID == "" || c.ID == v.pointer.Base.ID {
		return nil
	}
	var plan planObject
	err := v.objects.readJSON(ctx, layout.SweepPlan(c.ID), &plan)
	switch {
	case err == nil:
		v.pointer.Base = base{ID: c.ID, Lane: true, Until: plan.Report.PlannedAt.Add(v.lifetime())}
		return nil
	case unreadable(err):
		v.Log.Warn().Err(err).Msg("plan is unreadable; its streams are looked at again")
		return nil
	case errors.Is(err, objstore.ErrNotExist):
		return nil
	default:
		return err
	}
}
