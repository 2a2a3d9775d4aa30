package export

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/pull"
)

// errLostRace ends a batch quietly: another delivery of the run is alive, or will be redelivered.
var errLostRace = errors.New("another batch wrote the next chunk")

// batch is the state of one Run. Fields are touched by the goroutine of Run only, but for the counters.
type batch struct {
	*Engine
	Request
	Continuation *Continuation // the request's, read
	budget       budget
	runID        string // the run's id
	hops         int
	writer       string // random, new in every batch: tells an own chunk from another delivery's

	began time.Time // the store's clock at its first answer in this batch; zero until then

	state     archive.State // as loaded, then as last written
	stateRead bool          // the store has told what it holds; until then state must not be written
	ownsLease bool
	cleared   bool                // a chunk that was suspect no longer is, which the state does not know
	suspect   *archive.StateError // a chunk that is not what was written; nil once this batch has found otherwise

	genesis     *archive.Genesis // nil as long as the stream has none
	genesisLink archive.Link

	frontier chat.Seq // 0 until it is known
	after    chat.Seq // lo of the chunk below the frontier; 0 if there is none
	unhopped bool     // nobody has looked for a chunk at the frontier
	met      bool     // a chunk of another batch stood in the way of this one's
	start    chat.Seq // the frontier that progress is measured against
	newest   chat.Page
	first    chat.Page // the page that showed where the history begins
	lastTime int64     // of the group's newest message, 0 if unknown
	head     chat.Seq  // what this batch works up to
	allotted chat.Seq  // up to here, seqs were allotted so long ago that nothing is on its way any more
	runHead  chat.Seq  // the run's head, frozen by its first batch
	walkedTo chat.Seq  // below this, voids have been looked into and are walked

	index index // chunks that no manifest lists yet

	lo       chat.Seq // first seq archived by this batch
	chunks   int
	counts   archive.Counts
	bytes    int64
	rawBytes int64
	next     []byte
	outcome  Outcome
	manifest string

	createTime int64 // of the group, 0 if unknown
	missed     chat.Seq
	code       string // of the verdict

	reader *pull.Reader
}

func newBatch(e *Engine, req Request) *batch {
	if req.Concurrency > 0 || req.Keep {
		own := *e
		if req.Concurrency > 0 {
			own.Limits.Concurrency = req.Concurrency
		}
		if req.Keep {
			own.Requeuer = kept{}
		}
		e = &own
	}
	now := time.Now()
	b := &batch{Engine: e, Request: req, Continuation: req.continuation(), budget: newBudget(now, req.Deadline, e.Writes.reserve()), writer: randomHex()}
	b.reader = &pull.Reader{
		Source: e.Source, Caller: e.Caller.Fork(),
		Stream: req.Stream, Concurrency: e.Limits.Concurrency, Log: req.Log,
	}
	if c := b.Continuation; c != nil && c.Run != "" {
		b.runID, b.hops, b.runHead = c.Run, c.Hop, c.Head
	} else {
		b.runID = archive.NewRunID(now)
	}
	return b
}

func randomHex() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(raw[:])
}

// run is the batch from lease to hand-over. README.md says why they come in this order.
func (b *batch) run(ctx context.Context) error {
	err := b.steps(ctx)
	switch {
	case errors.Is(err, errNoProgress): // handed over already
	case errors.Is(err, errUnlisted):
		err = b.publish(ctx) // manifests were written: that is progress, too
	case errors.Is(err, errTimeUp):
		err = b.handOver(ctx, err)
	}
	found, stands := errors.AsType[*verdict](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLostRace):
		b.outcome = LostRace
		b.yield(ctx)
		return nil
	case stands:
		return b.stand(ctx, found)
	default:
		b.fail(ctx, err)
		return err
	}
}

func (b *batch) steps(ctx context.Context) error {
	if err := b.loadState(ctx); err != nil {
		return err
	}
	if b.heldByAnother() {
		b.outcome = AlreadyRunning
		return nil
	}
	if err := b.recheck(ctx); err != nil {
		return err
	}
	if err := b.takeLease(ctx); err != nil {
		return err
	}
	if err := b.findFrontier(ctx); err != nil {
		return err
	}
	if b.timeIsUp() {
		return b.handOver(ctx, nil)
	}
	if err := b.findHead(ctx); err != nil {
		return b.finishIfGone(ctx, err)
	}
	if b.genesis == nil {
		if done, err := b.begin(ctx); done || err != nil {
			return b.finishIfGone(ctx, err)
		}
	}
	return b.end(ctx, b.advance(ctx))
}

// end turns what pulling came to into the end of the batch: everything is archived, or the rest is handed on.
func (b *batch) end(ctx context.Context, pulled error) error {
	switch {
	case pulled != nil && (isVerdict(pulled) || errors.Is(pulled, errLostRace) || errors.Is(pulled, chat.ErrGone)):
		return b.finishIfGone(ctx, pulled)
	case pulled == nil && b.frontier > b.head:
		return b.complete(ctx)
	default:
		return b.handOver(ctx, pulled)
	}
}

// timeIsUp reports whether nothing should be begun any more. Writes that turn out slower than expected bring that
// forward.
func (b *batch) timeIsUp() bool {
	now := time.Now()
	return !now.Before(b.budget.lastStart) || !now.Before(newBudget(b.budget.start, b.budget.deadline, b.Writes.reserve()).lastStart)
}

// pullContext bounds everything that asks the source: what follows the pulling has the reserve for itself.
func (b *batch) pullContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, b.budget.pullEnd)
}

// saw notes the store's clock at its first answer. Only the store's own clock can be compared with Last-Modified.
func (b *batch) saw(object objstore.Object, err error) {
	if !b.began.IsZero() {
		return
	}
	b.began = object.Date
	if failure, ok := errors.AsType[*objstore.Error](err); ok {
		b.began = failure.Date
	}
}

// create writes an object that must not exist yet. What a crash right after it means, each caller says.
func (b *batch) create(ctx context.Context, key string, w objstore.Write) error {
	start := time.Now()
	object, err := b.Store.Create(ctx, key, w)
	b.Writes.observe(time.Since(start))
	b.saw(object, err)
	return err
}

// progressed reports whether the frontier has moved beyond what this batch was told or could know for nothing.
func (b *batch) progressed() bool { return b.start > 0 && b.frontier > b.start }

// kept is the requeuer of a caller that hands the run on itself.
type kept struct{}

// Continue implements Requeuer.
func (kept) Continue(context.Context, chat.Stream, []byte) error { return nil }

func (b *batch) result() Result {
	var created int64
	if b.genesis != nil {
		created = b.genesis.CreateTime
	}
	counts := b.reader.Caller.Counts()
	return Result{
		Stream: b.Stream, Run: b.runID, Hop: b.hops, Outcome: b.outcome,
		Lo: b.lo, Hi: b.hi(), Head: b.head, Frontier: b.frontier,
		Chunks: b.chunks, Counts: b.counts, Bytes: b.bytes,
		Pages: b.reader.Pages(), Calls: counts.Calls, Retries: counts.Retries, Throttled: counts.Throttled,
		ManifestSHA256: b.manifest, Next: b.next, Writer: b.writer, Elapsed: time.Since(b.budget.start),
		Code: b.code, CreateTime: created, Missed: b.missed,
	}
}

// hi is the last seq archived by this batch, below lo if there is none.
func (b *batch) hi() chat.Seq {
	if b.chunks == 0 {
		return b.lo - 1
	}
	return b.frontier - 1
}
