// Package memstore keeps objects in memory for tests that decide themselves what goes wrong: which write takes effect,
// what its caller is told, and which reader sees an old version.
//
// It owns the behaviour of a store between its callers, and watches that immutable objects stay as they are. It is for
// tests only: it must never be part of production, and it never decides by itself that something fails.
package memstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"chatexport/internal/objstore"
)

// Options describe a store. The zero value is a store without faults.
type Options struct {
	// Now is the store's clock; time.Now if nil. What it tells is cut to whole seconds, as HTTP does.
	Now func() time.Time
	// Lag is how long after a write readers may be shown what was there before, if a hook asks for that.
	Lag time.Duration
	// Immutable tells the keys under which nothing may ever change or vanish; none if nil.
	Immutable func(key string) bool
	// Violation is told when something under an immutable key changes all the same. It must not use the store.
	Violation func(key, what string)
	// Stored is told of every write that took effect. It must not use the store.
	Stored func(Stored)
}

// Stored is a write that took effect.
type Stored struct {
	Key     string
	Write   objstore.Write
	At      time.Time // not cut
	Caller  string    // of the view
	Replace bool      // there was an object under this key
}

// Store is the memory. Its own methods meet no faults; those of its views do. It is safe for concurrent use.
type Store struct {
	opts Options

	mu      sync.Mutex // guards everything below; never held while a hook runs
	objects map[string]*object
	calls   int
}

// object is what a key holds and what it held before.
type object struct {
	current, previous *version // previous is nil for a new object
	changed           time.Time
}

type version struct {
	body     []byte
	metadata map[string]string
	modified time.Time
	crc      uint64
}

// New returns an empty store.
func New(opts Options) *Store {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Store{opts: opts, objects: make(map[string]*object)}
}

// Get reads a whole object.
func (s *Store) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	return s.plain().Get(ctx, key)
}

// Head describes an object.
func (s *Store) Head(ctx context.Context, key string) (objstore.Object, error) {
	return s.plain().Head(ctx, key)
}

// Create stores an object under a free key.
func (s *Store) Create(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return s.plain().Create(ctx, key, w)
}

// Overwrite stores an object, whether or not the key is taken.
func (s *Store) Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return s.plain().Overwrite(ctx, key, w)
}

func (s *Store) plain() *View { return &View{store: s} }

// Open reads an object piece by piece, as it is now.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	return s.plain().Open(ctx, key)
}

// List yields the objects whose keys begin with prefix and sort behind after, as they are when it begins.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Entry, error] {
	return func(yield func(objstore.Entry, error) bool) {
		for _, e := range s.entries(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(objstore.Entry{}, &objstore.Error{Op: "list", Err: err})
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (s *Store) entries(prefix, after string) []objstore.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []objstore.Entry
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if v := s.objects[key].current; strings.HasPrefix(key, prefix) && key > after {
			entries = append(entries, objstore.Entry{Key: key, Size: int64(len(v.body)), LastModified: v.modified})
		}
	}
	return entries
}

// Lose removes an object, as a person, a lifecycle rule or a disaster would.
func (s *Store) Lose(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[key]; ok && s.immutable(key) {
		s.opts.Violation(key, "lost")
	}
	delete(s.objects, key)
}

func (s *Store) immutable(key string) bool {
	return s.opts.Immutable != nil && s.opts.Violation != nil && s.opts.Immutable(key)
}

// store lets a write take effect. It reports false for a create-only write of a key that is taken.
func (s *Store) store(caller, key string, w objstore.Write, createOnly bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	if o != nil && createOnly {
		return false
	}
	now := s.opts.Now()
	v := &version{
		body: bytes.Clone(w.Body), metadata: cloned(w.Metadata), modified: now.UTC().Truncate(time.Second),
		crc: objstore.CRC64(w.Body),
	}
	if o == nil {
		s.objects[key] = &object{current: v, changed: now}
	} else {
		if s.immutable(key) && !(bytes.Equal(o.current.body, v.body) && maps.Equal(o.current.metadata, v.metadata)) {
			s.opts.Violation(key, "overwritten")
		}
		s.objects[key] = &object{current: v, previous: o.current, changed: now}
	}
	if s.opts.Stored != nil {
		kept := objstore.Write{Body: v.body, ContentType: w.ContentType, Metadata: v.metadata}
		s.opts.Stored(Stored{Key: key, Write: kept, At: now, Caller: caller, Replace: o != nil})
	}
	return true
}

// load returns what a reader of a key sees, nil if that is nothing.
func (s *Store) load(key string, stale bool) *version {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	switch {
	case o == nil:
		return nil
	case stale && s.opts.Now().Sub(o.changed) < s.opts.Lag:
		return o.previous
	default:
		return o.current
	}
}

func (s *Store) date() time.Time { return s.opts.Now().UTC().Truncate(time.Second) }

// number counts a call.
func (s *Store) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.calls
}

func (v *version) describe(date time.Time) objstore.Object {
	return objstore.Object{
		Size: int64(len(v.body)), CRC64: v.crc, Metadata: cloned(v.metadata), LastModified: v.modified, Date: date,
	}
}

func cloned(metadata map[string]string) map[string]string {
	clone := make(map[string]string, len(metadata))
	maps.Copy(clone, metadata)
	return clone
}

// refusal is the store's answer that it did not do what it was asked.
func (s *Store) refusal(op Op, key string, n, status int, code string, err error) error {
	return &objstore.Error{
		Op: string(op), Key: key, Status: status, Code: code, RequestID: strconv.Itoa(n), Attempts: 1, Date: s.date(), Err: err,
	}
}

func (s *Store) missing(op Op, key string, n int) error {
	return s.refusal(op, key, n, http.StatusNotFound, "NoSuchKey", objstore.ErrNotExist)
}

func (s *Store) taken(op Op, key string, n int) error {
	return s.refusal(op, key, n, http.StatusConflict, "FileAlreadyExists", objstore.ErrExist)
}

// check refuses what the contract says no store holds.
func check(op Op, key string, w *objstore.Write) error {
	err := objstore.CheckKey(key)
	if err == nil && w != nil {
		err = objstore.CheckMetadata(w.Metadata)
	}
	if err != nil {
		return &objstore.Error{Op: string(op), Key: key, Err: err}
	}
	return nil
}

// errNoAnswer is why a caller does not know more.
var errNoAnswer = errors.New("no answer")
