package dirstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"chatexport/internal/objstore"
)

// Create stores an object under a key that must be free, else it returns objstore.ErrExist. It matches ErrLocked when
// another process writes to the folder.
func (s *Store) Create(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return s.put(ctx, "create", key, w)
}

// Overwrite stores an object whether or not the key is taken.
func (s *Store) Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return s.put(ctx, "overwrite", key, w)
}

func (s *Store) put(ctx context.Context, op, key string, w objstore.Write) (objstore.Object, error) {
	if err := begin(ctx, op, key); err != nil {
		return objstore.Object{}, err
	}
	if err := objstore.CheckMetadata(w.Metadata); err != nil {
		return objstore.Object{}, failed(op, key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := version{
		Size: int64(len(w.Body)), CRC64: objstore.CRC64(w.Body), ContentType: w.ContentType, Metadata: maps.Clone(w.Metadata), LastModified: now(),
	}
	if err := s.store(op == "create", key, w.Body, v); err != nil {
		return objstore.Object{}, failed(op, key, explainWrite(err))
	}
	return v.object(), nil
}

// explainWrite is explain for writes: a folder that is gone is not an object that does not exist.
func explainWrite(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", objstore.ErrDenied, err)
	}
	return err
}

func (s *Store) store(createOnly bool, key string, body []byte, v version) error {
	if err := s.hold(); err != nil {
		return err
	}
	bodyPath, metaPath := s.paths(key)
	rec := record{Key: key, Versions: []version{v}}
	_, err := os.Lstat(bodyPath)
	exists := err == nil
	switch {
	case exists && createOnly:
		return objstore.ErrExist
	case exists:
		_, old, err := s.read(key)
		if err == nil {
			rec.Versions = append(rec.Versions, old)
		}
	}
	if err := os.MkdirAll(filepath.Dir(bodyPath), 0o755); err != nil {
		return err
	}
	// A crash right after this: a new key has a record but no bytes and does not exist; an old one is still the old
	// version, which the record names, too.
	if err := s.replaceRecord(metaPath, rec); err != nil {
		return err
	}
	// A crash right after this: the object is written.
	if err := s.replace(bodyPath, body); err != nil {
		return err
	}
	if len(rec.Versions) > 1 {
		rec.Versions = rec.Versions[:1]
		return s.replaceRecord(metaPath, rec)
	}
	return nil
}

func (s *Store) replaceRecord(path string, rec record) error {
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return s.replace(path, append(text, '\n'))
}

// replace puts a file in place in one step, so that it is there whole or not at all, even after a power failure.
func (s *Store) replace(path string, content []byte) (err error) {
	tmp := filepath.Join(s.dir, inner, "tmp", rand.Text())
	defer func() {
		if err != nil {
			_ = os.Remove(tmp) // removed by the next writer otherwise
		}
	}()
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// hold takes the folder for this process before its first write, and clears what a crashed writer left.
func (s *Store) hold() error {
	if s.unlock != nil {
		return nil
	}
	if s.emulated() {
		return fmt.Errorf("%w: the folder belongs to the demo; only the demo writes there", objstore.ErrDenied)
	}
	if err := os.MkdirAll(filepath.Join(s.dir, inner), 0o755); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(s.dir, inner, "lock"))
	if err != nil {
		return err
	}
	tmp := filepath.Join(s.dir, inner, "tmp")
	err = os.RemoveAll(tmp)
	for _, name := range []string{"meta", "other", "tmp"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(s.dir, inner, name), 0o755))
	}
	if err != nil {
		return errors.Join(err, unlock())
	}
	s.unlock = unlock
	return nil
}
