package cosemu

import (
	"crypto/md5" // what COS uses for ETag and Content-MD5
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

var (
	errTaken      = errors.New("the key is taken")
	errIncomplete = errors.New("the client broke off")
)

// record is all that is known of one stored object; it is what a metadata file holds.
type record struct {
	Key          string            `json:"key"`
	Blob         string            `json:"blob"`
	Size         int64             `json:"size"`
	MD5          string            `json:"md5"`
	CRC64        uint64            `json:"crc64,string"`
	Headers      map[string]string `json:"headers"`
	LastModified time.Time         `json:"last_modified"`
	VersionID    string            `json:"version_id,omitempty"`
}

// entry is one key: what it holds and, for stale reads, what it held before.
type entry struct {
	current  *record
	previous *record // its blob is kept until the next write of the key
	changed  time.Time
}

// bucket is one bucket on disk with its index in memory.
type bucket struct {
	name    string
	dir     string // .cos/<name>
	tree    string // <name>, the readable view
	durable bool

	mu         sync.RWMutex // guards everything below, and every commit
	versioning Versioning
	index      map[string]*entry
	keys       []string // sorted, those of index
}

// blob is a body that was received but belongs to no key yet.
type blob struct {
	id    string
	size  int64
	md5   [md5.Size]byte
	crc64 uint64
}

func (b *bucket) blobPath(id string) string { return filepath.Join(b.dir, "blobs", id) }

// receive writes a body to a new blob. A crash right after it leaves a blob without a key, which openBucket removes.
func (b *bucket) receive(body io.Reader, damage bool) (bl *blob, err error) {
	bl = &blob{id: randomHex(16)}
	f, err := os.OpenFile(b.blobPath(bl.id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			bl = nil
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	sum, crc := md5.New(), crc64.New(crc64.MakeTable(crc64.ECMA))
	var stored io.Writer = io.MultiWriter(f, crc)
	if damage {
		stored = &damagedWriter{w: stored}
	}
	source := &bodyReader{r: body}
	if bl.size, err = io.Copy(io.MultiWriter(stored, sum), source); err != nil {
		if source.broken {
			err = errIncomplete
		}
		return bl, err
	}
	bl.md5, bl.crc64 = [md5.Size]byte(sum.Sum(nil)), crc.Sum64()
	if b.durable {
		err = f.Sync()
	}
	return bl, err
}

// bodyReader tells a client that broke off from a disk that is full.
type bodyReader struct {
	r      io.Reader
	broken bool
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.broken = err != nil && !errors.Is(err, io.EOF)
	return n, err
}

// damagedWriter flips the first byte of what passes.
type damagedWriter struct {
	w    io.Writer
	done bool
}

func (d *damagedWriter) Write(p []byte) (int, error) {
	if !d.done && len(p) > 0 {
		p = slices.Clone(p)
		p[0] ^= 1
		d.done = true
	}
	return d.w.Write(p)
}

func (b *bucket) discard(bl *blob) { _ = os.Remove(b.blobPath(bl.id)) } // what stays behind is removed by openBucket

// commit makes the blob the object of a key. Check and commit happen under one lock, which is what makes createOnly
// atomic. createOnly is void once versioning was enabled, as in COS; then the record gets a version id.
func (b *bucket) commit(rec *record, createOnly bool, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.index[rec.Key]
	switch b.versioning {
	case VersioningEnabled:
		rec.VersionID = randomHex(16)
	case VersioningSuspended:
		rec.VersionID = "null"
	case VersioningNever:
		if createOnly && e != nil {
			return errTaken
		}
	}
	// The rename of the metadata file is the commit: a crash before it leaves the old object and a stray blob, a crash
	// after it leaves the new object with an old link in the readable tree and an unused old blob. openBucket mends both.
	if err := b.writeMeta(rec); err != nil {
		return err
	}
	if e == nil {
		e = &entry{}
		b.index[rec.Key] = e
		at, _ := slices.BinarySearch(b.keys, rec.Key)
		b.keys = slices.Insert(b.keys, at, rec.Key)
	}
	if e.previous != nil {
		b.discard(&blob{id: e.previous.Blob})
	}
	e.previous, e.current, e.changed = e.current, rec, now
	b.show(rec)
	return nil
}

// remove deletes a key; a missing one is no error.
func (b *bucket) remove(key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.index[key]
	if e == nil {
		return nil
	}
	// Removing the metadata is the commit; openBucket sweeps a link and a blob that a crash leaves behind.
	if err := os.Remove(b.metaPath(key)); err != nil {
		return err
	}
	delete(b.index, key)
	if at, ok := slices.BinarySearch(b.keys, key); ok {
		b.keys = slices.Delete(b.keys, at, at+1)
	}
	b.hide(e.current)
	b.discard(&blob{id: e.current.Blob})
	if e.previous != nil {
		b.discard(&blob{id: e.previous.Blob})
	}
	return b.syncDir("meta")
}

// read opens the object that choose picks from the key's entry. The open file stays whole whatever is written to the
// key afterwards. A nil record means that there is no object.
func (b *bucket) read(key string, choose func(*entry) *record) (*record, *os.File, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.index[key]
	if e == nil {
		return nil, nil, nil
	}
	rec := choose(e)
	if rec == nil {
		return nil, nil, nil
	}
	f, err := os.Open(b.blobPath(rec.Blob))
	if err != nil {
		return nil, nil, fmt.Errorf("open blob: %w", err)
	}
	return rec, f, nil
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
	if err := b.writeJSON("bucket.json", bucketFile{Versioning: v}); err != nil {
		return err
	}
	b.versioning = v
	return nil
}

func randomHex(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return hex.EncodeToString(raw)
}
