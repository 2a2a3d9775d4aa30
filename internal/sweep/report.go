package sweep

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/export"
	"chatexport/internal/objstore"
)

// maxWarnings bounds the warnings that one sweep logs; the report has more.
const maxWarnings = 200

// Report is report.json: what a sweep found and what became of it.
type Report struct {
	envelope

	StartedAt  time.Time `json:"started_at,omitzero"`
	PlannedAt  time.Time `json:"planned_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"` // missing where lanes were lost
	Previous   string    `json:"previous,omitempty"`   // the sweep whose results this one began with

	Groups struct {
		Total  int            `json:"total"`
		Types  map[string]int `json:"types"`
		Topics int            `json:"topics"`
	} `json:"groups"`
	Streams   Streams  `json:"streams"`
	Unreached int      `json:"unreached"` // due, but no lane came to them
	Tally     Tally    `json:"done"`
	AtRisk    nameList `json:"at_risk"`  // estimated to lose messages before their turn
	Expired   nameList `json:"expired"`  // lost messages before they were archived
	Failures  nameList `json:"failures"` // not archived to the head, and why
	Skipped   nameList `json:"skipped"`  // types without history

	Lanes []laneReport `json:"lanes,omitempty"`
}

type laneReport struct {
	Streams  int  `json:"streams"`
	Batches  int  `json:"batches"`
	Finished bool `json:"finished"`
}

// Tally sums up batches of a lane.
type Tally struct {
	Outcomes  map[string]int `json:"outcomes,omitempty"` // streams by how they ended
	Messages  int64          `json:"messages"`
	Chunks    int64          `json:"chunks"`
	Bytes     int64          `json:"bytes"`
	Calls     int64          `json:"calls"`
	Throttled int64          `json:"throttled"`
}

func (t *Tally) add(r export.Result) {
	t.Messages += r.Counts.Lines()
	t.Chunks += int64(r.Chunks)
	t.Bytes += r.Bytes
	t.Calls += r.Calls
	t.Throttled += r.Throttled
}

func (t *Tally) ended(outcome string) {
	if t.Outcomes == nil {
		t.Outcomes = make(map[string]int)
	}
	t.Outcomes[outcome]++
}

func sum(outcomes map[string]int) int {
	all := 0
	for _, n := range outcomes {
		all += n
	}
	return all
}

func (t *Tally) join(other Tally) {
	t.Messages += other.Messages
	t.Chunks += other.Chunks
	t.Bytes += other.Bytes
	t.Calls += other.Calls
	t.Throttled += other.Throttled
	for outcome, n := range other.Outcomes {
		if t.Outcomes == nil {
			t.Outcomes = make(map[string]int)
		}
		t.Outcomes[outcome] += n
	}
}

func (t *Tally) clone() Tally {
	c := *t
	c.Outcomes = maps.Clone(t.Outcomes)
	return c
}

// draft returns the report as far as it is known before planning.
func (v *visit) draft() Report {
	started, _ := archive.RunStart(v.id)
	r := Report{envelope: envelope{format, v.id}, StartedAt: started, PlannedAt: v.at, Previous: v.pointer.Base.ID}
	r.Groups.Types = make(map[string]int)
	return r
}

// warn logs what people should know before it is too late.
func (v *visit) warn(r Report) {
	for _, n := range r.AtRisk.First[:min(len(r.AtRisk.First), maxWarnings)] {
		v.log.Warn().Str("group_id", n.GroupID).Str("topic_id", n.TopicID).Int64("seqs", n.Seqs).Time("expires", n.Expires).Time("reached", n.Reached).
			Msg("messages will expire before this stream is reached; raise CHAT_QPS or SWEEP_LANES, or sweep more often")
	}
	if r.AtRisk.Count > maxWarnings {
		v.log.Warn().Int("streams", r.AtRisk.Count).Msg("more streams are at risk than are logged; see the sweep's report")
	}
}

// conclude puts the lanes' results into the report.
func (r *Report) conclude(plan planObject, lanes []resultHeader) {
	finished := true
	due := 0
	for n, streams := range plan.Lanes {
		due += streams
		h := resultHeader{}
		if n < len(lanes) {
			h = lanes[n]
		}
		batches := 0
		if h.Format != 0 {
			batches = h.Batch + 1
		}
		r.Lanes = append(r.Lanes, laneReport{Streams: streams, Batches: batches, Finished: h.Last})
		r.Tally.join(h.Tally)
		r.Failures.join(h.Failures)
		r.Expired.join(h.Expired)
		finished = finished && h.Last
		if h.At.After(r.FinishedAt) {
			r.FinishedAt = h.At
		}
	}
	r.Unreached = max(0, due-sum(r.Tally.Outcomes))
	if !finished {
		r.FinishedAt = time.Time{}
	}
}

// report writes a report once; the first one stays.
func (s *Sweeper) report(ctx context.Context, shelf *shelf, r Report) error {
	w, err := encodeJSON(r)
	if err != nil {
		return err
	}
	// Nothing depends on it but people; a crash before it leaves it to a redelivery, or to the next sweep.
	if _, _, err := shelf.create(ctx, reportKey(r.Sweep), w); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (v *visit) writeReport(ctx context.Context, r Report) error { return v.report(ctx, v.shelf, r) }

// settlePrior writes the report of the sweep before if its lanes did not come to their end: nobody else will.
func (v *visit) settlePrior(ctx context.Context) error {
	b := v.pointer.Base
	if b.ID == "" || v.prior.finished {
		return nil
	}
	body, _, err := v.shelf.get(ctx, planKey(b.ID))
	if errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	var plan planObject
	if err == nil {
		err = readJSON(body, &plan)
	}
	if unreadable(err) {
		v.log.Warn().Err(err).Msg("the sweep before has no report: its plan is unreadable")
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the plan of the sweep before: %w", err)
	}
	plan.Report.conclude(plan, v.prior.lanes)
	lost := slices.IndexFunc(v.prior.lanes, func(h resultHeader) bool { return !h.Last })
	v.log.Warn().Str("lost_sweep", b.ID).Int("lane", lost).Int("unreached", plan.Report.Unreached).
		Msg("a lane of the sweep before was lost; its streams are taken up again")
	return v.writeReport(ctx, plan.Report)
}
