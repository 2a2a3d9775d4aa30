package dirstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"strings"

	"chatexport/internal/folder"
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
	content := w.Source()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := version{
		Size: content.Size, CRC64: content.CRC64, ContentType: w.ContentType, Metadata: maps.Clone(w.Metadata), LastModified: s.now(),
	}
	if err := s.store(op == "create", key, name, content, v); err != nil {
		return objstore.Object{}, s.failed(op, key, explain(err, false))
	}
	return s.object(v), nil
}

func (s *Store) store(createOnly bool, key, name string, content *objstore.File, v version) error {
	if err := s.hold(); err != nil {
		return err
	}
	if err := s.checkCase(name); err != nil {
		return err
	}
	rec := record{Key: key, Versions: []version{v}}
	switch _, _, err := s.find(key, name); {
	case errors.Is(err, objstore.ErrNotExist):
	case errors.Is(err, folder.ErrNotPlain):
		return err
	case createOnly:
		return objstore.ErrExist
	default:
		if _, old, err := s.read(key, name); err == nil {
			rec.Versions = append(rec.Versions, old)
		}
	}
	if err := s.dir.MakeFolder(s.at(path.Dir(name)), !s.NoSync); err != nil {
		return err
	}
	// A crash right after this: a new key has a record but no bytes and does not exist; an old one is still the old
	// version, which the record names, too.
	if err := s.replaceRecord(rec); err != nil {
		return err
	}
	// A crash right after this: the object is written.
	return s.replace(name, content.CopyTo)
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
	if err := s.dir.Remove(s.at(name)); err != nil {
		return err
	}
	// A crash right after this: the object is gone, and its record means nothing.
	if err := s.dir.Remove(recordName(key)); err != nil && !absent(err) {
		return err
	}
	s.exact.Clear()
	for at := path.Dir(name); at != "." && s.dir.Remove(s.at(at)) == nil; {
		at = path.Dir(at) // an empty one
	}
	return s.sync(".")
}

func (s *Store) replaceRecord(rec record) error {
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return s.replace(recordName(rec.Key), func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err })
}

// replace puts a file in place in one step, so that it is there whole or not at all, even after a power failure.
func (s *Store) replace(name string, write func(io.Writer) error) error {
	tmp := tmpFolder + "/" + rand.Text()
	err := s.dir.CreateFrom(tmp, write, !s.NoSync)
	if err == nil {
		err = s.dir.Rename(tmp, s.at(name))
	}
	if err != nil {
		_ = s.dir.Remove(tmp) // removed by the next writer otherwise
		return err
	}
	return s.sync(path.Dir(name))
}

func (s *Store) sync(at string) error {
	if s.NoSync {
		return nil
	}
	return s.dir.Sync(s.at(at))
}

// hold takes the folder for this process before its first write, and clears what a crashed writer left.
func (s *Store) hold() error {
	if s.unlock != nil {
		return nil
	}
	if err := s.dir.MakeFolder(inner, !s.NoSync); err != nil {
		return err
	}
	unlock, err := s.dir.Lock(lockFile)
	if errors.Is(err, folder.ErrLocked) {
		return ErrLocked
	}
	if err != nil {
		return err
	}
	if err := errors.Join(s.clear(), s.dir.MakeFolder(metaFolder, !s.NoSync)); err != nil {
		return errors.Join(err, unlock())
	}
	s.unlock = unlock
	return nil
}

// clear removes what was being written by a writer that crashed: files of names as replace gives them, and nothing that
// somebody else put there.
func (s *Store) clear() error {
	if err := s.dir.MakeFolder(tmpFolder, !s.NoSync); err != nil {
		return err
	}
	there, err := s.dir.ReadDir(tmpFolder)
	for _, e := range there {
		const alphabet, length = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 26 // of rand.Text
		if name := e.Name(); e.Type().IsRegular() && len(name) == length && strings.Trim(name, alphabet) == "" {
			err = errors.Join(err, s.dir.Remove(tmpFolder+"/"+name))
		}
	}
	return err
}
