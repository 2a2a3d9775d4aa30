package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/logging"
	"chatexport/internal/objstore"
)

// pieceItems is how many streams a piece of the plan holds: a batch reads the pieces that it works on only.
const pieceItems = 2000

// planObject is plan.json: that it exists means that the whole plan is written.
type planObject struct {
	envelope

	Report Report `json:"report"` // as far as it is known before the lane begins
}

// pieceHeader is the first line of plan-<piece>.ndjson.gz.
type pieceHeader struct {
	envelope

	Piece int  `json:"piece"`
	Last  bool `json:"last"`
}

// makePlan decides what is due, writes the plan and starts the lane. Everything it decides by is written already, so
// that a redelivery makes the same plan.
func (v *visit) makePlan(ctx context.Context) error {
	if done, err := v.lookBack(ctx); done || err != nil {
		return err
	}
	p := v.planner()
	var sights []sight
	report := v.draft()
	for _, l := range v.unlisted {
		p.unlisted[l.Type] = true
		p.failures.add(Named{Type: l.Type, Outcome: "type_not_listed", Code: l.Code, Text: l.Text})
	}
	for i := range v.groups {
		g := &v.groups[i]
		report.Groups.Total++
		report.Groups.Types[g.Type]++
		report.Groups.Topics += len(g.Topics)
		if !possible(chat.Stream{GroupID: g.GroupID}) {
			p.failures.add(Named{GroupID: logging.Line(g.GroupID, maxText), Type: g.Type, Outcome: codeInvalidID, Code: codeInvalidID, Text: g.Text})
			continue
		}
		if g.TopicsCode != "" || g.Code != "" && !g.Gone {
			p.blind[g.GroupID] = true
		}
		if g.TopicsCode != "" {
			p.failures.add(Named{GroupID: g.GroupID, Type: g.Type, Outcome: "topics_not_listed", Code: g.TopicsCode, Text: g.TopicsText})
		}
		if !hasHistory(g.Type) {
			report.Skipped.add(Named{GroupID: g.GroupID, Type: g.Type})
			continue
		}
		sights = append(sights, g.sights()...)
	}
	p.plan(sights)
	report.Streams, report.AtRisk, report.Failures = p.streams, p.atRisk, p.failures
	v.warn(report)
	if err := v.settlePrior(ctx); err != nil {
		return err
	}
	w, err := encodeKnown(v.id, v.looked(), p.records)
	if err != nil {
		return err
	}
	// A crash right after this write: a redelivery finds it, and makes the same plan.
	if _, _, err := v.shelf.create(ctx, layout.SweepKnown(v.id, 0), w); err != nil {
		return fmt.Errorf("write what the sweep knows: %w", err)
	}
	v.summary.Streams = p.streams
	if len(p.items) == 0 {
		return v.nothingDue(ctx, report)
	}
	return v.commit(ctx, p.items, report)
}

// looked returns since when idle streams are, most of them: those of the newest part.
func (v *visit) looked() time.Time {
	if len(v.groups) == 0 {
		return v.at
	}
	return time.Unix(v.groups[len(v.groups)-1].looked, 0)
}

func (v *visit) planner() *planner {
	return &planner{
		now: v.at, spec: v.spec, retention: v.Settings.Retention, rate: v.Settings.QPS,
		known: v.known, blind: make(map[string]bool), unlisted: make(map[string]bool),
	}
}

// nothingDue ends a sweep that found nothing to do.
func (v *visit) nothingDue(ctx context.Context, report Report) error {
	report.FinishedAt = report.PlannedAt
	// A crash right after this write: a redelivery plans once more, with the same result.
	if err := v.writeReport(ctx, report); err != nil {
		return err
	}
	v.pointer.Base = base{ID: v.id}
	v.pointer.Current.Owner = ""
	v.summary.Outcome = Complete
	// Without it the next sweep begins with what the one before knew.
	if err := v.savePointer(ctx); err != nil {
		v.log.Warn().Err(err).Msg("pointer is out of date; the next sweep begins with older knowledge")
	}
	return nil
}

// commit writes the plan and starts the lane.
func (v *visit) commit(ctx context.Context, items []item, report Report) error {
	plan := planObject{envelope: envelope{format, v.id}, Report: report}
	for piece := 0; piece*pieceItems < len(items); piece++ {
		part := items[piece*pieceItems : min(len(items), (piece+1)*pieceItems)]
		l := newLines(pieceHeader{envelope{format, v.id}, piece, (piece+1)*pieceItems >= len(items)})
		for i := range part {
			l.add(&part[i])
		}
		w, err := l.close()
		if err != nil {
			return err
		}
		// A crash right after this write: a redelivery makes the same piece.
		if _, _, err := v.shelf.create(ctx, layout.SweepPlanPiece(v.id, piece), w); err != nil {
			return fmt.Errorf("write plan: %w", err)
		}
	}
	w, err := encodeJSON(plan)
	if err != nil {
		return err
	}
	// A crash right after this write: a redelivery starts the lane. Without one, the next sweep takes the streams up.
	if _, _, err := v.shelf.create(ctx, layout.SweepPlan(v.id), w); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return v.startLane(ctx, plan)
}

// startLane publishes the lane's first batch.
func (v *visit) startLane(ctx context.Context, plan planObject) error {
	// A crash right after this: a redelivery starts the lane once more. Of two batches with one number the second finds
	// the result taken, and ends.
	if err := v.publish(ctx, v.spec, Continuation{ID: v.id, Batch: new(0)}); err != nil {
		return fmt.Errorf("start the lane: %w", err)
	}
	v.summary.Outcome, v.summary.Streams = Planned, plan.Report.Streams
	v.pointer.Base = base{ID: v.id, Lane: true, Until: time.Now().UTC().Add(v.lifetime())}
	v.pointer.Current.Owner = ""
	// A crash before this write: the next sweep finds the plan by the sweep's id, which the pointer has.
	if err := v.savePointer(ctx); err != nil {
		v.log.Warn().Err(err).Msg("pointer is out of date; the next sweep looks for this one's plan")
	}
	return nil
}

// lifetime is how long a lane that shows nothing is taken for alive: its next batch may wait in the queue, and last as
// long as this one may.
func (v *visit) lifetime() time.Duration { return handover + v.Deadline.Sub(v.start) }

// adopt makes the sweep that the pointer names as current the base, if it was planned: its batch died before it could
// say so.
func (v *visit) adopt(ctx context.Context) error {
	c := v.pointer.Current
	if c.ID == "" || c.ID == v.pointer.Base.ID {
		return nil
	}
	body, _, err := v.shelf.get(ctx, layout.SweepPlan(c.ID))
	if errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	var plan planObject
	if err == nil {
		err = readJSON(body, &plan)
	}
	if unreadable(err) {
		v.log.Warn().Err(err).Str("key", layout.SweepPlan(c.ID)).Msg("plan is unreadable; its streams are looked at again")
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the plan of sweep %s: %w", c.ID, err)
	}
	v.pointer.Base = base{ID: c.ID, Lane: true, Until: plan.Report.PlannedAt.Add(v.lifetime())}
	return nil
}
