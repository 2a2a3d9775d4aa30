package cosemu

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"chatexport/internal/folder"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
)

// bucket is one bucket in a folder.
type bucket struct {
	name  string
	store *dirstore.Store

	mu         sync.RWMutex // guards everything below, and makes a write and what is remembered of it one step
	versioning Versioning
	changes    map[string]change // by key: what this process wrote
}

// change is the last write of a key.
type change struct {
	at        time.Time
	previous  *object // what the key held before; nil for a new one
	versionID string
}

// object is what a reader gets.
type object struct {
	objstore.Object

	body      []byte
	versionID string
}

// openBucket makes a bucket, or finds what an earlier process left of it.
func openBucket(opts *Options, name string) (*bucket, error) {
	root, err := folder.Make(opts.Root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // read only
	const maxStatus = 64
	status, err := root.ReadFile(name+statusSuffix, maxStatus)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	store, err := dirstore.Create(filepath.Join(opts.Root, name))
	if err != nil {
		return nil, err
	}
	store.Now, store.NoSync = opts.Now, true
	store.Limit = func(string) int64 { return math.MaxInt64 } // a bucket holds anything
	return &bucket{name: name, store: store, versioning: Versioning(status), changes: map[string]change{}}, nil
}

// put stores an object. createOnly is void once versioning was enabled, as in COS; then there is a version id.
func (b *bucket) put(ctx context.Context, key string, w objstore.Write, createOnly bool, now time.Time) (*object, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := change{at: now}
	switch b.versioning {
	case VersioningEnabled:
		c.versionID = randomHex(16)
	case VersioningSuspended:
		c.versionID = "null"
	case VersioningNever:
	}
	write := b.store.Overwrite
	if createOnly && b.versioning == VersioningNever {
		write = b.store.Create
	} else if previous, err := b.load(ctx, key); err == nil {
		c.previous = previous
	}
	// A crash right after this: the object is there, and nobody was told.
	stored, err := write(ctx, key, w)
	if err != nil {
		return nil, err
	}
	b.changes[key] = c
	return &object{Object: stored, versionID: c.versionID}, nil
}

// remove deletes a key; a missing one is no error.
func (b *bucket) remove(ctx context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.changes, key)
	return b.store.Remove(ctx, key)
}

// get returns what a reader sees. seen picks from the last write of this process whether that is the present or the
// past.
func (b *bucket) get(ctx context.Context, key string, past func(change) bool) (*object, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if c, ok := b.changes[key]; ok && past(c) {
		if c.previous == nil {
			return nil, objstore.ErrNotExist
		}
		return c.previous, nil
	}
	return b.load(ctx, key)
}

// load reads an object. One whose bytes are not what was written is served as it is, with the checksum that it had.
func (b *bucket) load(ctx context.Context, key string) (*object, error) {
	body, o, err := b.store.Get(ctx, key)
	if err != nil && (body == nil || !errors.Is(err, objstore.ErrCorrupt)) {
		return nil, err
	}
	return &object{Object: o, body: body, versionID: b.changes[key].versionID}, nil
}

func (b *bucket) status() Versioning {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.versioning
}

func (b *bucket) setStatus(v Versioning) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A crash right after the write keeps the new status.
	if err := os.WriteFile(filepath.Clean(b.store.Dir())+statusSuffix, []byte(v), 0o600); err != nil {
		return err
	}
	b.versioning = v
	return nil
}

// statusSuffix makes the name of a file beside the bucket's folder, which holds nothing but objects.
const statusSuffix = ".versioning"

func randomHex(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return hex.EncodeToString(raw)
}
