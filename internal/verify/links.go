package verify

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// errEnough ends the reading of a chunk whose other links nobody wants.
var errEnough = errors.New("enough")

// linkSource finds the links in a chunk's lines again, one at a time.
type linkSource struct {
	stop func()
	next func() (chat.Link, bool)
	link chat.Link
	more bool
	bad  bool // the chunk cannot be compared with: it was not read, or is not what it should be
}

func linksOf(s chat.Stream, e *archive.ChunkEntry, body []byte) *linkSource {
	if body == nil {
		return &linkSource{stop: func() {}, bad: true}
	}
	l := &linkSource{}
	l.next, l.stop = iter.Pull(func(yield func(chat.Link) bool) {
		_, err := archive.ReadChunk(bytes.NewReader(body), s, e.Lo, e.Hi, func(e chat.Element) error {
			for _, link := range chat.Links(&e) {
				link.Size = 0 // which a receipt does not repeat
				if !yield(link) {
					return errEnough
				}
			}
			return nil
		})
		l.bad = err != nil && !errors.Is(err, errEnough)
	})
	l.pop()
	return l
}

func (l *linkSource) pop() { l.link, l.more = l.next() }

// skip passes the links up to a seq.
func (l *linkSource) skip(hi chat.Seq) {
	for !l.bad && l.more && l.link.Seq <= hi {
		l.pop()
	}
}

// maxStored is how many stored links are gathered before their files are looked at.
const maxStored = archive.MaxMediaLinks

// receiptLines compares the lines of one receipt with the links of its chunk, and has their files looked at.
type receiptLines struct {
	v      *verifier
	key    string
	truth  *linkSource
	told   bool // it differs from the chunk; what follows is not compared
	stored []storedLink
	failed error // of the store
}

// storedLink is what a line says of its file.
type storedLink struct {
	sha256 string
	bytes  int64
}

func (l *receiptLines) visit(ctx context.Context, line archive.MediaLine) error {
	l.compare(line.Link)
	if line.State != archive.MediaStored {
		return nil
	}
	l.stored = append(l.stored, storedLink{line.SHA256, line.Bytes})
	if len(l.stored) >= maxStored {
		l.flush(ctx)
	}
	return l.failed
}

func (l *receiptLines) compare(got chat.Link) {
	t := l.truth
	if t.bad || l.told {
		return
	}
	want, more := t.link, t.more
	switch {
	case !more || want.Seq != got.Seq || want.N != got.N:
		l.tell("has link %d of seq %d where its chunk has another one, or none", got.N, got.Seq)
	case want.Path != got.Path || want.Kind != got.Kind:
		l.tell("says that link %d of seq %d is the %s at %s; in its chunk it is the %s at %s", got.N, got.Seq, got.Kind, got.Path, want.Kind, want.Path)
	case want != got:
		l.tell("has another URL or name of link %d of seq %d than its chunk", got.N, got.Seq)
	default:
		t.pop()
	}
}

func (l *receiptLines) tell(format string, args ...any) {
	if l.truth.bad { // it has turned out so at its end
		return
	}
	l.told = true
	l.v.add(KindLinks, l.key, format, args...)
}

// end goes on behind the receipt, none of whose links may be left.
func (l *receiptLines) end(m *archive.ReceiptMeta) {
	t := l.truth
	unread := m.Counts[archive.MediaUnread]
	switch {
	case t.bad || l.told:
	case unread > 0:
		l.v.doubts.unread.note(l.key, "counts %d links as unread, but their chunk can be read: it was mended since, or they are hidden", unread)
	case t.more && t.link.Seq <= m.Hi:
		l.tell("leaves out link %d of seq %d", t.link.N, t.link.Seq)
	}
	t.skip(m.Hi)
}

// flush looks at the files of the stored links that were gathered.
func (l *receiptLines) flush(ctx context.Context) {
	l.failed = l.v.checkStoredLinks(ctx, l.key, l.stored)
	l.stored = l.stored[:0]
}
