package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
)

// fileTally is what became of links. Members are only ever added.
type fileTally struct {
	Links   int            `json:"links"`
	States  map[string]int `json:"states"`  // that links ended in
	Waiting int            `json:"waiting"` // links that no receipt has yet
	Bytes   int64          `json:"bytes"`   // of the stored ones
}

func (f *fileTally) add(other fileTally) {
	f.Links += other.Links
	f.Waiting += other.Waiting
	f.Bytes += other.Bytes
	for state, n := range other.States {
		f.States[state] += n
	}
}

// fileCheck holds what the receipts say of a group's files, and the stored files themselves, against what the host serves.
type fileCheck struct {
	fileTally

	store *dirstore.Store
	want  map[chat.Seq]attached
	shown archive.MediaLine // a stored one, to look at
	wrong string            // the first difference, in words
}

func checkFiles(ctx context.Context, store *dirstore.Store, g group) (*fileCheck, error) {
	c := &fileCheck{
		fileTally: fileTally{Links: len(g.files), Waiting: len(g.files), States: map[string]int{}}, store: store, want: g.files,
	}
	for entry, err := range store.List(ctx, layout.MediaPrefix(g.stream), "") {
		if err != nil {
			return nil, err
		}
		receipt, _, err := store.Get(ctx, entry.Key)
		if err == nil {
			_, err = archive.ReadMediaReceipt(bytes.NewReader(receipt), func(l archive.MediaLine) error { return c.line(ctx, l) })
		}
		switch {
		case catalog.Damaged(err):
			c.differs("%s: %v", entry.Key, err)
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", entry.Key, err)
		}
	}
	return c, nil
}

func (c *fileCheck) differs(format string, args ...any) {
	if c.wrong == "" {
		c.wrong = fmt.Sprintf(format, args...)
	}
}

func (c *fileCheck) line(ctx context.Context, l archive.MediaLine) error {
	want, expected := c.want[l.Seq]
	if !expected || l.N > 0 {
		c.differs("message %d has no file %d", l.Seq, l.N)
		return nil
	}
	c.States[l.State]++
	c.Waiting--
	if l.State != want.state {
		c.differs("the file of message %d is %s (%s) and should be %s", l.Seq, l.State, l.Code, want.state)
	}
	if l.State != archive.MediaStored {
		return nil
	}
	blob, _, err := c.store.Get(ctx, layout.Blob(l.SHA256))
	if err != nil && !errors.Is(err, objstore.ErrNotExist) && !catalog.Damaged(err) {
		return err
	}
	if sum := sha256.Sum256(blob); err != nil || l.SHA256 != want.file.SHA256() || hex.EncodeToString(sum[:]) != l.SHA256 {
		c.differs("the file of message %d is not what its host serves", l.Seq)
	}
	if c.shown.SHA256 == "" {
		c.shown = l
	}
	c.Bytes += l.Bytes
	return nil
}

// stored returns how many files the folder has, and their bytes. It is for the picture of progress only.
func stored(ctx context.Context, store *dirstore.Store) (n int, size int64) {
	for entry, err := range store.List(ctx, layout.BlobPrefix, "") {
		if err != nil {
			break // the verifier says what is wrong
		}
		n++
		size += entry.Size
	}
	return n, size
}
