package filescmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"chatexport/internal/archive"
	"chatexport/internal/folder"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// copyAttempts is how often a file is read: a connection may break in the middle of it.
const copyAttempts = 3

// partPrefix is what files are called while they are written.
const partPrefix = ".part-"

// Why a stored file is not in the folder.
var (
	errMissing = errors.New("the archive has lost it; see chatexport verify and repair")
	errOther   = errors.New("the archive has other bytes than were stored")
	errInWay   = errors.New("another file has its name; move it away")
)

// problem returns which of them an error is, nil if it is about more than one file.
func problem(err error) error {
	for _, one := range []error{errMissing, errOther, errInWay} {
		if errors.Is(err, one) {
			return one
		}
	}
	return nil
}

// place makes a file of a blob under a name. It reports whether it was there already.
func (f *writer) place(ctx context.Context, l *archive.MediaLine, name, part string) (kept bool, err error) {
	switch same, err := f.same(l, name); {
	case err == nil && same:
		return true, nil
	case err == nil:
		return false, errInWay
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	for attempt := 1; ; attempt++ {
		err = f.fetch(ctx, l, part)
		if err == nil || attempt == copyAttempts || ctx.Err() != nil || problem(err) != nil {
			break
		}
	}
	if err != nil {
		return false, errors.Join(err, f.remove(part))
	}
	// A crash before this: what was written so far is removed by the next run.
	return false, f.dir.Rename(part, name)
}

// same reports whether a file has the bytes of a link. The error matches fs.ErrNotExist where there is none.
func (f *writer) same(l *archive.MediaLine, name string) (bool, error) {
	file, err := f.dir.OpenFile(name, l.Bytes)
	switch {
	case errors.Is(err, folder.ErrTooLarge), errors.Is(err, folder.ErrNotPlain):
		return false, nil
	case err != nil:
		return false, err
	}
	sum, n, err := copyTo(io.Discard, file)
	return sum == l.SHA256 && n == l.Bytes, errors.Join(err, file.Close())
}

// fetch writes a blob to a new file, and looks at what it wrote.
func (f *writer) fetch(ctx context.Context, l *archive.MediaLine, part string) error {
	if err := f.remove(part); err != nil {
		return err
	}
	bytes, object, err := f.store.Open(ctx, layout.Blob(l.SHA256))
	if err != nil {
		return lost(err)
	}
	if object.Size != l.Bytes {
		return errors.Join(errOther, bytes.Close())
	}
	var sum string
	err = f.dir.CreateFrom(part, func(w io.Writer) (err error) {
		sum, _, err = copyTo(w, bytes)
		return err
	}, false)
	err = errors.Join(lost(err), bytes.Close())
	if err == nil && sum != l.SHA256 {
		err = errOther
	}
	return err
}

// lost tells what is wrong with an object from what is wrong with its store.
func lost(err error) error {
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return errMissing
	case errors.Is(err, objstore.ErrCorrupt):
		return errOther
	default:
		return err
	}
}

func (f *writer) remove(name string) error {
	if err := f.dir.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// copyTo copies bytes and returns their sum.
func copyTo(w io.Writer, r io.Reader) (sum string, n int64, err error) {
	hash := sha256.New()
	n, err = io.Copy(io.MultiWriter(w, hash), r)
	return hex.EncodeToString(hash.Sum(nil)), n, err
}
