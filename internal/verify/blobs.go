package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
)

const (
	// maxBlobs is how many files are looked at side by side, over all streams.
	maxBlobs = 32
	// maxRemembered is how many files are remembered at least, so that one that many messages link to is looked at once. Twice
	// as many are at most, 15 MB of them.
	maxRemembered = 1 << 16
	// hashAttempts is how often a file is read again whose reading broke off: a store repeats only what has not begun.
	hashAttempts = 3
)

// blobs looks at files for all streams of one verification. It is safe for concurrent use.
type blobs struct {
	store Store
	hash  func(sha256 string) bool // which of them are read
	width int                      // side by side, for one stream

	mu            sync.Mutex
	recent, older map[[sha256.Size]byte]*blob
}

// blob is what was found of a file.
type blob struct {
	size   int64
	hashed bool     // it was read
	fault  *Finding // nil if it is as it should be
}

func newBlobs(store Store, opts Options) *blobs {
	b := &blobs{store: store, width: max(1, maxBlobs/opts.Parallel), recent: map[[sha256.Size]byte]*blob{}}
	switch {
	case !opts.Files:
		b.hash = func(string) bool { return false }
	case opts.PickFile == nil:
		b.hash = func(string) bool { return true }
	default:
		b.hash = opts.PickFile
	}
	return b
}

// StoredFiles is what was found of the files that the lines of receipts name.
type StoredFiles struct {
	// Found and Hashed count the stored links of receipts that were read: those whose file is there with the right size, and
	// those whose file was read and has the right bytes.
	Found  int64 `json:"links_found"`
	Hashed int64 `json:"links_hashed"`
	// What was looked at for that, each file once: those that another stream had needed already are not among them.
	Blobs       int64 `json:"blobs"`
	Bytes       int64 `json:"blob_bytes"`
	BlobsHashed int64 `json:"blobs_hashed"`
	BytesHashed int64 `json:"blob_bytes_hashed"`
}

// maxStored is how many stored links are gathered before their files are looked at.
const maxStored = archive.MaxMediaLinks

// storedLinks gathers the stored links of one receipt, and looks at their files.
type storedLinks struct {
	v       *verifier
	receipt string       // its key
	of      *StoredFiles // where it is told
	links   []storedLink
}

// storedLink is what a line says of its file.
type storedLink struct {
	sha256 string
	bytes  int64
}

func (l *storedLinks) add(ctx context.Context, line *archive.MediaLine) error {
	if line.State != archive.MediaStored {
		return nil
	}
	l.links = append(l.links, storedLink{line.SHA256, line.Bytes})
	if len(l.links) < maxStored {
		return nil
	}
	return l.flush(ctx)
}

// flush looks at the files of the links that were gathered.
func (l *storedLinks) flush(ctx context.Context) error {
	found, fresh, err := l.v.blobs.look(ctx, l.links)
	if err != nil {
		return err
	}
	for _, b := range fresh {
		l.of.Blobs++
		l.of.Bytes += b.size
		if b.hashed {
			l.of.BlobsHashed++
			l.of.BytesHashed += b.size
		}
	}
	for _, one := range l.links {
		b, key := found[one.sha256], layout.Blob(one.sha256)
		switch {
		case b.fault != nil:
			l.v.addOnce(b.fault.Kind, key, "%s; %s names it", b.fault.Text, l.receipt)
		case b.size != one.bytes:
			l.v.addOnce(KindBlob, key, "has %d bytes, but %s says %d", b.size, l.receipt, one.bytes)
		default:
			l.of.Found++
			if b.hashed {
				l.of.Hashed++
			}
		}
	}
	l.links = l.links[:0]
	return nil
}

// look finds out what is there under each name. Fresh are the files that nobody had looked at, as far as is remembered, and
// that are there.
func (b *blobs) look(ctx context.Context, links []storedLink) (found map[string]*blob, fresh []*blob, err error) {
	found = map[string]*blob{}
	var unknown []string
	for _, l := range links {
		if _, ok := found[l.sha256]; ok {
			continue
		}
		known := b.recall(l.sha256)
		found[l.sha256] = known
		if known == nil {
			unknown = append(unknown, l.sha256)
		}
	}
	looked := make([]*blob, len(unknown))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.width)
	for i, name := range unknown {
		group.Go(func() error {
			return panics.Brief("look at "+layout.Blob(name), func() (err error) {
				looked[i], err = b.one(ctx, name)
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	for i, name := range unknown {
		b.remember(name, looked[i])
		found[name] = looked[i]
		if looked[i].fault == nil {
			fresh = append(fresh, looked[i])
		}
	}
	return found, fresh, nil
}

func (b *blobs) recall(name string) *blob {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := binary(name)
	if known := b.recent[key]; known != nil {
		return known
	}
	return b.older[key]
}

// remember forgets what was not met for long.
func (b *blobs) remember(name string, found *blob) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.recent) >= maxRemembered {
		b.recent, b.older = map[[sha256.Size]byte]*blob{}, b.recent
	}
	b.recent[binary(name)] = found
}

func binary(name string) (key [sha256.Size]byte) {
	_, _ = hex.Decode(key[:], []byte(name)) // a receipt with another name was refused
	return key
}

// one looks at one file. What is wrong with it is a fault; the error is the store's.
func (b *blobs) one(ctx context.Context, name string) (*blob, error) {
	key := layout.Blob(name)
	if !b.hash(name) {
		object, err := b.store.Head(ctx, key)
		if !absent(err) { // of which only a GET is proof
			return judged(key, object, err)
		}
		content, object, err := b.store.Open(ctx, key)
		if err == nil {
			err = content.Close()
		}
		return judged(key, object, err)
	}
	for attempt := 1; ; attempt++ {
		object, hash, begun, err := b.read(ctx, key)
		if err != nil && begun && attempt < hashAttempts && ctx.Err() == nil {
			continue
		}
		found, err := judged(key, object, err)
		if err == nil && found.fault == nil {
			found.hashed = true
			if hash != name {
				found.fault = &Finding{KindHash, key, "sha256 of its bytes is " + hash}
			}
		}
		return found, err
	}
}

// read hashes a file. Begun says that it was there, and that its reading broke off.
func (b *blobs) read(ctx context.Context, key string) (object objstore.Object, hash string, begun bool, err error) {
	content, object, err := b.store.Open(ctx, key)
	if err != nil {
		return object, "", false, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return object, "", true, fmt.Errorf("read %s: %w", key, err)
	}
	return object, hex.EncodeToString(sum.Sum(nil)), false, nil
}

// judged makes of an answer what was found.
func judged(key string, object objstore.Object, err error) (*blob, error) {
	switch {
	case err == nil:
		return &blob{size: object.Size}, nil
	case absent(err):
		return &blob{fault: &Finding{KindMissingBlob, key, "does not exist"}}, nil
	case errors.Is(err, objstore.ErrCorrupt):
		return &blob{fault: &Finding{KindCRC, key, err.Error()}}, nil
	default:
		return nil, err
	}
}
