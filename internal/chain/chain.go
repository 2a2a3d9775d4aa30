// Package chain is the protocol of write-once ranges, once: whose object it is that stands under a taken name, what that
// means, and how to go from one object to the next.
//
// An object of a chain covers a closed seq range, is named by the range's first seq alone, and tells the last one itself: so
// the next object's name is always known, and of two writers that race for a name the first PUT wins. The package owns
// those rules for every kind of chain. It must never overwrite, list, believe a 404 once where an object must be, or look
// into an object's content.
package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// goneAfter is how often a 404 for an object that must be there is asked again before it is believed, since an answer may
// come from a replica that is behind.
const goneAfter = 4

// ErrLostRace means that another delivery of the run is alive, or will be redelivered: whoever gets it ends quietly.
var ErrLostRace = errors.New("another batch wrote the next object")

// CorruptError means that an own write is stored with other bytes than were written.
type CorruptError struct {
	Key   string
	Lo    chat.Seq
	CRC64 string // that the object should have, in decimal
}

func (e *CorruptError) Error() string { return e.Key + " is not what was written" }

// Entry is what an object of a chain tells of itself.
type Entry interface {
	// Range returns the closed seq range that the object covers.
	Range() (lo, hi chat.Seq)
	// WrittenBy names the batch that wrote the object.
	WrittenBy() string
	// Sums returns the object's SHA-256 in hex, as it tells it, and its CRC-64 in decimal, as the store computed it.
	Sums() (sha256, crc64 string)
}

// Chain is one chain as one batch sees it. It belongs to the goroutine of the batch; its exported fields are set once.
type Chain[E Entry] struct {
	Store *objstore.Observed
	Key   func(lo chat.Seq) string
	// Parse reads what a HEAD tells of the object that begins at lo. Its error means that something else is there.
	Parse  func(key string, lo chat.Seq, o objstore.Object) (E, error)
	Writer string // names this batch, in what it writes
	// Earlier are the writers of batches that worked on the same before this one, and handed on or failed: what they gave
	// up may arrive late.
	Earlier []string
	Jitter  func(bound time.Duration) time.Duration // as in retry.Policy
	Log     zerolog.Logger

	met bool // an object of another batch stood in the way: those behind it may be of one that is alive
}

// Put writes an object under a name that should be free, and returns what is stored there. mine is false where another
// batch's object was there already and this batch goes on behind it. Errors: ErrLostRace, *CorruptError, that of Parse,
// or of the store.
func (c *Chain[E]) Put(ctx context.Context, own E, w objstore.Write) (stored E, mine bool, err error) {
	lo, _ := own.Range()
	stored = own
	wrote, err := Create(ctx, c.Store, c.Key(lo), w, func(ctx context.Context) error {
		var modified time.Time
		var err error
		if stored, modified, err = c.look(ctx, lo); err != nil {
			return fmt.Errorf("look at what is there already: %w", err)
		}
		if stored.WrittenBy() == c.Writer { // the answer to an earlier attempt was lost
			mine = true
			return c.intact(own, stored)
		}
		return c.taken(stored, modified)
	})
	return stored, wrote || mine, err
}

// Create writes an object that must not exist yet. Where the name is taken, or nobody knows whether the write arrived,
// take looks at what is there and decides. It reports whether it surely was this write that arrived.
func Create(ctx context.Context, store *objstore.Observed, key string, w objstore.Write, take func(ctx context.Context) error) (wrote bool, err error) {
	_, written := store.Create(ctx, key, w)
	unknown := errors.Is(written, objstore.ErrUnknown)
	if !unknown && !errors.Is(written, objstore.ErrExist) {
		return written == nil, written
	}
	err = take(ctx)
	_, failed := errors.AsType[*objstore.Error](err)
	if errors.Is(err, objstore.ErrNotExist) || unknown && (failed || errors.Is(err, retry.ErrNoTime)) {
		return false, written // why it did not arrive, the write knows
	}
	return false, err
}

