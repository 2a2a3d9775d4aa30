package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/trail"
)

const (
	// hintEvery is how often a batch saves how far it hopped: a recovery of thousands of chunks must not begin again when
	// an instance dies, and a write for each hop would double its cost.
	hintEvery = 5 * time.Second
	// lastWords bounds the write of the state that tells of a failure: the store itself may be what failed.
	lastWords = 5 * time.Second

	contentJSON = "application/json"
	contentGzip = "application/gzip"
)

// hints is the stream's state.json in this batch, which nobody else here reads or writes. The archive is right without
// it, so a failure to write it is a warning at most, but for the lease and for what must not be forgotten.
type hints struct {
	*session

	// As loaded, then as last written.
	state archive.State
	read  bool // the store has told what it holds; until then nothing must be written over it
	kept  bool // there is a state object
	saved time.Time

	completeTo chat.Seq // a frontier below which, as the state said when it was loaded, all is listed; 0 if it said nothing such
	suspect    bool     // the state tells of a chunk that is not what was written, and this batch has not found otherwise
	cleared    bool     // this batch has found otherwise, and the state does not know it yet
	ownsLease  bool     // the lease in state was written by this batch
}

// openHints reads the state. What cannot be read as state is no hint at all, and is worth a warning; state of an unknown
// format belongs to a newer version and is neither used nor overwritten.
func openHints(ctx context.Context, s *session) (*hints, error) {
	h := &hints{session: s, saved: time.Now()}
	err := h.load(ctx)
	if h.state.Status == archive.StatusComplete { // which is only written after the manifest
		h.completeTo = h.state.Frontier
	}
	e := h.state.Error
	h.suspect = h.state.Status == archive.StatusDamaged && e != nil && e.Code == codeCorrupt
	return h, err
}

func (h *hints) load(ctx context.Context) error {
	key := layout.State(h.Stream)
	body, _, err := h.store.Get(ctx, key)
	missing, large := errors.Is(err, objstore.ErrNotExist), errors.Is(err, objstore.ErrTooLarge)
	h.read, h.kept = err == nil || missing || large, err == nil || large
	if !h.read {
		return fmt.Errorf("read state: %w", err)
	}
	h.state = archive.State{}
	if missing {
		return nil // there is none yet
	}
	state := archive.State{}
	if !large {
		state, err = archive.ParseState(body)
	}
	if errors.Is(err, archive.ErrFormat) {
		h.read = false
		return fmt.Errorf("read state %s, which a newer version wrote; deploy that version: %w", key, err)
	}
	if err != nil {
		h.Log.Warn().Err(err).Str("key", key).Msg("state is unreadable and ignored")
		return nil
	}
	h.state = state
	return nil
}

// recheck keeps the verdict on a chunk that is not what was written until a person has dealt with it: its metadata are
// as they should be, so that to a batch that hops over it, it looks like any other, and while its messages are retained
// they can still be had, by removing it.
func (h *hints) recheck(ctx context.Context, chunks *chunkChain) error {
	if !h.suspect {
		return nil
	}
	entry, err := chunks.Look(ctx, h.state.Error.Frontier)
	switch {
	case errors.Is(err, objstore.ErrNotExist): // removed: it is pulled again
	case err != nil:
		return fmt.Errorf("look at the chunk that was not what was written: %w", err)
	case entry.CRC64 != h.state.Error.CRC64:
		return corrupt(entry.Key, entry.Lo, h.state.Error.CRC64)
	}
	h.suspect, h.cleared = false, true
	h.state.Status, h.state.Error = archive.StatusRunning, nil
	return nil
}

// place is how far a batch has come, as far as it knows.
type place struct {
	frontier, after chat.Seq // 0 as long as they are unknown
	head            chat.Seq // of the run; 0 as long as it is unknown
	manifest        *archive.Pin
	unlisted        int64
	trails          []*trail.Trail
}

// note takes over where the batch is. What it does not know yet stays as it was loaded.
func (h *hints) note(p place) {
	if p.frontier > 0 {
		h.state.Frontier, h.state.After = p.frontier, p.after
		h.state.ManifestAfter, h.state.Counters.Unlisted = p.manifest, p.unlisted
	}
	if p.head > 0 {
		h.state.Head = p.head
	}
	for _, t := range p.trails {
		*h.state.Of(t.Form()) = t.Hint()
	}
}

// save writes where the batch is now and then. A crash right after it loses nothing; without it, a recovery that dies
// would begin again.
func (h *hints) save(ctx context.Context, p place) {
	if time.Since(h.saved) < hintEvery {
		return
	}
	h.saved = time.Now()
	h.note(p)
	h.state.Status = archive.StatusRunning // never complete: what was hopped over may not be listed
	if err := h.put(ctx); err != nil {
		h.Log.Warn().Err(err).Msg("hint not saved")
	}
}

func (h *hints) put(ctx context.Context) error {
	if h.state.Status == "" {
		h.state.Status = archive.StatusRunning
	}
	h.state.Format = archive.Format
	h.state.UpdatedAt = time.Now().UTC()
	body, err := h.state.Encode()
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if _, err := h.store.Overwrite(ctx, layout.State(h.Stream), objstore.Write{Body: body, ContentType: contentJSON}); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// end writes the state with which a batch ends. A crash before it means that the next batch starts from an older hint and
// hops.
func (h *hints) end(ctx context.Context, p place, done haul, status string, failure *archive.StateError, lease *archive.Lease) {
	h.note(p)
	h.state.Status, h.state.Error, h.state.Lease = status, failure, lease
	done.count(&h.state.Counters)
	h.state.Counters.Pages += h.reader.Pages()
	h.state.Counters.Calls += h.reader.Caller.Counts().Calls
	if err := h.put(ctx); err != nil {
		h.Log.Warn().Err(err).Msg("state is out of date; the next batch finds the frontier by hopping")
	}
}

// fail records a failure that the platform is to mend by delivering the event again. The own lease goes, so that a
// tick may try, too.
func (h *hints) fail(ctx context.Context, p place, done haul, cause error) {
	if !h.read || ctx.Err() != nil || errors.Is(cause, archive.ErrFormat) {
		return // what is there is not known, or is a newer version's: touch nothing; an own lease ends with the deadline
	}
	ctx, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	lease, status := h.state.Lease, h.state.Status
	if h.ownsLease {
		lease = nil
	}
	if status == "" || p.frontier > h.state.Frontier {
		status = archive.StatusRunning // never complete: what is new is not listed
	}
	failure := h.state.Error
	if !h.suspect {
		failure = h.failure(codeOf(cause), cause.Error(), p.frontier)
	}
	h.end(ctx, p, done, status, failure, lease)
}

// abandon records that a task was given up after enough attempts. What is known of a chunk that is not what was written
// stays. A crash before it means that the state does not tell of the failure.
func (h *hints) abandon(ctx context.Context, cause error) error {
	h.state.Lease = nil
	if !h.suspect {
		h.state.Status, h.state.Error = archive.StatusFailed, h.failure(codeOf(cause), cause.Error(), 0)
	}
	return h.put(ctx)
}

func (h *hints) failure(code, text string, frontier chat.Seq) *archive.StateError {
	return &archive.StateError{Code: code, Text: text, At: time.Now().UTC(), Frontier: max(frontier, h.state.Frontier)}
}
