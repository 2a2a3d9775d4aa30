// Package export is the engine: it advances the frontier of one stream's archive by one batch.
//
// It owns the protocol (the order of writes, and what each answer means) and the pulling of pages into chunks. A timer
// tick, a continuation, a redelivery and a manual resume are the same operation here, and recovery is the same code as
// the normal path. It must never know HTTP, an SDK or the platform, never overwrite anything but a stream's state, and
// never conclude from a failed read that something does not exist. README.md tells the life of an export.
package export

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/pull"
	"chatexport/internal/retry"
	"chatexport/internal/trail"
)

// Source answers questions about streams, one attempt a call: the engine paces and repeats them.
type Source interface {
	pull.Source
	// Group returns what the service tells about the stream's group or topic.
	Group(ctx context.Context, s chat.Stream) (chat.Facts, error)
}

// Requeuer hands a run on.
type Requeuer interface {
	// Continue publishes the event that continues the run of s: next is to come back as Request.Continuation. It repeats
	// transient failures itself. When it returns an error, the event may have been accepted all the same.
	Continue(ctx context.Context, s chat.Stream, next []byte) error
}

// Limits bound a batch.
type Limits struct {
	SDKAppID    int
	Span        chat.Seq // most seqs in a chunk (EXPORT_SPAN)
	ChunkBytes  int64    // a chunk is closed when its gzip reaches this (EXPORT_CHUNK_BYTES)
	Exhaustive  bool     // walk a void that nothing proves (EXPORT_VOID)
	MaxHops     int      // continuations of one run (EXPORT_MAX_HOPS)
	Concurrency int      // segments pulled side by side (CHAT_CONCURRENCY)
}

// Engine advances streams. Its fields are set once, before the first Run; one engine serves any number of streams, one
// after the other or side by side.
type Engine struct {
	Source   Source
	Store    objstore.Store
	Requeuer Requeuer
	Caller   *retry.Caller // of the app's Chat API; each batch counts its own calls
	Limits   Limits
	Trails   []trail.Kind         // that are followed behind the messages, in this order
	Writes   *objstore.WriteTimes // shared by all batches of a process
	Build    string               // the program's version, for manifests
}

// Request is one batch to do.
type Request struct {
	Stream       chat.Stream
	Continuation []byte    // of the Result or the Requeuer of the batch before; nil for a tick, a queue task or a manual resume
	Owner        string    // names the event in leases: a hash of its raw bytes, so that a redelivery is not stopped by its own crashed predecessor
	RequestID    string    // of the invocation, for metadata and logs
	Deadline     time.Time // when the platform kills the invocation
	Log          zerolog.Logger

	// Predecessors are the writers of batches that worked on the same task before, and failed: their writes may arrive
	// late, and are no other delivery's.
	Predecessors []string

	// Known is what the caller knows of the group; nil if nothing.
	Known *Known
	// Keep leaves the continuation to the caller, who finds it in the result: nothing is published.
	Keep bool
	// MessagesOnly leaves the trails to a later batch, for callers that have messages of other streams to archive first.
	MessagesOnly bool
	// TrailsOnly does the opposite where the state says that all messages up to the frontier are listed: it makes no call for
	// messages. Otherwise it is as if it were not set.
	TrailsOnly bool
	// Concurrency replaces that of the engine's limits if it is not 0, for callers that serve streams side by side.
	Concurrency int
}

// Known spares calls and reads where it agrees with what the batch finds out anyway; where it does not, the batch looks
// for itself.
type Known struct {
	At time.Time // when the service told the facts
	chat.Facts

	ArchivedCreateTime int64 // the group's CreateTime as the stream's genesis has it; 0 if unknown
}

// Outcome says how a batch ended. Every outcome is a success for the platform: none of them is mended by delivering
// the event again.
type Outcome string

// The outcomes of a batch; a batch that ended with a standing verdict has the name of its status instead.
const (
	Complete       Outcome = "complete"        // everything up to the head is archived and listed
	Continued      Outcome = "continued"       // the continuation was accepted
	AlreadyRunning Outcome = "already_running" // another event holds the lease
	LostRace       Outcome = "lost_race"       // another delivery wrote the next chunk and goes on
	HopLimit       Outcome = "hop_limit"       // the run has too many hops; the next tick goes on
	Unknown        Outcome = "unknown"         // the service knows no such stream, and nothing is kept of it, not even state
)