// intact proves that an own object is stored as it was written.
func (c *Chain[E]) intact(own, stored E) error {
	sha256, crc64 := own.Sums()
	if s, crc := stored.Sums(); s == sha256 && crc == crc64 {
		return nil
	}
	lo, _ := own.Range()
	return &CorruptError{Key: c.Key(lo), Lo: lo, CRC64: crc64}
}

// taken decides what the object of another batch means. One that was stored since this batch began is of a delivery that
// is alive, or will be delivered again; where nobody is, it is a leftover of a run that died, or a write of an earlier
// batch that gave it up: go on behind it.
func (c *Chain[E]) taken(other E, modified time.Time) error {
	c.met = true
	if slices.Contains(c.Earlier, other.WrittenBy()) || !c.Store.Since(modified) {
		return nil
	}
	lo, hi := other.Range()
	c.Log.Info().Int64("lo", int64(lo)).Int64("hi", int64(hi)).Msg("another delivery wrote this and goes on")
	return ErrLostRace
}

// Hop goes over objects that exist already, from the one at lo on, until there is none (perhaps stale: then a PUT finds the
// name taken), or enough says so. pass is told each of them.
func (c *Chain[E]) Hop(ctx context.Context, lo chat.Seq, enough func() bool, pass func(context.Context, E) error) error {
	for !enough() {
		entry, modified, err := c.head(ctx, lo)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err == nil && c.met { // who left one object may have left more
			err = c.taken(entry, modified)
		}
		if err == nil {
			err = pass(ctx, entry)
		}
		if err != nil {
			return err
		}
		_, hi := entry.Range()
		lo = hi + 1
	}
	return nil
}

// Look describes the object that begins at lo. ErrNotExist was asked again until it can be believed; where there is no
// time for that, the error is retry.ErrNoTime.
func (c *Chain[E]) Look(ctx context.Context, lo chat.Seq) (E, error) {
	entry, _, err := c.look(ctx, lo)
	return entry, err
}

func (c *Chain[E]) look(ctx context.Context, lo chat.Seq) (entry E, modified time.Time, err error) {
	key := c.Key(lo)
	object, err := Head(ctx, c.Store, key, c.Jitter)
	if err != nil {
		return entry, time.Time{}, err
	}
	entry, err = c.Parse(key, lo, object)
	return entry, object.LastModified, err
}

// Head describes an object that should be there. ErrNotExist was asked again until it can be believed; where there is no
// time for that, the error is retry.ErrNoTime.
func Head(ctx context.Context, store *objstore.Observed, key string, jitter func(bound time.Duration) time.Duration) (object objstore.Object, err error) {
	err = Believe(ctx, jitter, objstore.ErrNotExist, func(ctx context.Context) (err error) {
		object, err = store.Head(ctx, key)
		return err
	})
	return object, err
}

// Believe asks again as long as the answer matches doubtful, since it may come from a replica that is behind, until it can
// be believed. Where there is no time for that, the error is retry.ErrNoTime, and does not match doubtful.
func Believe(ctx context.Context, jitter func(bound time.Duration) time.Duration, doubtful error, ask func(ctx context.Context) error) error {
	policy := retry.Policy{Base: 100 * time.Millisecond, Cap: time.Second, Attempts: goneAfter, Jitter: jitter}
	asked := 0
	err := policy.Do(ctx, func(ctx context.Context, n int) error {
		asked = n
		err := ask(ctx)
		if errors.Is(err, doubtful) {
			return staleError{err}
		}
		return err
	})
	if asked < goneAfter && errors.Is(err, doubtful) {
		err = fmt.Errorf("%w: the answer is not yet believed: %s", retry.ErrNoTime, err.Error()) // no longer doubtful
	}
	return err
}

// staleError marks an answer that may come from a replica that is behind.
type staleError struct{ error }

func (e staleError) Unwrap() error           { return e.error }
func (e staleError) RetryClass() retry.Class { return retry.Transient }

func (c *Chain[E]) head(ctx context.Context, lo chat.Seq) (E, time.Time, error) {
	var none E
	key := c.Key(lo)
	object, err := c.Store.Head(ctx, key)
	if err != nil {
		return none, time.Time{}, err
	}
	entry, err := c.Parse(key, lo, object)
	return entry, object.LastModified, err
}
