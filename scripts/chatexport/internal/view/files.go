package view

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/pages"
	"chatexport/scripts/chatexport/internal/target"
)

const (
	mostFiles     = 64
	mostFileBytes = 2 << 30
)

// files keeps the last files that were asked for in a folder of this program's own: only there they are proved to be what their
// names say before a byte of them is sent, and can be sent in pieces. It is bounded in number and bytes.
type files struct {
	store target.Store
	dir   string

	once  singleflight.Group // one copying of a file at a time
	mu    sync.Mutex
	bytes int64
	order list.List // of *kept, the last used in front
	held  map[string]*list.Element
}

// kept is a file whose bytes have the sum that it is named by.
type kept struct {
	sum  string
	path string
	size int64
	kind string // as what it may be shown
}

func newFiles(store target.Store, dir string) *files {
	return &files{store: store, dir: dir, held: map[string]*list.Element{}}
}

// open returns a file of the archive. The error matches objstore.ErrNotExist, or objstore.ErrCorrupt if the bytes are others.
func (f *files) open(ctx context.Context, sum string) (*os.File, kept, error) {
	file, k, err := f.opened(sum)
	if file != nil || err != nil {
		return file, k, err
	}
	_, err, _ = f.once.Do(sum, func() (any, error) {
		k, err := f.fetch(context.WithoutCancel(ctx), sum) // others may wait for it
		if err != nil {
			return nil, err
		}
		return nil, f.keep(k)
	})
	if err != nil {
		return nil, kept{}, err
	}
	if file, k, err = f.opened(sum); file == nil && err == nil {
		err = errors.New("the file was put away again at once: too many are asked for side by side")
	}
	return file, k, err
}

// opened returns a file that is kept, nil if it is not.
func (f *files) opened(sum string) (*os.File, kept, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.held[sum]
	if e == nil {
		return nil, kept{}, nil
	}
	f.order.MoveToFront(e)
	k := *e.Value.(*kept)
	file, err := os.Open(k.path)
	return file, k, err
}

// keep keeps a file, and puts away those that were not asked for longest.
func (f *files) keep(k kept) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[k.sum] != nil {
		return os.Remove(k.path)
	}
	var err error
	f.held[k.sum] = f.order.PushFront(&k)
	for f.bytes += k.size; f.order.Len() > mostFiles || f.bytes > mostFileBytes && f.order.Len() > 1; {
		last := f.order.Remove(f.order.Back()).(*kept)
		delete(f.held, last.sum)
		f.bytes -= last.size
		err = errors.Join(err, os.Remove(last.path))
	}
	return err
}

// fetch copies a file and proves it.
func (f *files) fetch(ctx context.Context, sum string) (k kept, err error) {
	from, object, err := f.store.Open(ctx, layout.Blob(sum))
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := os.CreateTemp(f.dir, "file-")
	if err != nil {
		return k, fmt.Errorf("keep a file for a moment: %w", err)
	}
	hash := sha256.New()
	head := &first{}
	n, err := io.Copy(io.MultiWriter(to, hash, head), from)
	err = errors.Join(err, to.Close())
	if got := hex.EncodeToString(hash.Sum(nil)); err == nil && (got != sum || n != object.Size) {
		err = fmt.Errorf("%s: %w: its bytes are others than its name says; run verify", layout.Blob(sum), objstore.ErrCorrupt)
	}
	if err != nil {
		return k, errors.Join(err, os.Remove(to.Name()))
	}
	return kept{sum: sum, path: to.Name(), size: n, kind: pages.TypeOf(head.bytes)}, nil
}

// first keeps the first bytes that are written to it.
type first struct{ bytes []byte }

func (f *first) Write(b []byte) (int, error) {
	const most = 512
	f.bytes = append(f.bytes, b[:min(len(b), most-len(f.bytes))]...)
	return len(b), nil
}

// file sends a file of the archive: shown in place only if its own bytes say that it is a picture, a sound or a video of the few
// kinds that cannot act, whatever anybody called it.
func (s *server) file(v *visit) error {
	sum := v.r.PathValue("sha")
	if name, err := layout.Parse(layout.BlobPrefix + sum[:min(2, len(sum))] + "/" + sum); err != nil || name.Kind != layout.KindBlob {
		return errNoPage
	}
	file, k, err := s.files.open(v.ctx, sum)
	if errors.Is(err, objstore.ErrNotExist) {
		return &wrong{http.StatusNotFound, "This file is not in the archive, or not in this copy of it."}
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	h := v.w.Header()
	h.Set("Content-Type", k.kind)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("ETag", `"`+k.sum+`"`)
	if name := v.r.FormValue("name"); k.kind == pages.SaveOnly {
		h.Set("Content-Disposition", pages.Disposition(name))
	} else {
		h.Set("Content-Disposition", strings.Replace(pages.Disposition(named(name, k)), "attachment", "inline", 1))
	}
	http.ServeContent(v.w, v.r, "", time.Time{}, file)
	return nil
}

// named gives a file the ending that its bytes deserve.
func named(name string, k kept) string {
	name, ending := pages.FileName(name), pages.Extension(k.kind)
	if !strings.HasSuffix(strings.ToLower(name), ending) {
		name += ending
	}
	return name
}
