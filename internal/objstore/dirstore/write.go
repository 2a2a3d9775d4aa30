package dirstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"

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
	name, err := s.begin(ctx, op, key)
	if err != nil {
		return objstore.Object{}, err
	}
	if err := objstore.CheckMetadata(w.Metadata); err != nil {
		return objstore.Object{}, s.failed(op, key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := version{
		Size: int64(len(w.Body)), CRC64: objstore.CRC64(w.Body), ContentType: w.ContentType, Metadata: maps.Clone(w.Metadata), LastModified: s.now(),
	}
	if err := s.store(op == "create", key, name, w.Body, v); err != nil {
		return objstore.Object{}, s.failed(op, key, explain(err, false))
	}
	return s.object(v), nil
}

func (s *Store) store(createOnly bool, key, name string, body []byte, v version) error {
	if err := s.hold(); err != nil {
		return err
	}
	if err := s.checkCase(name); err != nil {
		return err
	}
	rec := record{Key: key, Versions: []version{v}}
	switch _, _, err := s.find(key, name); {
	case errors.Is(err, objstore.ErrNotExist):
	case createOnly:
		return objstore.ErrExist
	default:
		if _, old, err := s.read(key, name); err == nil {
			rec.Versions = append(rec.Versions, old)
		}
	}
	if err := s.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	// A crash right after this: a new key has a record but no bytes and does not exist; an old one is still the old
	// version, which the record names, too.
	if err := s.replaceRecord(rec); err != nil {
		return err
	}
	// A crash right after this: the object is written.
	return s.replace(name, body)
}

// Remove deletes an object; a missing one is no error.
func (s *Store) Remove(ctx context.Context, key string) error {
	name, err := s.begin(ctx, "remove", key)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err = s.hold(); err == nil {
		err = s.remove(key, name)
	}
	if err != nil {
		return s.failed("remove", key, explain(err, false))
	}
	return nil
}

func (s *Store) remove(key, name string) error {
	if _, _, err := s.find(key, name); errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	if err := s.root.Remove(s.at(name)); err != nil {
		return err
	}
	// A crash right after this: the object is gone, and its record means nothing.
	if err := s.root.Remove(recordName(key)); err != nil && !absent(err) {
		return err
	}
	s.exact.Clear()
	for folder := path.Dir(name); folder != "." && s.root.Remove(s.at(folder)) == nil; {
		folder = path.Dir(folder) // an empty one
	}
	return s.sync(".")
}

// makeFolder makes a folder and those above it.
func (s *Store) makeFolder(folder string) error {
	parent := "."
	for segment := range strings.SplitSeq(folder, "/") {
		at := path.Join(parent, segment)
		err := s.root.Mkdir(s.at(at), 0o755)
		if err == nil {
			err = s.sync(parent)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		parent = at
	}
	return nil
}

func (s *Store) replaceRecord(rec record) error {
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return s.replace(recordName(rec.Key), append(text, '\n'))
}

// replace puts a file in place in one step, so that it is there whole or not at all, even after a power failure.
func (s *Store) replace(name string, content []byte) (err error) {
	tmp := path.Join(tmpFolder, rand.Text())
	defer func() {
		if err != nil {
			_ = s.root.Remove(tmp) // removed by the next writer otherwise
		}
	}()
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && !s.NoSync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = s.root.Rename(tmp, s.at(name)); err != nil {
		return err
	}
	return s.sync(path.Dir(name))
}

// sync makes durable what a folder lists. Windows has no such call and does it by itself.
func (s *Store) sync(folder string) error {
	if s.NoSync || runtime.GOOS == "windows" {
		return nil
	}
	d, err := s.root.Open(s.at(folder))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// hold takes the folder for this process before its first write, and clears what a crashed writer left. The system
// gives the folder back when the process ends, however that happens.
func (s *Store) hold() error {
	if s.lock != nil {
		return nil
	}
	if err := s.makeFolder(inner); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(s.dir, inner, "lock"))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return err
	case !held:
		return ErrLocked
	}
	if err := errors.Join(s.root.RemoveAll(tmpFolder), s.makeFolder(tmpFolder), s.makeFolder(metaFolder)); err != nil {
		return errors.Join(err, lock.Unlock())
	}
	s.lock = lock
	return nil
}
