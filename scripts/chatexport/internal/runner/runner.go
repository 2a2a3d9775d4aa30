// Package runner exports streams from this process with the function's own engine, in as many batches as it takes.
//
// It owns the loop that the platform makes of continuations. It must never have another way to pull or to write than
// the engine's.
package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/export"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
	"chatexport/internal/trail"
	"chatexport/internal/trail/change"
	"chatexport/internal/trail/media"
	"chatexport/internal/version"
	"chatexport/scripts/chatexport/internal/target"
)

// DefaultBatch bounds a batch. An interruption by force loses at most the chunk that a batch is pulling.
const DefaultBatch = 5 * time.Minute

// grace is how long an interrupted batch may take to store what it has pulled.
const grace = 30 * time.Second

var errInterrupted = errors.New("interrupted; start the command again to go on")

// Runner exports streams, one after the other.
type Runner struct {
	Batch time.Duration
	Log   zerolog.Logger

	engine *export.Engine
	store  catalog.Store
	source *source
	owner  string
}

// Result is what became of one stream. Members are only ever added.
type Result struct {
	Stream  chat.Stream `json:"-"`
	GroupID string      `json:"group_id"`
	TopicID string      `json:"topic_id,omitempty"`

	Outcome   string   `json:"outcome"` // complete, already_running, interrupted, error, or a standing verdict such as gone
	Lo        chat.Seq `json:"lo"`      // the range that this command archived; hi < lo if none
	Hi        chat.Seq `json:"hi"`
	Head      chat.Seq `json:"head"`
	Messages  int64    `json:"messages"` // that this command archived
	Malformed int64    `json:"malformed"`
	Expired   int64    `json:"expired"`
	Absent    int64    `json:"absent"`
	Chunks    int      `json:"chunks"`
	Bytes     int64    `json:"bytes"`
	Batches   int      `json:"batches"`
	Calls     int64    `json:"calls"`
	Throttled int64    `json:"throttled"`
	Files     int64    `json:"files"` // that this command stored
	FileBytes int64    `json:"file_bytes"`
	Waiting   int64    `json:"waiting"`                   // links whose files need later ticks
	Looked    int64    `json:"looked"`                    // seqs that this command looked at again
	Changed   int64    `json:"changed"`                   // of these, those that are not as they were archived
	Manifest  string   `json:"manifest_sha256,omitempty"` // keep it outside of the archive: verify --expect
	Text      string   `json:"text,omitempty"`            // why it did not complete
	ElapsedMS int64    `json:"elapsed_ms"`

	LookDue time.Time `json:"look_due,omitzero"` // when what is archived is to be looked at again, which needs a later tick

	Err error `json:"-"` // a service failed
}

// Complete reports whether everything up to the head is archived.
func (r *Result) Complete() bool { return r.Outcome == string(export.Complete) }

// New returns a runner on the target's app and archive.
func New(t *target.Target, batch time.Duration, log zerolog.Logger) (*Runner, error) {
	client, err := t.Chat()
	if err != nil {
		return nil, err
	}
	c := t.Config
	s := &source{Source: client}
	caller := chatapi.NewCaller(retry.NewLimiter(float64(c.ChatQPS)))
	var trails []trail.Kind
	var files *media.Kind
	exhaustive := c.ExportVoid == config.VoidExhaustive
	if c.ExportMedia {
		files = &media.Kind{Fetcher: t.Fetcher(client, caller), Retention: c.Retention()}
		trails = append(trails, files)
	}
	if c.ExportLook > 0 {
		trails = append(trails, &change.Kind{After: c.ExportLook, Retention: c.Retention(), Exhaustive: exhaustive, Files: files})
	}
	return &Runner{
		Batch: batch, Log: log, store: t.Store, source: s, owner: ownerOf(t.Where),
		engine: &export.Engine{
			Source: s, Store: t.Engine, Trails: trails, Caller: caller, Writes: new(objstore.WriteTimes), Build: version.String(),
			Limits: export.Limits{
				SDKAppID: c.ChatSDKAppID, Span: chat.Seq(c.ExportSpan), ChunkBytes: c.ExportChunkBytes,
				Exhaustive: exhaustive, MaxHops: c.ExportMaxHops, Concurrency: c.ChatConcurrency,
			},
		},
	}, nil
}

// ownerOf names this machine in leases, so that a command that is started again is not stopped by its own crashed
// predecessor.
func ownerOf(where string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	sum := sha256.Sum256([]byte(host + "\x00" + where))
	return "cli-" + hex.EncodeToString(sum[:8])
}

// Pulled returns how many elements were received so far.
func (r *Runner) Pulled() int64 { return r.source.pulled.Load() }

