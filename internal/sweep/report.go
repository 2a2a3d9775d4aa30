package sweep

import (
	"context"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/logging"
)

// maxWarnings bounds the warnings that one sweep logs; the report has more.
const maxWarnings = 200

// Report is report.json: what a sweep found and what became of it.
type Report struct {
	envelope

	StartedAt  time.Time `json:"started_at,omitzero"`
	PlannedAt  time.Time `json:"planned_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"` // missing where the lane was lost, or made place for another sweep
	Previous   string    `json:"previous,omitempty"`   // the sweep whose results this one began with

	Groups    groupCounts `json:"groups"`
	Streams   Streams     `json:"streams"`
	Unreached int         `json:"unreached"` // due, but the lane did not come to them
	Tally     Tally       `json:"done"`
	AtRisk    nameList    `json:"at_risk"`       // estimated to lose messages before their turn
	Files     nameList    `json:"files_at_risk"` // have files that are not archived, of messages older than three quarters of the retention
	Expired   nameList    `json:"expired"`       // lost messages before they were archived
	Failures  nameList    `json:"failures"`      // not archived to the head, and why
	Skipped   nameList    `json:"skipped"`       // types without history

	Batches int `json:"batches,omitempty"` // of the lane
}

// groupCounts counts what was listed.
type groupCounts struct {
	Total  int            `json:"total"`
	Types  map[string]int `json:"types"`
	Topics int            `json:"topics"`
}

// Tally sums up batches of the lane.
type Tally struct {
	Outcomes  map[string]int `json:"outcomes,omitempty"` // streams by how they ended
	Messages  int64          `json:"messages"`
	Chunks    int64          `json:"chunks"`
	Bytes     int64          `json:"bytes"`
	Calls     int64          `json:"calls"`
	Throttled int64          `json:"throttled"`
	Files     int64          `json:"files"` // stored
	FileBytes int64          `json:"file_bytes"`
	Looked    int64          `json:"looked"` // seqs that were asked for once more
	Changed   int64          `json:"changed"`
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
	t.Files += other.Files
	t.FileBytes += other.FileBytes
	t.Looked += other.Looked
	t.Changed += other.Changed
	for outcome, n := range other.Outcomes {
		if t.Outcomes == nil {
			t.Outcomes = make(map[string]int)
		}
		t.Outcomes[outcome] += n
	}
}

// warn logs what people should know before it is too late.
func (v *survey) warn(r Report) {
	for _, n := range r.AtRisk.First[:min(len(r.AtRisk.First), maxWarnings)] {
		v.Log.Warn().Str("group_id", n.GroupID).Str("topic_id", n.TopicID).Int64("seqs", n.Seqs).Time("expires", n.Expires).Time("reached", n.Reached).
			Msg("messages will expire before this stream is reached; raise CHAT_QPS, or sweep more often")
	}
	for _, n := range r.Files.First[:min(len(r.Files.First), maxWarnings)] {
		v.Log.Warn().Str("group_id", n.GroupID).Str("topic_id", n.TopicID).Time("expires", n.Expires).
			Msg("files will expire before long that are not archived yet; sweep more often, or look at why they do not come")
	}
	if r.AtRisk.Count > maxWarnings {
		v.Log.Warn().Int("streams", r.AtRisk.Count).Msg("more streams are at risk than are logged; see the sweep's report")
	}
}

// conclude puts what the lane came to into the report.
func (r *Report) conclude(p progress) {
	r.Tally, r.Expired, r.Batches = p.Tally, p.Expired, p.Batches
	r.Failures.join(p.Failures)
	r.Unreached = max(0, r.Streams.Due-sum(r.Tally.Outcomes))
}

// settlePrior writes the report of the sweep before if its lane did not come to its end: nobody else will. newest is the header of
// the lane's last result, as far as they were read.
func (v *survey) settlePrior(ctx context.Context, prior base, newest header) error {
	if prior.ID == "" || prior.Lane == laneEnded {
		return nil
	}
	var r Report
	err := v.objects.readJSON(ctx, layout.SweepPlan(prior.ID), &r)
	if lost(err) {
		v.Log.Warn().Err(err).Msg("the sweep before has no report: its plan is lost")
		return nil
	}
	if err != nil {
		return err
	}
	r.conclude(newest.Lane)
	switch {
	case newest.Last:
		r.FinishedAt = newest.At
	case prior.Lane != laneGave:
		v.Log.Warn().Str("lost_sweep", r.Sweep).Int("unreached", r.Unreached).
			Msg("the lane of the sweep before was lost; its streams are taken up again")
	}
	// A crash right after this write: whoever plans again finds it.
	return v.objects.createJSON(ctx, layout.SweepReport(r.Sweep), r)
}

const (
	// maxNamed bounds the lists of a report, so that it stays a thing that people read.
	maxNamed = 1000
	// maxText bounds the text of each: an error may be as long as it likes, and the header of a result is one line.
	maxText = 300
)

// Named is a stream that a report names.
type Named struct {
	chat.Stream

	Type    string `json:"type,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Code    string `json:"code,omitempty"`
	Text    string `json:"text,omitempty"` // cut at maxText bytes
	// Seqs had expired before they could be archived, or may expire.
	Seqs int64 `json:"seqs,omitempty"`
	// Expires is when the oldest of them expires, Reached when the stream's turn is over, as estimated.
	Expires time.Time `json:"expires,omitzero"`
	Reached time.Time `json:"reached,omitzero"`
}

// nameList names streams, the first maxNamed of Count.
type nameList struct {
	Count int     `json:"count"`
	First []Named `json:"first,omitempty"`
}

func (l *nameList) add(n Named) {
	l.Count++
	if len(l.First) < maxNamed {
		n.Text = logging.Line(n.Text, maxText)
		l.First = append(l.First, n)
	}
}

func (l *nameList) join(other nameList) {
	l.Count += other.Count
	l.First = append(l.First, other.First[:min(len(other.First), maxNamed-len(l.First))]...)
}
