package sweep

import (
	"context"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
)

// pieceItems is how many streams a piece of the plan holds: what is left of one is carried from result to result.
const pieceItems = 1000

// makePlan decides what is due, writes the plan and starts the lane. Everything it decides by is written already, so
// that a redelivery makes the same plan.
func (v *survey) makePlan(ctx context.Context) error {
	prior := v.pointer.Base
	m := &memory{v.objects, prior.ID, func(key string, err error) {
		v.Log.Warn().Err(err).Str("key", key).Msg("part of what the sweep before knew cannot be read; its streams are looked at again")
	}}
	// So no sweep ever comes to its end of time over the same results as the one before.
	until, late := time.Now().Add(time.Until(v.Deadline)/2), false
	done, newest, err := m.results(ctx, func() bool { late = time.Now().After(until); return late })
	if err != nil {
		return err
	}
	if late {
		v.Log.Warn().Str("base", prior.ID).
			Msg("there is no time to read all results of the sweep before; some streams are looked at again; raise the function's time limit")
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
	key := func(piece int) string { return layout.SweepKnown(v.id, piece) }
	// A crash right after any of these writes: a redelivery finds the pieces, and makes the same plan.
	if err := writePieces(ctx, v.objects, v.id, key, knownRecords, p.plan(v.seen, learned(m.known(ctx), done))); err != nil {
		return err
	}
	report := Report{
		envelope: envelope{format, v.id}, StartedAt: started, PlannedAt: v.at, Previous: prior.ID, Groups: v.seen.counts,
		Streams: p.streams, AtRisk: p.atRisk, Files: p.files, Failures: p.failures, Skipped: v.seen.skipped,
	}
	v.warn(report)
	if err := v.settlePrior(ctx, prior, newest); err != nil {
		return err
	}
	if len(p.items) > 0 {
		return v.commit(ctx, p.items, report)
	}
	v.summary.Streams = p.streams
	report.FinishedAt = report.PlannedAt
	// A crash right after this write: a redelivery plans once more, with the same result.
	if err := v.objects.createJSON(ctx, layout.SweepReport(v.id), report); err != nil {
		return err
	}
	return v.goOn(ctx, Complete, nil)
}

// commit writes the plan and starts the lane. plan.json is the report as far as it is known, and means that the whole plan is
// written.
func (v *survey) commit(ctx context.Context, items []*item, report Report) error {
	key := func(piece int) string { return layout.SweepPlanPiece(v.id, piece) }
	// A crash right after any of these writes: a redelivery makes the same pieces.
	err := writePieces(ctx, v.objects, v.id, key, pieceItems, func(yield func(*item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	// A crash right after this write: a redelivery starts the lane. Without one, the next sweep takes the streams up.
	if err := v.objects.createJSON(ctx, layout.SweepPlan(v.id), report); err != nil {
		return err
	}
	return v.startLane(ctx, report)
}

// startLane makes the sweep the base of the next one, and publishes its lane's first batch. Of two batches with one number
// the second finds the result taken, and ends.
func (v *survey) startLane(ctx context.Context, plan Report) error {
	v.summary.Streams = plan.Streams
	return v.goOn(ctx, Planned, &Continuation{ID: v.id, Batch: new(0)})
}
