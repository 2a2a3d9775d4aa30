package restore

import (
	"context"
	"crypto/md5" // Content-MD5
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/panics"
	"chatexport/scripts/chatexport/internal/putback"
)

const (
	// width is how many files are put side by side.
	width = 4
	// maxKnown is how many files are remembered, so that one that many messages link to is looked at once. 10 MB hold them.
	maxKnown = 1 << 16
)

// files are those that are in the bucket, as far as is remembered. They belong to the goroutine that restores.
type files map[string]bool

// fresh returns the files that a receipt names and that are not known to be there, each once.
func (f files) fresh(r *catalog.Receipt) (names []string, err error) {
	met := map[string]bool{}
	err = r.Stored(func(line archive.MediaLine) error {
		if !f[line.SHA256] && !met[line.SHA256] {
			met[line.SHA256] = true
			names = append(names, line.SHA256)
		}
		return nil
	})
	return names, err
}

// trail puts back what tells of the files of a manifest's chunks. A later manifest names the last receipt.
func (r *restorer) trail(ctx context.Context, s *Stream, m *archive.Manifest) error {
	for i := range m.Chunks {
		for receipt, err := range catalog.Receipts(ctx, r.from, s.Stream, &m.Chunks[i]) {
			if err == nil {
				err = r.receipt(ctx, s, &receipt)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// receipt puts a receipt back, the files that it names first.
func (r *restorer) receipt(ctx context.Context, s *Stream, receipt *catalog.Receipt) error {
	// A crash right after a file: it is found when its receipt is put back, or its link is tried again.
	if err := r.blobs(ctx, s, receipt); err != nil {
		return err
	}
	// A crash right after a receipt: it counts, and all files that it names are there.
	return r.object(ctx, s, putback.Receipt(receipt), func() ([]byte, error) { return receipt.Body, nil })
}

// blobs puts the files back that a receipt names.
func (r *restorer) blobs(ctx context.Context, s *Stream, receipt *catalog.Receipt) error {
	names, err := r.files.fresh(receipt)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(width)
	for _, name := range names {
		group.Go(func() error {
			return panics.Caught(func() error { return r.blob(ctx, s, name) })
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(r.files) > maxKnown {
		clear(r.files)
	}
	for _, name := range names {
		r.files[name] = true
	}
	return nil
}

func (r *restorer) blob(ctx context.Context, s *Stream, name string) (err error) {
	key := layout.Blob(name)
	content, object, err := r.from.OpenAt(ctx, key)
	if errors.Is(err, objstore.ErrCorrupt) {
		return s.stop(key, "is not what was written: "+err.Error())
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	return r.place(ctx, s, putback.Blob(name, object.Size, object.CRC64), func() (*objstore.File, error) {
		file := &objstore.File{Content: content, Size: object.Size, CRC64: object.CRC64}
		hash, sum := sha256.New(), md5.New()
		if _, err := io.Copy(io.MultiWriter(hash, sum), file.Reader()); err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		if got := hex.EncodeToString(hash.Sum(nil)); got != name {
			return nil, s.stop(key, "is not the file that its name says: its sha256 is "+got)
		}
		file.MD5 = [md5.Size]byte(sum.Sum(nil))
		return file, nil
	})
}
