// Package trail follows the chunks of a stream with write-once receipts of what was done about each of them.
//
// It owns what all trails have in common: where one stands, which manifest comes next, which receipts are there already,
// and how the next one is chained to them. What goes into a receipt is the matter of a Kind. A trail must never hold up or
// fail the run of its stream, write a receipt for what no manifest lists, or fill a hole before a receipt that is there.
package trail

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/pull"
	"chatexport/internal/retry"
)

// RetryAfter is how long a trail that waits, or stands still, is left alone: a tick each minute should not ask for the same
// missing file again and again.
const RetryAfter = 10 * time.Minute

// What ends a Kind's work on a chunk before its end; none of them is a failure.
var (
	// ErrTimeUp means that time is up: the next batch goes on.
	ErrTimeUp = errors.New("time is up")
	// ErrWaits means that something may still come: the trail is worth another try after RetryAfter.
	ErrWaits = errors.New("the trail waits")
	// ErrRecreated means that the stream's seqs were given anew: what is asked for is no longer what is archived.
	ErrRecreated = errors.New("the messages are others than those that are archived under the same seqs")
	// errMoved means that another batch has written the receipt: the work goes on behind it.
	errMoved = errors.New("another batch wrote the receipt")
)

// DamageError is an object of a trail, or of what it follows, that is missing or is something else. The trail stands still
// until a person has looked at it.
type DamageError struct {
	Code string
	Text string
}

func (e *DamageError) Error() string {
	return e.Text + "; nothing was overwritten, look at it with verify"
}

// ErrorCode names the damage for state and logs.
func (e *DamageError) ErrorCode() string { return e.Code }

