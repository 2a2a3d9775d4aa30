// Package putback puts objects back where an archive says that they belong.
//
// It owns the one write that operators' commands make to what is write-once: create-only, and with the metadata that the
// function reads. It must never overwrite, remove, or put other bytes than those that were named.
package putback

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

const contentGzip = "application/gzip"

// Place is where an object belongs, and what must stand there.
type Place struct {
	Key         string
	ContentType string
	Metadata    map[string]string // nil: anything
	Size        int64
	CRC64       uint64
}

// Chunk is the place of a chunk, as its manifest lists it. The error wraps archive.ErrInvalid.
func Chunk(e *archive.ChunkEntry) (Place, error) {
	crc, err := strconv.ParseUint(e.CRC64, 10, 64)
	if err != nil {
		return Place{}, fmt.Errorf("%w: %s has no crc64", archive.ErrInvalid, e.Key)
	}
	return Place{Key: e.Key, ContentType: contentGzip, Metadata: e.Metadata(), Size: e.Bytes, CRC64: crc}, nil
}

// Receipt is the place of a receipt, as its first line describes it.
func Receipt(r *catalog.Receipt) Place {
	return Place{
		Key: r.Key, ContentType: contentGzip, Metadata: r.Trail.Metadata(r.ReceiptMeta), Size: int64(len(r.Body)), CRC64: archive.CRC64(r.Body),
	}
}

// Blob is the place of a file. A stranger's type must not become the object's.
func Blob(sha256 string, size int64, crc uint64) Place {
	return Place{Key: layout.Blob(sha256), ContentType: "application/octet-stream", Size: size, CRC64: crc}
}

// JSON is the place of a genesis or a manifest.
func JSON(key string, body []byte) Place {
	return Place{Key: key, ContentType: archive.JSONContentType, Size: int64(len(body)), CRC64: archive.CRC64(body)}
}

// Found is what stands in a place.
type Found uint8

// What may stand in a place.
const (
	Nothing Found = iota
	Same          // the same bytes, with the same metadata
	Bare          // the same bytes, with other metadata or none: the function takes it for no chunk
	Other         // something else
)

// Look looks at what stands there.
func (p Place) Look(ctx context.Context, store objstore.Store) (Found, error) {
	o, err := store.Head(ctx, p.Key)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return Nothing, nil
	case err != nil:
		return Nothing, err
	case o.Size != p.Size || o.CRC64 != p.CRC64:
		return Other, nil
	case p.Metadata != nil && !maps.Equal(o.Metadata, p.Metadata):
		return Bare, nil
	default:
		return Same, nil
	}
}

// Put writes the object, unless the name is taken. It reports whether it was written, and what stands there now: Same,
// or what is in the way.
func (p Place) Put(ctx context.Context, store objstore.Store, body []byte) (wrote bool, now Found, err error) {
	return p.PutFile(ctx, store, objstore.Write{Body: body}.Source())
}

// PutFile is Put for content that is too large for memory.
func (p Place) PutFile(ctx context.Context, store objstore.Store, file *objstore.File) (wrote bool, now Found, err error) {
	if file.Size != p.Size || file.CRC64 != p.CRC64 {
		return false, Nothing, fmt.Errorf("%w: %s is not what belongs there", archive.ErrInvalid, p.Key)
	}
	// A crash right after this write: the object stands where it belongs, and whoever comes next finds it there. The callers
	// say what that means for those behind it.
	_, err = store.Create(ctx, p.Key, objstore.Write{File: file, ContentType: p.ContentType, Metadata: p.Metadata})
	if err == nil {
		return true, Same, nil
	}
	if !errors.Is(err, objstore.ErrExist) && !errors.Is(err, objstore.ErrUnknown) {
		return false, Nothing, err
	}
	now, looked := p.Look(ctx, store)
	if looked != nil || now == Nothing {
		return false, Nothing, errors.Join(err, looked)
	}
	return now == Same, now, nil
}
