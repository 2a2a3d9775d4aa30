// Package folder is a folder of this machine that somebody else may have filled: an archive that was handed over, a
// demo's, one on a shared disk.
//
// It owns the rule that a name below it means the file or folder of that very name and nothing else: no link is
// followed, be it to a place inside, and nothing is opened but regular files of a bounded size, so that no read waits
// for a writer or goes on without end. What it makes is its owner's alone. It must never reach beside its folder, nor
// know what the files are.
//
// Errors match fs.ErrNotExist where there is no such file, nor can there be one since a part of its path is a file.
package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/gofrs/flock"
)

// Rights of what is made.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// Conditions that errors match.
var (
	// ErrNotPlain means that a name is that of a link, or of something else that is no file and no folder.
	ErrNotPlain = errors.New("is neither a file nor a folder, and not touched")
	// ErrTooLarge means that a file is longer than its reader allows.
	ErrTooLarge = errors.New("the file is too large")
	// ErrLocked means that another process holds a lock.
	ErrLocked = errors.New("another process holds the lock")
)

// Folder is an open folder. It is safe for concurrent use. Names have slashes on every system.
type Folder struct {
	path  string
	root  *os.Root
	known sync.Map // by name: folders that have been found to be folders; root is proof against what is exchanged later
}

// Open opens a folder that exists.
func Open(path string) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Folder{path: path, root: root}, nil
}

// Make opens a folder, which it makes if it is missing.
func Make(path string) (*Folder, error) {
	if err := os.MkdirAll(path, folderMode); err != nil {
		return nil, err
	}
	return Open(path)
}

// Close ends the use of the folder. Locks are left to those who hold them.
func (f *Folder) Close() error { return f.root.Close() }

// Path is what the folder was opened by.
func (f *Folder) Path() string { return f.path }

// Stat describes a file or folder. The error matches ErrNotPlain if anything on the way to it, or itself, is none.
func (f *Folder) Stat(name string) (st fs.FileInfo, err error) {
	segments := strings.Split(name, "/")
	for i := range segments {
		at, last := strings.Join(segments[:i+1], "/"), i == len(segments)-1
		if _, known := f.known.Load(at); known && !last {
			continue
		}
		st, err = f.root.Lstat(at)
		switch {
		case errors.Is(err, syscall.ENOTDIR):
			return nil, fs.ErrNotExist
		case err != nil:
			return nil, err
		case st.IsDir():
			f.known.Store(at, true)
		case !st.Mode().IsRegular():
			return nil, fmt.Errorf("%q %w", at, ErrNotPlain)
		case !last:
			return nil, fs.ErrNotExist
		}
	}
	return st, nil
}

// ReadDir returns what lies in a folder, in order of names. What is no file and no folder is there, too.
func (f *Folder) ReadDir(name string) ([]fs.DirEntry, error) {
	st, err := f.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fs.ErrNotExist
	}
	return fs.ReadDir(f.root.FS(), name)
}

// OpenFile opens a file of at most so many bytes for reading.
func (f *Folder) OpenFile(name string, most int64) (*os.File, error) {
	if _, err := f.Stat(name); err != nil {
		return nil, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // whatever has taken its place since
	if err != nil {
		return nil, err
	}
	st, err := file.Stat()
	switch {
	case err != nil:
	case !st.Mode().IsRegular():
		err = fmt.Errorf("%q %w", name, ErrNotPlain)
	case st.Size() > most:
		err = fmt.Errorf("%q: %w: %d bytes, at most %d", name, ErrTooLarge, st.Size(), most)
	default:
		return file, nil
	}
	return nil, errors.Join(err, file.Close())
}

// ReadFile returns the content of a file of at most so many bytes.
func (f *Folder) ReadFile(name string, most int64) ([]byte, error) {
	file, err := f.OpenFile(name, most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	size := min(st.Size(), most)
	content := make([]byte, size+1) // one more, to see the end; a file that grows is cut
	n, err := io.ReadFull(file, content)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return content[:min(int64(n), size)], nil
	}
	return nil, err
}

// Create makes a file that must not be there; if it is to be durable, its folder is to be synced, too.
func (f *Folder) Create(name string, content []byte, durable bool) error {
	return f.CreateFrom(name, func(w io.Writer) error { _, err := w.Write(content); return err }, durable)
}

// CreateFrom makes a file of what write writes. When that fails, what was written so far is left.
func (f *Folder) CreateFrom(name string, write func(io.Writer) error, durable bool) error {
	if err := f.above(name); err != nil {
		return err
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil && durable {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Rename puts a file in the place of another, or of none.
func (f *Folder) Rename(from, to string) error {
	if err := errors.Join(f.above(from), f.above(to)); err != nil {
		return err
	}
	return f.root.Rename(from, to)
}

// Remove removes a file, or an empty folder.
func (f *Folder) Remove(name string) error {
	if _, err := f.Stat(name); err != nil {
		return err
	}
	f.known.Delete(name)
	return f.root.Remove(name)
}

// MakeFolder makes a folder and those above it, durably if asked to.
func (f *Folder) MakeFolder(name string, durable bool) error {
	at := "."
	for segment := range strings.SplitSeq(name, "/") {
		above := at
		at = path.Join(at, segment)
		st, err := f.Stat(at)
		if err == nil && !st.IsDir() {
			err = fs.ErrExist
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = f.root.Mkdir(at, folderMode)
			if errors.Is(err, fs.ErrExist) {
				err = nil // another process was faster
			}
			if err == nil && durable {
				err = f.Sync(above)
			}
		}
		if err != nil {
			return fmt.Errorf("make the folder %q: %w", at, err)
		}
	}
	return nil
}

// Sync makes durable what a folder lists. Windows has no such call and does it by itself.
func (f *Folder) Sync(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock takes a file, which it makes if it is missing, for this process. The system gives it back when the process ends,
// however that happens. The error matches ErrLocked if another one has it.
func (f *Folder) Lock(name string) (unlock func() error, err error) {
	if _, err := f.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lock := flock.New(filepath.Join(f.path, filepath.FromSlash(name)), flock.SetPermissions(fileMode))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, err
	case !held:
		return nil, ErrLocked
	}
	return lock.Unlock, nil
}

// above makes sure that what a name is to be put into is a folder.
func (f *Folder) above(name string) error {
	st, err := f.Stat(path.Dir(name))
	if err == nil && !st.IsDir() {
		err = fs.ErrNotExist
	}
	return err
}
