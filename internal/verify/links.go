package verify

import (
	"bytes"
	"context"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// linkTruth are the links in a chunk's lines.
type linkTruth struct {
	*items[chat.Link]

	v *verifier
}

func linksOf(v *verifier, e *archive.ChunkEntry, body []byte) *linkTruth {
	return &linkTruth{v: v, items: itemsOf(v.stream, e, body, func(l chat.Link) chat.Seq { return l.Seq }, eachLink)}
}

func eachLink(e *chat.Element, yield func(chat.Link) bool) bool {
	for _, link := range chat.Links(e) {
		link.Size = 0 // which a receipt does not repeat
		if !yield(link) {
			return false
		}
	}
	return true
}

func (t *linkTruth) stop() { t.items.stop() }

// compare implements truth.
func (t *linkTruth) compare(ctx context.Context, key string, body []byte, m *archive.ReceiptMeta) (archive.ReceiptMeta, error) {
	l := &receiptLines{v: t.v, key: key, truth: t, stored: storedLinks{v: t.v, receipt: key, of: &t.v.report.files().StoredFiles}}
	own, err := archive.ReadMediaReceipt(bytes.NewReader(body), func(line archive.MediaLine) error {
		l.compare(line.Link)
		return l.stored.add(ctx, &line)
	})
	if failed := l.stored.flush(ctx); failed != nil {
		return own, failed
	}
	if err == nil {
		l.end(m)
	}
	return own, err
}

// receiptLines compares the lines of one receipt with the links of its chunk.
type receiptLines struct {
	v      *verifier
	key    string
	truth  *linkTruth
	told   bool // it differs from the chunk; what follows is not compared
	stored storedLinks
}

func (l *receiptLines) compare(got chat.Link) {
	t := l.truth
	if t.bad || l.told {
		return
	}
	want, more := t.item, t.more
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
	case t.more && t.item.Seq <= m.Hi:
		l.tell("leaves out link %d of seq %d", t.item.N, t.item.Seq)
	}
	t.skip(m.Hi)
}
