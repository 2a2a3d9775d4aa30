package invocation

import (
	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
)

// mostStreams keeps the answer short; the log has a line for every stream.
const mostStreams = 20

// summary is what the invocation returns. The platform logs it, so it has counts and ranges, never content.
type summary struct {
	RequestID string          `json:"request_id"`
	Event     string          `json:"event"`
	Served    int             `json:"served"`  // streams, batch by batch
	Streams   []streamSummary `json:"streams"` // the first of them
	Sweeps    []sweepSummary  `json:"sweeps,omitempty"`
	Rejected  int             `json:"rejected,omitempty"`
	HandedOn  int             `json:"handed_on,omitempty"`
	ElapsedMS int64           `json:"elapsed_ms"`
}

type streamSummary struct {
	GroupID    string   `json:"group_id"`
	TopicID    string   `json:"topic_id,omitempty"`
	Outcome    string   `json:"outcome"`
	Done       bool     `json:"done"`
	Run        string   `json:"run"`
	Hop        int      `json:"hop"`
	Lo         chat.Seq `json:"lo"`
	Hi         chat.Seq `json:"hi"`
	Head       chat.Seq `json:"head"`
	Messages   int64    `json:"messages"` // elements archived, of every class
	Absent     int64    `json:"absent,omitempty"`
	Malformed  int64    `json:"malformed,omitempty"`
	Chunks     int      `json:"chunks"`
	Files      int64    `json:"files,omitempty"`
	FileBytes  int64    `json:"file_bytes,omitempty"`
	NextCursor chat.Seq `json:"next_cursor,omitempty"`
	Error      string   `json:"error,omitempty"`
}

// report adds a batch to the summary and writes its one log line.
func (v *visit) report(log zerolog.Logger, r export.Result, err error) {
	s := summaryOf(r, err)
	v.summary.Served++
	if len(v.summary.Streams) < mostStreams {
		v.summary.Streams = append(v.summary.Streams, s)
	}
	logBatch(log, s.Outcome, r, err)
}

func summaryOf(r export.Result, err error) streamSummary {
	s := streamSummary{
		GroupID: r.Stream.GroupID, TopicID: r.Stream.TopicID, Outcome: string(r.Outcome), Done: r.Outcome == export.Complete,
		Run: r.Run, Hop: r.Hop, Lo: r.Lo, Hi: r.Hi, Head: r.Head, Messages: r.Counts.Elements(), Absent: r.Counts.Absent,
		Malformed: r.Counts.Malformed, Chunks: r.Chunks, Files: r.Media.Counts[archive.MediaStored], FileBytes: r.Media.Bytes,
	}
	if r.Outcome == export.Continued {
		s.NextCursor = r.Frontier
	}
	if err != nil {
		s.Outcome, s.Error = "error", err.Error()
	}
	return s
}

// logBatch writes the one log line of a stream's batch.
func logBatch(log zerolog.Logger, outcome string, r export.Result, err error) {
	level := zerolog.InfoLevel
	if err != nil {
		level = zerolog.ErrorLevel
	}
	looked, changed := r.Looked()
	if r.ManifestSHA256 != "" {
		log = log.With().Str("manifest_sha256", r.ManifestSHA256).Logger()
	}
	log.WithLevel(level).Err(err).Str("run", r.Run).Int("hop", r.Hop).Int64("lo", int64(r.Lo)).Int64("hi", int64(r.Hi)).Int64("head", int64(r.Head)).
		Int64("messages", r.Counts.Elements()).Int64("expired", r.Counts.Expired).Int64("absent", r.Counts.Absent).
		Int64("malformed", r.Counts.Malformed).
		Int64("pages", r.Pages).Int64("calls", r.Calls).Int64("retries", r.Retries).Int64("throttled", r.Throttled).
		Int("chunks", r.Chunks).Int64("bytes", r.Bytes).
		Int64("files", r.Media.Counts[archive.MediaStored]).Int64("file_bytes", r.Media.Bytes).Int64("looked", looked).Int64("changed", changed).Int64("elapsed_ms", r.Elapsed.Milliseconds()).
		Str("outcome", outcome).Msg("batch")
}
