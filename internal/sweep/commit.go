package sweep

import (
	"context"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
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
	if err := v.lookBack(ctx); err != nil {
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
	known := learned(v.readKnown(ctx, v.prior.ID), verdicts)
	key := func(piece int) string { return layout.SweepKnown(v.id, piece) }
	// A crash right after any of these writes: a redelivery finds the pieces, and makes the same plan.
	if err := writePieces(ctx, v.objects, v.id, key, knownRecords, p.plan(v.seen, known)); err != nil {
		return err
	}
	report := Report{
		envelope: envelope{format, v.id}, StartedAt: started, PlannedAt: v.at, Previous: v.prior.ID, Groups: v.seen.counts,
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
	return v.goOn(ctx, Complete, nil, func(b *base) { *b = base{ID: v.id, At: report.PlannedAt, Last: true} })
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

// startLane makes the sweep the base of the next one, and publishes its lane's first batch. Of two batches with one number
// the second finds the result taken, and ends.
func (v *survey) startLane(ctx context.Context, plan planObject) error {
	v.summary.Streams = plan.Report.Streams
	return v.goOn(ctx, Planned, &Continuation{ID: v.id, Batch: new(0)}, func(b *base) { b.started(v.id) })
}
