// Package dirstore keeps objects in a folder of this machine, laid out as they would be in a bucket.
//
// It owns the files below its folder: an object's bytes lie under its key, everything else about it in a record below
// .chatexport. It is for people's own machines (a first try, an emergency export, a copy to look at) and for the COS
// emulator. The function must never use it, and it must never follow a key out of its folder, nor believe that all in the
// folder is its own: package folder refuses what is not.
//
// On disk:
//
//	<key>                            an object's bytes; keys that an archive does not have are escaped (name.go)
//	.chatexport/meta/<hash>.json     size, checksum, metadata and time of one key; <hash> is the sha256 of the key
//	.chatexport/tmp                  what is being written
//	.chatexport/lock                 held by the one process that writes
//
// A write puts the record in place first and the bytes last: the bytes are what commits it. A record without bytes is
// no object; a record of an overwritten object names the version before, too. So a
// crash at any moment leaves the old object or the new one.
package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"chatexport/internal/folder"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Where the store keeps what is its own.
const (
	inner      = ".chatexport"
	metaFolder = inner + "/meta"
	tmpFolder  = inner + "/tmp"
	lockFile   = inner + "/lock"
)

// ErrLocked means that another process writes to the folder.
var ErrLocked = errors.New("another process is writing to the folder")

// Store keeps objects in one folder. It is safe for concurrent use. Any number of processes may read a folder while one
// writes to it. The exported fields may be changed before the first call.
type Store struct {
	Now    func() time.Time       // the store's clock; time.Now
	NoSync bool                   // a write survives the death of the process at any moment, but not the loss of power
	Limit  func(key string) int64 // the longest object that Get reads; layout.MaxBytes

	dir   *folder.Folder
	at    func(name string) string // the name itself; in tests, what a file system that folds case takes it for
	folds bool                     // the file system folds case
	exact sync.Map                 // by name: folders that have been found to be named so, where it does

	mu     sync.RWMutex // writers in this process, and readers beside them
	unlock func() error // gives the folder back; nil until the first write
}

// Open returns the store of a folder that exists. It writes nothing.
func Open(path string) (*Store, error) {
	dir, err := folder.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open archive folder: %w", err)
	}
	return of(dir), nil
}

func of(dir *folder.Folder) *Store {
	s := &Store{Now: time.Now, Limit: layout.MaxBytes, dir: dir, at: func(name string) string { return name }}
	s.folds = s.foldsCase()
	return s
}

// Create returns the store of a folder, which it makes if it is missing. A folder that holds anything else than an archive is
// refused: objects would be strewn among other people's files.
func Create(path string) (*Store, error) {
	dir, err := folder.Make(path)
	if err != nil {
		return nil, fmt.Errorf("make archive folder: %w", err)
	}
	there, err := dir.ReadDir(".")
	if err == nil && len(there) > 0 {
		if _, err = dir.Stat(inner); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s is not empty and no archive that this program wrote; choose another folder", path)
		}
	}
	if err == nil {
		err = dir.MakeFolder(inner, false)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return of(dir), nil
}

// Close gives the folder back to other writers and ends the store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.dir.Close()
	if s.unlock != nil {
		err = errors.Join(err, s.unlock())
		s.unlock = nil
	}
	return err
}

// Dir returns the folder.
func (s *Store) Dir() string { return s.dir.Path() }

// begin checks what every operation is given, and returns the name of the key's file.
func (s *Store) begin(ctx context.Context, op, key string) (name string, err error) {
	err = ctx.Err()
	if err != nil {
		err = fmt.Errorf("%w: %w", err, context.Cause(ctx))
	} else if err = objstore.CheckKey(key); err == nil {
		name, err = fileName(key)
	}
	if err != nil {
		return "", s.failed(op, key, err)
	}
	return name, nil
}

func (s *Store) failed(op, key string, err error) error {
	return &objstore.Error{Store: "folder", Op: op, Key: key, Attempts: 1, Date: s.now(), Err: err}
}

// now is the store's clock in whole seconds, as a bucket's.
func (s *Store) now() time.Time { return s.Now().UTC().Truncate(time.Second) }

// explain turns an error of the file system into a condition. What is missing is a file of the folder, not an object,
// to a caller who writes.
func explain(err error, reading bool) error {
	switch {
	case reading && absent(err):
		return objstore.ErrNotExist
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", objstore.ErrDenied, err)
	case errors.Is(err, folder.ErrTooLarge):
		return fmt.Errorf("%w: %w", objstore.ErrTooLarge, err)
	default:
		return err
	}
}

// absent means that there is no file of this name, nor can there be one: a part of its path is a file.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
