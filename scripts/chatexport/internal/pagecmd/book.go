package pagecmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"chatexport/internal/folder"
	"chatexport/scripts/chatexport/internal/cli"
)

// Names of the folder's own files.
const (
	sumsName      = "SHA256SUMS"
	selectionName = "selection.json"
	lockName      = ".lock"
	partEnding    = ".part" // of a file that is being written

	selectionFormat = 1
	maxSelection    = 1 << 20
)

// selection is what a folder's pages are of, as it was asked for. A folder has the pages of one selection, ever.
type selection struct {
	Format int      `json:"format"`
	Groups []string `json:"groups"` // none for the whole archive
	Period string   `json:"period,omitempty"`
	Zone   string   `json:"tz"`
}

// book is the folder that is written. A file in it is either as it was written, or ends in partEnding: so a crash at any time
// leaves files that the next run keeps, completes or removes.
type book struct {
	dir    *folder.Folder
	unlock func() error

	sums          map[string]string // by name, of all that this run wrote or found right
	bytes         int64
	written, kept int
}

// openBook opens a folder that is empty, or has pages of the same selection. The error is a *cli.ExitError.
func openBook(dir string, want selection) (*book, error) {
	f, err := folder.Make(dir)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--out: %w", err))
	}
	b := &book{dir: f, unlock: func() error { return nil }, sums: map[string]string{}}
	if err := b.begin(want); err != nil {
		return nil, cli.Usage(fmt.Errorf("--out %s: %w", dir, errors.Join(err, b.close())))
	}
	return b, nil
}

// begin takes the folder. From here on, and until the last file is written, it is not finished.
func (b *book) begin(want selection) error {
	body, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		return err
	}
	if err := b.fits(want); err != nil {
		return err
	}
	unlock, err := b.dir.Lock(lockName)
	if err != nil {
		return err
	}
	b.unlock = func() error { return errors.Join(unlock(), b.dir.Remove(lockName)) }
	if err := b.dir.Remove(sumsName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return b.put(selectionName, append(body, '\n'))
}

// fits reports as an error if the folder has anything but pages of a selection.
func (b *book) fits(want selection) error {
	content, err := b.dir.ReadFile(selectionName, maxSelection)
	if errors.Is(err, fs.ErrNotExist) {
		there, err := b.dir.ReadDir(".")
		if err == nil && slices.ContainsFunc(there, func(e fs.DirEntry) bool { return e.Name() != lockName && e.Name() != selectionName+partEnding }) {
			err = errors.New("is not empty, and was not written by page")
		}
		return err
	}
	var have selection
	if err == nil {
		err = json.Unmarshal(content, &have)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", selectionName, err)
	}
	if !slices.Equal(have.Groups, want.Groups) || have.Format != want.Format || have.Period != want.Period || have.Zone != want.Zone {
		return errors.New("has pages of other groups, another period or another time zone, see its " + selectionName + ": give another folder")
	}
	return nil
}

func (b *book) close() error { return errors.Join(b.unlock(), b.dir.Close()) }

// put makes a file have a content, unless it has it already.
func (b *book) put(name string, content []byte) error {
	sum := sha256.Sum256(content)
	text := hex.EncodeToString(sum[:])
	there, err := b.dir.ReadFile(name, int64(len(content)))
	if err == nil && bytes.Equal(there, content) {
		b.keep(name, text, int64(len(content)))
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, folder.ErrTooLarge) {
		return err
	}
	return b.copy(name, text, bytes.NewReader(content))
}

// errOther means that bytes have another sum than the one that they should have.
var errOther = errors.New("its bytes are others than its name says")

// copy makes a file of bytes that have a known sum. The error matches errOther if they have another one.
func (b *book) copy(name, sum string, from io.Reader) error {
	if above := path.Dir(name); above != "." {
		if err := b.dir.MakeFolder(above, false); err != nil {
			return err
		}
	}
	part := name + partEnding
	if err := b.dir.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var size int64
	h := sha256.New()
	err := b.dir.CreateFrom(part, func(w io.Writer) (err error) {
		size, err = io.Copy(io.MultiWriter(w, h), from)
		return err
	}, false)
	if err == nil && sumOf(h) != sum {
		err = errOther
	}
	if err != nil {
		return errors.Join(err, b.dir.Remove(part))
	}
	if err := b.dir.Rename(part, name); err != nil {
		return err
	}
	b.sums[name] = sum
	b.written++
	b.bytes += size
	return nil
}

// has reports whether a file is there and has a sum.
func (b *book) has(name, sum string) (bool, error) {
	file, err := b.dir.OpenFile(name, math.MaxInt64)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h := sha256.New()
	size, err := io.Copy(h, file)
	if err = errors.Join(err, file.Close()); err != nil || sumOf(h) != sum {
		return false, err
	}
	b.keep(name, sum, size)
	return true, nil
}

func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func (b *book) keep(name, sum string, size int64) {
	b.sums[name] = sum
	b.kept++
	b.bytes += size
}

// finish removes what is not of these pages any more, and writes the sums of all others.
func (b *book) finish(warn func(string)) error {
	if err := b.sweep(".", warn); err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(b.sums)) {
		fmt.Fprintf(&text, "%s  %s\n", b.sums[name], name)
	}
	return b.put(sumsName, []byte(text.String()))
}

// sweep removes files that a run before wrote and this one did not. Others are not touched, and told of.
func (b *book) sweep(at string, warn func(string)) error {
	there, err := b.dir.ReadDir(at)
	if err != nil {
		return err
	}
	for _, e := range there {
		name := path.Join(at, e.Name())
		switch ours := strings.HasPrefix(name, filesFolder+"/") || path.Ext(name) == ".html" || path.Ext(name) == partEnding; {
		case b.sums[name] != "" || name == lockName:
		case e.IsDir():
			if err := b.sweep(name, warn); err != nil {
				return err
			}
		case ours, name == certificateName:
			if err := b.dir.Remove(name); err != nil {
				return err
			}
		default:
			warn(name)
		}
	}
	return nil
}
