package pagecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/pages"
	"chatexport/scripts/chatexport/internal/target"
)

const (
	filesFolder = "files"
	indexName   = "index.html"
)

// links are the addresses of files in the folder, relative to one that stands so deep in it as up says.
type links struct {
	up    string // "" or "../"
	days  map[conversation.Date]bool
	parts []chat.Seq // of the day that is drawn
	files *files
}

// Conversation implements pages.Links.
func (l *links) Conversation(s chat.Stream) string {
	return l.up + pages.FolderName(s) + "/" + indexName
}

// Day implements pages.Links. Days beside the period have no page.
func (l *links) Day(s chat.Stream, d conversation.Date, seq chat.Seq) string {
	if !l.days[d] {
		return ""
	}
	return l.up + pages.FolderName(s) + "/" + dayName(d, max(slices.Index(l.parts, seq), 0))
}

// dayName is what the page of a part of a day is called. Parts count from 0.
func dayName(d conversation.Date, part int) string {
	if part == 0 {
		return d.String() + ".html"
	}
	return fmt.Sprintf("%s-%d.html", d, part+1)
}

// Proof implements pages.Links: there is none of single messages.
func (l *links) Proof(chat.Stream, chat.Seq) string { return "" }

// File implements pages.Links.
func (l *links) File(f *conversation.File) string {
	name := l.files.name(f)
	if name == "" {
		return ""
	}
	return l.up + name
}

// files brings the files of messages into the folder, each when a page first refers to it. It is made for one run, and
// remembers the first failure of the store or the folder: pages.Links cannot tell of it.
type files struct {
	ctx   context.Context //nolint:containedctx // it is the run's, and lives no longer
	store target.Store
	book  *book

	names   map[string]string // by sum; empty of files that the archive should have, and cannot give
	missing int
	err     error
}

// name returns where a file is in the folder, empty if it is not there.
func (f *files) name(of *conversation.File) string {
	if name, known := f.names[of.SHA256]; known || f.err != nil {
		return name
	}
	name, err := f.bring(of)
	switch {
	case errors.Is(err, objstore.ErrNotExist), errors.Is(err, objstore.ErrCorrupt), errors.Is(err, errOther):
		f.missing++
	case err != nil:
		f.err = fmt.Errorf("%s: %w", layout.Blob(of.SHA256), err)
		return ""
	}
	f.names[of.SHA256] = name
	return name
}

// bring copies a file, unless it is there. The error matches objstore.ErrNotExist, objstore.ErrCorrupt or errOther if the archive
// has not what it should have.
func (f *files) bring(of *conversation.File) (string, error) {
	base := filesFolder + "/" + of.SHA256[:2] + "/" + of.SHA256
	for _, ending := range endings() {
		if ok, err := f.book.has(base+ending, of.SHA256); err != nil || ok {
			return base + ending, err
		}
	}
	from, _, err := f.store.Open(f.ctx, layout.Blob(of.SHA256))
	if err != nil {
		return "", err
	}
	defer func() { _ = from.Close() }() // its end was read, or an error is on its way
	head := make([]byte, 512)
	n, err := io.ReadFull(from, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	name := base + endingOf(head[:n], of.Name)
	if err := f.book.copy(name, of.SHA256, io.MultiReader(strings.NewReader(string(head[:n])), contextReader{f.ctx, from})); err != nil {
		return "", err
	}
	return name, nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx  context.Context //nolint:containedctx // it lives as long as one call
	from io.Reader
}

// Read implements io.Reader.
func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(b)
}

// saved is the ending of files that no program opens by itself.
const saved = ".bin"

// documents are endings that a file keeps if its first bytes are of the type that belongs to it: no browser runs what is in them.
func documents() map[string]string {
	return map[string]string{
		".pdf": "application/pdf",
		".zip": "application/zip", ".docx": "application/zip", ".xlsx": "application/zip", ".pptx": "application/zip",
		".odt": "application/zip", ".ods": "application/zip", ".odp": "application/zip", ".epub": "application/zip",
		".gz": "application/x-gzip", ".tgz": "application/x-gzip", ".rar": "application/x-rar-compressed",
	}
}

// endingOf gives a file the ending that its own bytes deserve. What its sender called it counts only among documents.
func endingOf(head []byte, name string) string {
	if kind := pages.TypeOf(head); kind != pages.SaveOnly {
		return pages.Extension(kind)
	}
	ending := strings.ToLower(path.Ext(name))
	if kind, ok := documents()[ending]; ok && http.DetectContentType(head) == kind {
		return ending
	}
	return saved
}

// endings are all that a file may have.
func endings() []string {
	all := []string{saved, ".png", ".jpg", ".gif", ".webp", ".mp3", ".wav", ".ogg", ".aac", ".mp4", ".webm"}
	for ending := range documents() {
		all = append(all, ending)
	}
	slices.Sort(all)
	return all
}