// Run exports one stream up to its head. When ctx ends, what has been pulled is stored, and the next run goes on there.
func (r *Runner) Run(ctx context.Context, s chat.Stream) Result {
	start := time.Now()
	result := Result{Stream: s, GroupID: s.GroupID, TopicID: s.TopicID}
	r.source.interrupted.Store(false)
	stop := context.AfterFunc(ctx, func() { r.source.interrupted.Store(true) })
	defer stop()
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopGrace := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	defer stopGrace()

	var next []byte
	for {
		batch, err := r.engine.Run(work, export.Request{
			Stream: s, Continuation: next, Owner: r.owner, RequestID: "chatexport", Deadline: time.Now().Add(r.Batch), Log: r.Log, Keep: true,
		})
		result.add(batch)
		result.ElapsedMS = time.Since(start).Milliseconds()
		switch {
		case ctx.Err() != nil && batch.Outcome != export.Complete:
			result.Outcome, result.Text = "interrupted", errInterrupted.Error()
			return result
		case err != nil:
			result.Outcome, result.Text, result.Err = "error", err.Error(), err
			return result
		case batch.Outcome == export.Continued && batch.Next != nil:
			next = batch.Next
		case batch.Outcome == export.HopLimit:
			next = nil // another run goes on from here
		default:
			result.Outcome = string(batch.Outcome)
			result.Text = r.why(work, s, batch.Outcome)
			if batch.Left || !batch.Due.IsZero() {
				r.waiting(work, s, &result)
			}
			return result
		}
	}
}

func (r *Result) add(b export.Result) {
	if b.Hi >= b.Lo && b.Lo > 0 {
		if r.Lo == 0 {
			r.Lo = b.Lo
		}
		r.Hi = max(r.Hi, b.Hi)
	}
	r.Head = max(r.Head, b.Head)
	r.Messages += b.Counts.Elements()
	r.Malformed += b.Counts.Malformed
	r.Expired += b.Counts.Expired
	r.Absent += b.Counts.Absent
	r.Chunks += b.Chunks
	r.Bytes += b.Bytes
	r.Batches++
	r.Calls += b.Calls
	r.Throttled += b.Throttled
	r.Files += b.Media.Counts[archive.MediaStored]
	r.FileBytes += b.Media.Bytes
	looked, changed := b.Looked()
	r.Looked, r.Changed = r.Looked+looked, r.Changed+changed
	if b.ManifestSHA256 != "" {
		r.Manifest = b.ManifestSHA256
	}
}

// waiting counts the links whose files are still to come, and finds when looks are due. They need no more than that the stream is
// exported again later.
func (r *Runner) waiting(ctx context.Context, s chat.Stream, result *Result) {
	genesis, err := catalog.Genesis(ctx, r.store, s)
	var state *archive.State
	if err == nil {
		state, err = catalog.State(ctx, r.store, s)
	}
	if err == nil && state != nil {
		var w catalog.Waiting
		w, err = catalog.WaitingLinks(ctx, r.store, s, genesis.FirstLo, state.Media)
		result.Waiting = w.Links
		if hint := state.Media; hint != nil && hint.Code != "" {
			result.Text = "files do not come: " + hint.Code
		}
		if hint := state.Look; hint != nil {
			result.LookDue = hint.Due
			if hint.Code != "" {
				result.Text = "what has changed is not seen: " + hint.Code
			}
		}
	}
	if err != nil {
		result.Text = "what waits for later ticks cannot be read: " + err.Error()
	}
}

// why says why a stream did not complete.
func (r *Runner) why(ctx context.Context, s chat.Stream, outcome export.Outcome) string {
	switch outcome {
	case export.Complete:
		return ""
	case export.AlreadyRunning, export.LostRace:
		return "somebody else archives this stream at this moment; status says who"
	case export.Unknown:
		return "the service knows no such group or topic"
	default:
		state, err := catalog.State(ctx, r.store, s)
		if err != nil || state == nil || state.Error == nil {
			return "see status"
		}
		return state.Error.Text
	}
}

// source counts what comes, and refuses calls once the command is interrupted: the engine then stores what it has.
type source struct {
	export.Source

	pulled      atomic.Int64
	interrupted atomic.Bool
}

// Page implements export.Source.
func (s *source) Page(ctx context.Context, q chat.Query) (chat.Page, error) {
	if s.interrupted.Load() {
		return chat.Page{}, errInterrupted
	}
	page, err := s.Source.Page(ctx, q)
	s.pulled.Add(int64(len(page.Elements)))
	return page, err
}

// Group implements export.Source.
func (s *source) Group(ctx context.Context, stream chat.Stream) (chat.Facts, error) {
	if s.interrupted.Load() {
		return chat.Facts{}, errInterrupted
	}
	return s.Source.Group(ctx, stream)
}

// Missing returns how many seqs of a stream are still to be archived, as far as a state and Chat tell.
func Missing(state *archive.State, nextSeq chat.Seq) int64 {
	if nextSeq == 0 {
		return 0
	}
	if state == nil {
		return int64(nextSeq - 1)
	}
	return max(0, int64(nextSeq-max(state.Frontier, 1)))
}
