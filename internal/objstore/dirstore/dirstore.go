// Package dirstore keeps objects in a folder of this machine, laid out as they would be in a bucket.
//
// It owns the files below its folder: an object's bytes lie under its key, everything else about it in a record below
// .chatexport. It is for people's own machines: a first try, an emergency export, a copy to look at. The function must
// never use it, and it must never follow a key out of its folder.
//
// On disk:
//
//	<key>                            an object's bytes, for keys that an archive has
//	.chatexport/other/<hash>         an object's bytes, for all other keys (which need not be possible file names)
//	.chatexport/meta/<hash>.json     size, checksum, metadata and time of one key; <hash> is the sha256 of the key
//	.chatexport/lock                 held by the one process that writes
//
// A write puts the record in place first and the bytes last: the bytes are what commits it. A record without bytes is
// no object; a record of an overwritten object names the version before, too, until the bytes are exchanged. So a
// crash at any moment leaves the old object or the new one.
package dirstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"chatexport/internal/objstore"
)

const (
	inner = ".chatexport"

	maxKeyBytes      = 850     // as COS has it, so that a folder can become a bucket
	
)

// ErrLocked means that another process writes to the folder.
var ErrLocked = errors.New("another process is writing to the folder")

// Store keeps objects in one folder. It is safe for concurrent use. Any number of processes may read a folder while one
// writes to it.
type Store struct {
	dir string

	mu     sync.RWMutex // writers in this process, and readers beside them
	unlock func() error // nil until the first write
}

// Open returns the store of a folder that exists. It writes nothing.
func Open(dir string) (*Store, error) {
	st, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open archive folder: %w", err)
	case !st.IsDir():
		return nil, fmt.Errorf("open archive folder: %s is not a folder", dir)
	}
	return &Store{dir: dir}, nil
}

// Create returns the store of a folder, which it makes if it is missing. A folder that holds anything else than an archive is
// refused: objects would be strewn among other people's files.
func Create(dir string) (*Store, error) {
	if err := os.MkdirAll(filepath.Join(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make archive folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open archive folder: %w", err)
	}
	_, err = os.Stat(filepath.Join(dir, inner))
	if len(entries) > 0 && err != nil {
		return nil, fmt.Errorf("%s is not empty and no archive that this program wrote; choose another folder", dir)
	}
	for _, name := range []string{"meta", "other", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, inner, name), 0o755); err != nil {
			return nil, fmt.Errorf("make archive folder: %w", err)
		}
	}
	return &Store{dir: dir}, nil
}

// Close gives the folder back to other writers. Reading remains possible.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unlock == nil {
		return nil
	}
	unlock := s.unlock
	s.unlock = nil
	return unlock()
}

// begin checks what every operation is given.
func begin(ctx context.Context, op, key string) error {
	var err error
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	case key == "" || len(key) > maxKeyBytes || !utf8.ValidString(key) || strings.HasPrefix(key, "/"):
		err = fmt.Errorf("%w: the key is empty, longer than %d bytes, not UTF-8, or begins with a slash", objstore.ErrInvalid, maxKeyBytes)
	default:
		return nil
	}
	return failed(op, key, err)
}

func failed(op, key string, err error) error {
	return &objstore.Error{Store: "folder", Op: op, Key: key, Attempts: 1, Date: now(), Err: err}
}

// now is the store's clock. Whole seconds, as a bucket's.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// paths says where the bytes and the record of a key lie.
func (s *Store) paths(key string) (body, meta string) {
	sum := sha256.Sum256([]byte(key))
	hash := hex.EncodeToString(sum[:])
	meta = filepath.Join(s.dir, inner, "meta", hash+".json")
	if plain(key) {
		return filepath.Join(s.dir, filepath.FromSlash(key)), meta
	}
	return filepath.Join(s.dir, inner, "other", hash), meta
}

// plain reports whether a key is laid out as a file of its own name: the keys of an archive are. No such key can be a
// folder on the way to another, and none leaves the folder.
func plain(key string) bool {
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		isFile := strings.HasSuffix(segment, ".json") || strings.HasSuffix(segment, ".gz")
		if isFile != (i == len(segments)-1) || !portable(segment) {
			return false
		}
	}
	return true
}

// portable accepts names that mean the same on every system.
func portable(name string) bool {
	const others = "_.=-"
	if name == "" || name[0] == '.' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// explain turns an error of the file system into a condition.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), isNotFolder(err):
		return objstore.ErrNotExist
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", objstore.ErrDenied, err)
	default:
		return err
	}
}

// Dir returns the folder.
func (s *Store) Dir() string { return cmp.Or(s.dir, ".") }