func damaged(code, format string, args ...any) error {
	return &DamageError{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Kind is one kind of trail, for all streams of a process.
type Kind interface {
	// Form returns the form of its receipts.
	Form() archive.Trail
	// Due returns when a chunk is due; false means that the chunk needs no receipt. The manifest is the one that lists it.
	Due(m *archive.Manifest, c *archive.ChunkEntry) (time.Time, bool)
	// Begin returns what does the work of one batch.
	Begin(b Batch) Work
}

// Work does the receipts of a chunk, in order. nil means that the last one reaches the chunk's end, or goes beyond. ErrTimeUp,
// ErrWaits and errors of Job.Put are returned as they are; anything else makes the trail stand still.
type Work func(ctx context.Context, job *Job) error

// Batch is what a trail knows of the batch that it is followed in. It is set once.
type Batch struct {
	Stream  chat.Stream
	Store   *objstore.Observed
	Reader  *pull.Reader // of the stream
	Run     string
	Writer  string   // names this batch, in what it writes
	Earlier []string // as in chain.Chain
	Jitter  func(bound time.Duration) time.Duration
	Log     zerolog.Logger
}

// Trail is one trail of one stream in one batch. It belongs to the goroutine of the batch.
type Trail struct {
	Batch
	kind  Kind
	work  Work
	chain *chain.Chain[archive.ReceiptEntry]

	genesis string // its SHA-256 in hex; empty if it was not read

	// Where the trail stands. nil until that is known.
	hint *archive.TrailHint
	open *archive.Manifest // that lists the chunk at the frontier; nil if it was not read

	looked bool // at the last receipt that the state names
	alone  bool // no receipt stands at the frontier, as far as the state tells or was found, and this batch writes them all

	began chat.Seq  // the frontier that progress is measured against
	due   time.Time // when what the work waits for is worth another try
	done  Done
}

// Done is what a batch did for a trail.
type Done struct {
	Counts map[string]int64 // of the receipts that this batch wrote
	Bytes  int64            // of the files in them
}

// Stand is how a batch leaves a trail.
type Stand struct {
	Done
	Left     bool      // something is left that could be done at once
	Due      time.Time // when something that waits is worth another try; zero if nothing waits
	Since    time.Time // when the oldest message was sent for which it is not done; zero if there is none, or it is not known
	Advanced bool      // its frontier moved
	Err      error     // why it stands still; nil if it does not
}

// Open takes up a trail where the state says that it stands; nil if the state does not tell.
func Open(kind Kind, b Batch, hint *archive.TrailHint) *Trail {
	t := &Trail{Batch: b, kind: kind, work: kind.Begin(b), done: Done{Counts: map[string]int64{}}}
	if hint != nil {
		h := *hint
		t.hint, t.began, t.alone = &h, h.Frontier, true
	}
	form := kind.Form()
	t.chain = &chain.Chain[archive.ReceiptEntry]{
		Store: b.Store, Key: func(lo chat.Seq) string { return key(form, b.Stream, lo) }, Parse: parse(form),
		Writer: b.Writer, Earlier: b.Earlier, Jitter: b.Jitter, Log: b.Log,
	}
	return t
}

func key(form archive.Trail, s chat.Stream, lo chat.Seq) string {
	if form.Name == archive.Media().Name {
		return layout.Media(s, lo)
	}
	return layout.Change(s, lo)
}

// parse reads what a HEAD tells of a receipt.
func parse(form archive.Trail) func(string, chat.Seq, objstore.Object) (archive.ReceiptEntry, error) {
	return func(key string, lo chat.Seq, o objstore.Object) (archive.ReceiptEntry, error) {
		m, err := form.ParseMetadata(o.Metadata)
		switch {
		case errors.Is(err, archive.ErrFormat):
			return archive.ReceiptEntry{}, fmt.Errorf("read %s, which a newer version wrote; deploy that version: %w", key, err)
		case err != nil:
			return archive.ReceiptEntry{}, damaged("foreign_object", "%s is no receipt: %v", key, err)
		case m.Lo != lo:
			return archive.ReceiptEntry{}, damaged("foreign_object", "%s says that it begins at %d", key, m.Lo)
		}
		return archive.ReceiptEntry{ReceiptMeta: m, CRC64: strconv.FormatUint(o.CRC64, 10)}, nil
	}
}

// Form returns the form of the trail's receipts.
func (t *Trail) Form() archive.Trail { return t.kind.Form() }

// Hint returns where the trail stands; nil if that is not known.
func (t *Trail) Hint() *archive.TrailHint {
	if t.hint == nil {
		return nil
	}
	h := *t.hint
	return &h
}

// Begin tells where the stream's archive begins, and the sum of its genesis if that is known. Of a trail that is not known
// to stand anywhere, all receipts are looked for from there on.
func (t *Trail) Begin(first chat.Seq, genesis string) {
	t.genesis = genesis
	if t.hint == nil {
		t.hint, t.began = &archive.TrailHint{Frontier: first, Manifest: first}, first
	}
}

// Listed tells of the next manifest of the chain, for which nothing needs to be read then. What needs no receipt is passed.
func (t *Trail) Listed(m archive.Manifest) {
	if t.hint != nil && t.hint.Manifest == m.Lo && t.open == nil {
		t.open = &m
		t.skip()
	}
}

// skip moves the frontier to the next chunk of the open manifest that needs a receipt, or behind the manifest. It returns
// that chunk, nil if there is none.
func (t *Trail) skip() *archive.ChunkEntry {
	for i := range t.open.Chunks {
		c := &t.open.Chunks[i]
		if c.Hi < t.hint.Frontier {
			continue
		}
		if _, needed := t.kind.Due(t.open, c); needed {
			t.hint.Frontier = max(t.hint.Frontier, c.Lo)
			return c
		}
		t.hint.Frontier = c.Hi + 1
	}
	t.hint.Frontier = max(t.hint.Frontier, t.open.Hi+1)
	t.hint.Manifest, t.open = t.open.Hi+1, nil
	return nil
}

// Following is how far a batch may follow a trail.
type Following struct {
	To    chat.Seq     // below it, all is listed
	Last  *archive.Pin // the last receipt that the newest manifest names; nil if it names none, or was not read
	Until time.Time    // no work is begun after
	End   time.Time    // what is under way then is cut off; the last writes have the context's time
	Half  time.Time    // what was begun before and did not fit into the batch fits into none
}

// Follow goes on along the chunks. It never fails: what went wrong, Stand tells.
func (t *Trail) Follow(ctx context.Context, f Following) Stand {
	if t.waits(f.To) {
		return t.Stand(f.To)
	}
	err := t.follow(ctx, f)
	if err != nil && (ctx.Err() != nil || errors.Is(err, retry.ErrNoTime)) {
		err = ErrTimeUp
	}
	t.hint.Due, t.hint.Code, t.hint.At = time.Time{}, "", time.Time{}
	switch {
	case err == nil, errors.Is(err, ErrTimeUp), errors.Is(err, chain.ErrLostRace): // of a lost race the winner goes on
	case errors.Is(err, ErrWaits):
		t.hint.Due = t.due
	default:
		t.hint.Due, t.hint.At = time.Now().Add(RetryAfter), time.Now()
	}
	stand := t.Stand(f.To)
	stand.Left = errors.Is(err, ErrTimeUp)
	if !t.hint.At.IsZero() {
		stand.Err = err
	}
	return stand
}

// waits reports whether nothing can be done at once.
func (t *Trail) waits(to chat.Seq) bool {
	return t.hint == nil || t.hint.Frontier >= to || t.hint.Due.After(time.Now())
}

// Stand tells how the trail stands.
func (t *Trail) Stand(to chat.Seq) Stand {
	if !t.waits(to) && t.open != nil {
		if c := t.skip(); c != nil {
			if due, _ := t.kind.Due(t.open, c); due.After(time.Now()) {
				t.hint.Due = due
			}
		}
	}
	s := Stand{Done: t.done, Left: !t.waits(to)}
	if t.hint != nil {
		s.Advanced = t.hint.Frontier > t.began
		if t.hint.Frontier < to {
			s.Due, s.Since = t.hint.Due, t.since()
		}
	}
	return s
}

// since is when the oldest message at the frontier was sent.
func (t *Trail) since() time.Time {
	if t.open == nil {
		return time.Time{}
	}
	for i := range t.open.Chunks {
		if c := &t.open.Chunks[i]; c.Hi >= t.hint.Frontier && c.TsMin > 0 {
			return time.Unix(c.TsMin, 0)
		}
	}
	return t.open.FinishedAt
}

// Fail notes the code of the error with which the trail stands still.
func (t *Trail) Fail(code string) { t.hint.Code = code }

func (t *Trail) follow(ctx context.Context, f Following) error {
	for t.hint.Frontier < f.To {
		if err := t.read(ctx); err != nil {
			return err
		}
		c := t.skip()
		if c == nil {
			continue
		}
		if t.due, _ = t.kind.Due(t.open, c); t.due.After(time.Now()) {
			return ErrWaits
		}
		if !time.Now().Before(f.Until) {
			return ErrTimeUp
		}
		if err := t.hop(ctx, c, f); err != nil {
			return err
		}
		if t.hint.Frontier > c.Hi {
			continue
		}
		t.due = time.Now().Add(RetryAfter)
		err := t.work(ctx, &Job{
			trail: t, Following: f, Manifest: t.open, Chunk: *c, Whole: time.Now().Before(f.Half),
			Again: !t.hint.Due.IsZero() && t.hint.Code == "" && t.hint.Frontier == t.began,
		})
		if err != nil && !errors.Is(err, errMoved) {
			return err
		}
	}
	return nil
}

// read reads the manifest that lists the chunk at the frontier, unless it is known.
func (t *Trail) read(ctx context.Context) error {
	if t.open != nil {
		return nil
	}
	m, err := t.manifest(ctx, t.hint.Manifest)
	if err == nil {
		t.open = &m
	}
	return err
}

func (t *Trail) manifest(ctx context.Context, lo chat.Seq) (archive.Manifest, error) {
	key := layout.Manifest(t.Stream, lo)
	body, _, err := t.Store.Get(ctx, key)
	if errors.Is(err, objstore.ErrNotExist) {
		return archive.Manifest{}, damaged("manifest_missing", "%s, which lists chunks that the trail of %s follows, does not exist", key, t.Form().Name)
	}
	if err != nil {
		return archive.Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	m, err := archive.ParseManifest(body)
	switch {
	case errors.Is(err, archive.ErrFormat):
		return m, fmt.Errorf("read %s, which a newer version wrote; deploy that version: %w", key, err)
	case err != nil:
		return m, damaged("manifest_invalid", "%s: %v", key, err)
	case m.Stream() != t.Stream || m.Lo != lo:
		return m, damaged("manifest_invalid", "%s describes something else", key)
	}
	return m, nil
}

// hop makes sure that the trail goes on behind its last receipt, and passes those that are there already. Where the state tells
// of none, there is nothing to look for: a name that is taken, the write finds out.
func (t *Trail) hop(ctx context.Context, c *archive.ChunkEntry, f Following) error {
	if last := t.hint.After; last != nil && !t.looked {
		e, err := t.chain.Look(ctx, last.Lo)
		switch {
		case errors.Is(err, objstore.ErrNotExist):
			return damaged("receipt_missing", "state says that %s exists, and it does not", t.chain.Key(last.Lo))
		case err != nil:
			return fmt.Errorf("look at the last receipt: %w", err)
		case e.SHA256 != last.SHA256:
			return damaged("receipt_chain", "%s is not the receipt that was written", t.chain.Key(last.Lo))
		}
		t.hint.Frontier = max(t.hint.Frontier, e.Hi+1)
	}
	t.looked = true
	behind := func() bool { return t.hint.Frontier > c.Hi }
	if t.alone || behind() {
		return t.lost(f)
	}
	err := t.chain.Hop(ctx, t.hint.Frontier, func() bool { return behind() || !time.Now().Before(f.Until) }, t.pass)
	if err != nil || behind() {
		return err
	}
	if !time.Now().Before(f.Until) {
		return ErrTimeUp
	}
	t.alone = true
	return t.lost(f)
}

// lost tells of receipts that a manifest names, and that are not there.
func (t *Trail) lost(f Following) error {
	if f.Last != nil && f.Last.Lo >= t.hint.Frontier {
		return damaged("receipt_missing", "%s does not exist, and a manifest names one behind it", t.chain.Key(t.hint.Frontier))
	}
	return nil
}

// pass moves the frontier behind a receipt that is stored.
func (t *Trail) pass(_ context.Context, e archive.ReceiptEntry) error {
	t.hint.Frontier = e.Hi + 1
	t.hint.After = &archive.Pin{Lo: e.Lo, SHA256: e.SHA256}
	return nil
}
