package invocation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chatapi"
	"chatexport/internal/event"
	"chatexport/internal/export"
	"chatexport/internal/sweep"
)

var (
	_ sweep.Directory = (*chatapi.Client)(nil)
	_ sweep.Engine    = (*export.Engine)(nil)
	_ sweep.Publisher = (*visit)(nil)
)

// sweepSummary is what a batch of a sweep or a lane did.
type sweepSummary struct {
	Sweep    string         `json:"sweep"`
	Lane     bool           `json:"lane,omitempty"`
	Batch    int            `json:"batch"`
	Outcome  string         `json:"outcome"`
	Groups   int            `json:"groups,omitempty"`
	Streams  *sweep.Streams `json:"streams,omitempty"`
	Outcomes map[string]int `json:"outcomes,omitempty"`
	Messages int64          `json:"messages,omitempty"`
}

// sweep does one batch of a sweep.
func (v *visit) sweep(ctx context.Context, u unit, deadline time.Time) (attempt, error) {
	// Of two sweeps in one event, neither is a redelivery of the other.
	owner := cmp.Or(u.attempt.Owner, fmt.Sprintf("%s-%d", v.owner, u.task.Record))
	s, err := v.sweeper().Run(ctx, u.spec, u.task.Continue, sweep.Request{
		Owner: owner, RequestID: v.platform.RequestID, Deadline: deadline, Log: v.log,
		Observe: func(log zerolog.Logger, r export.Result, err error) {
			v.summary.Served++
			logBatch(log, summaryOf(r, err).Outcome, r, err)
		},
	})
	v.reportSweep(s, err)
	if err != nil {
		err = fmt.Errorf("sweep: %w", err)
	}
	return attempt{Owner: owner}, err
}

func (v *visit) sweeper() *sweep.Sweeper {
	return &sweep.Sweeper{
		Directory: v.source, Store: v.store, Engine: v.engine, Publisher: v,
		Caller: v.caller, ListPace: v.listPace, Writes: v.writes,
		Settings: sweep.Settings{
			QPS: float64(v.config.ChatQPS), MaxHops: v.config.ExportMaxHops,
			Concurrency: v.config.ChatConcurrency, Retention: v.config.Retention(),
		},
	}
}

// reportSweep adds a batch to the summary and writes its one log line.
func (v *visit) reportSweep(s sweep.Summary, err error) {
	out := sweepSummary{
		Sweep: s.Sweep, Batch: s.Batch, Outcome: string(s.Outcome), Groups: s.Groups,
		Outcomes: s.Tally.Outcomes, Messages: s.Tally.Messages,
	}
	level := zerolog.InfoLevel
	if err != nil {
		out.Outcome = "error"
		level = zerolog.ErrorLevel
	}
	log := v.log.With().Str("sweep", s.Sweep).Int("batch", s.Batch).Str("outcome", out.Outcome).
		Int64("elapsed_ms", s.Elapsed.Milliseconds()).Logger()
	if out.Lane = s.Lane; s.Lane {
		log.WithLevel(level).Err(err).Int64("messages", s.Tally.Messages).Int64("chunks", s.Tally.Chunks).
			Int64("bytes", s.Tally.Bytes).Int64("calls", s.Tally.Calls).Int64("throttled", s.Tally.Throttled).
			Func(outcomeFields(s.Tally.Outcomes)).Msg("lane")
	} else {
		out.Streams = &s.Streams
		log.WithLevel(level).Err(err).Int("groups", s.Groups).Int64("calls", s.Calls).Int("due", s.Streams.Due).
			Int("idle", s.Streams.Idle).Int("waiting", s.Streams.Waiting).Int("empty", s.Streams.Empty).
			Int("resting", s.Streams.Resting).Msg("sweep")
	}
	v.summary.Sweeps = append(v.summary.Sweeps, out)
}

// outcomeFields adds the streams by how they ended, one field each: what lies deeper in a line cannot be searched.
func outcomeFields(outcomes map[string]int) func(*zerolog.Event) {
	return func(e *zerolog.Event) {
		for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
			e.Int("outcome_"+outcome, outcomes[outcome])
		}
	}
}

// ContinueSweep implements sweep.Publisher.
func (v *visit) ContinueSweep(ctx context.Context, spec sweep.Spec, next []byte) error {
	raw, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("encode the sweep: %w", err)
	}
	return v.publish(ctx, event.Task{V: event.Version, Sweep: raw, Continue: next})
}