// Result is what a batch did. It has no message content.
type Result struct {
	Stream         chat.Stream
	Run            string
	Hop            int
	Outcome        Outcome
	Lo, Hi         chat.Seq // the range that this batch archived; Hi < Lo if none
	Head           chat.Seq
	Frontier       chat.Seq
	Chunks         int
	Counts         archive.Counts
	Bytes          int64 // of the chunks, compressed
	Pages          int64
	Calls          int64 // attempts, retries included
	Retries        int64
	Throttled      int64
	ManifestSHA256 string // of the newest manifest that this batch wrote: an anchor outside the bucket
	Next           []byte // the continuation that was published, or with Keep was not; nil unless Outcome is Continued
	Writer         string // of the chunks that this batch wrote
	Elapsed        time.Duration
	Code           string   // why, for outcomes and errors that have a code
	CreateTime     int64    // of the group, as genesis has it; 0 if unknown
	Missed         chat.Seq // seqs that had expired before this batch began the stream's archive

	Media trail.Done // what this batch did for files
	Look  trail.Done // what this batch looked at once more
	Left  bool       // a trail has work that could be done at once
	Due   time.Time  // when what a trail waits for is worth another try; zero if none waits
	Since time.Time  // when the oldest message was sent whose files are not done; zero if there is none, or it is not known
}

// Looked returns how many seqs were looked at once more, and how many of them are not as they were archived.
func (r *Result) Looked() (looked, changed int64) {
	for kind, n := range r.Look.Counts {
		looked += n
		if kind != archive.ChangeSame && kind != archive.ChangeUnread {
			changed += n
		}
	}
	return looked, changed
}

// Run does one batch. A nil error means that the event is done with: the run is complete or handed on, another delivery
// does the work, or a standing verdict (gone, damaged, …) makes a repetition pointless. With an error the event must be
// delivered again. The result is valid in both cases.
func (e *Engine) Run(ctx context.Context, req Request) (Result, error) {
	b := &batch{session: newSession(e, req), haul: haul{hi: -1}, stands: map[string]trail.Stand{}}
	err := b.conclude(ctx, b.work(ctx))
	result := b.result()
	if err != nil {
		result.Code = codeOf(err)
	}
	return result, err
}

// work is the protocol, in the order of its writes: lease, genesis, chunks, and manifests as chunks become enough. README.md
// says why they come in this order. Its error is what stopped it; nil means that the head is reached.
func (b *batch) work(ctx context.Context) error {
	var err error
	b.hints, err = openHints(ctx, b.session)
	b.tail = newTail(b.hints)
	if err != nil {
		return err
	}
	if b.hints.stops() {
		return errHeld
	}
	if err := b.hints.recheck(ctx, b.tail.chunks); err != nil {
		return err
	}
	if b.hints.kept {
		if err := b.hints.lease(ctx); err != nil {
			return err
		}
	}
	if err := b.tail.find(ctx); err != nil {
		return err
	}
	if b.tail.genesis != nil {
		b.reader.Before = pull.Range{First: b.tail.genesis.FirstLo, Last: b.tail.frontier - 1}
	}
	if b.timeIsUp() {
		return errTimeUp
	}
	if b.TrailsOnly && b.tail.genesis != nil && b.tail.frontier == b.hints.completeTo {
		b.tail.unhopped = false // nothing is to be archived
		return b.hints.lease(ctx)
	}
	if b.goal, err = findHead(ctx, b.hints, b.tail); err != nil {
		return err
	}
	if b.tail.genesis == nil && b.goal.to == 0 {
		return nil // nothing to archive yet
	}
	if err := b.hints.lease(ctx); err != nil { // unless it has been taken above
		return err
	}
	if b.tail.genesis == nil {
		if err := b.tail.begin(ctx, b.goal); err != nil {
			return err
		}
	}
	b.tail.head = b.goal.run
	return advance(ctx, b.tail, b.goal, &b.haul)
}

func (b *batch) result() Result {
	var created int64
	if b.tail.genesis != nil {
		created = b.tail.genesis.CreateTime
	}
	counts := b.reader.Caller.Counts()
	return Result{
		Stream: b.Stream, Run: b.runID, Hop: b.hops, Outcome: b.outcome,
		Lo: b.haul.lo, Hi: b.haul.hi, Head: b.goal.to, Frontier: b.tail.frontier,
		Chunks: b.haul.chunks, Counts: b.haul.counts, Bytes: b.haul.bytes,
		Pages: b.reader.Pages(), Calls: counts.Calls, Retries: counts.Retries, Throttled: counts.Throttled,
		ManifestSHA256: b.tail.manifests.newest, Next: b.handed, Writer: b.writer, Elapsed: time.Since(b.budget.start),
		Code: b.code, CreateTime: created, Missed: b.tail.missed,
		Media: b.stands[archive.Media().Name].Done, Left: b.left(), Due: b.earliest(func(s trail.Stand) time.Time { return s.Due }), Since: b.stands[archive.Media().Name].Since,
		Look: b.stands[archive.Change().Name].Done,
	}
}

// Abandon records that a task was given up after enough attempts. The stream is not worse off: the next tick tries
// again from its frontier.
func (e *Engine) Abandon(ctx context.Context, req Request, cause error) error {
	h, err := openHints(ctx, newSession(e, req))
	if err != nil {
		return err
	}
	return h.abandon(ctx, cause)
}
