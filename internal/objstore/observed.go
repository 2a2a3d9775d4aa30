package objstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Store keeps objects by keys of package layout. It repeats transient failures itself as long as ctx allows, so an
// error is final for whoever asked. Errors match the conditions of this package; where the store answered, they are *Error
// and carry the store's clock. A store is safe for concurrent use.
type Store interface {
	// Get reads a whole object and verifies its checksum. ErrNotExist is certain here: the store said NoSuchKey. What is
	// longer than the key's kind allows is not read: ErrTooLarge.
	Get(ctx context.Context, key string) ([]byte, Object, error)
	// Head describes an object. ErrNotExist may be stale, or hide a missing bucket.
	Head(ctx context.Context, key string) (Object, error)
	// Create writes an object under a key that must be free, and is durable when it returns. ErrExist means that the key
	// is taken, perhaps by this very write, whose first answer was lost; ErrUnknown that nobody knows.
	Create(ctx context.Context, key string, w Write) (Object, error)
	// Overwrite writes an object whether or not it exists.
	Overwrite(ctx context.Context, key string, w Write) (Object, error)
}

// Observed is a store as one batch sees it: it remembers what the store's clock said at its first answer, and how long
// writes take: not those of files, which say nothing about the last writes of a batch. It is safe for concurrent use.
type Observed struct {
	store  Store
	writes *WriteTimes

	mu    sync.Mutex
	began time.Time // zero until the store has answered
}

var _ Store = (*Observed)(nil)

// Observe begins to look at a store. writes is shared by all batches of a process.
func Observe(store Store, writes *WriteTimes) *Observed {
	return &Observed{store: store, writes: writes}
}

// Since reports whether an object that was stored at a time is surely younger than the batch. Only the store's own clock
// can be compared with Last-Modified, and only in whole seconds; in doubt it is not.
func (o *Observed) Since(lastModified time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.began.IsZero() && lastModified.After(o.began)
}

// Get implements Store.
func (o *Observed) Get(ctx context.Context, key string) ([]byte, Object, error) {
	body, object, err := o.store.Get(ctx, key)
	o.saw(object, err)
	return body, object, err
}

// Head implements Store.
func (o *Observed) Head(ctx context.Context, key string) (Object, error) {
	object, err := o.store.Head(ctx, key)
	o.saw(object, err)
	return object, err
}

// Create implements Store.
func (o *Observed) Create(ctx context.Context, key string, w Write) (Object, error) {
	start := time.Now()
	object, err := o.store.Create(ctx, key, w)
	if w.File == nil {
		o.writes.took(time.Since(start))
	}
	o.saw(object, err)
	return object, err
}

// Overwrite implements Store.
func (o *Observed) Overwrite(ctx context.Context, key string, w Write) (Object, error) {
	start := time.Now()
	object, err := o.store.Overwrite(ctx, key, w)
	o.writes.took(time.Since(start))
	o.saw(object, err)
	return object, err
}

// saw notes the store's clock at its first answer.
func (o *Observed) saw(object Object, err error) {
	date := object.Date
	if failure, ok := errors.AsType[*Error](err); ok {
		date = failure.Date
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() {
		o.began = date
	}
}

// WriteTimes remembers how long writes to a store take lately, for all batches of a process, so that the time that a batch
// keeps for its last writes fits the store. The zero value is ready, and safe for concurrent use.
type WriteTimes struct{ slowest atomic.Int64 }

// took notes a write that took d. A slow one is forgotten by and by.
func (w *WriteTimes) took(d time.Duration) {
	old := w.slowest.Load()
	w.slowest.Store(max(int64(d), old-old/8)) // a lost update costs one observation
}

// Slowest returns how long the slowest of the latest writes took.
func (w *WriteTimes) Slowest() time.Duration { return time.Duration(w.slowest.Load()) }
