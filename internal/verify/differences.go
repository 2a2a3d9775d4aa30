package verify

import (
	"bytes"
	"context"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// elementTruth are a chunk's lines.
type elementTruth struct {
	*items[chat.Element]

	v *verifier
	e *archive.ChunkEntry
}

func elementsOf(v *verifier, e *archive.ChunkEntry, body []byte) *elementTruth {
	one := func(e *chat.Element, yield func(chat.Element) bool) bool { return yield(*e) }
	return &elementTruth{v: v, e: e, items: itemsOf(v.stream, e, body, func(e chat.Element) chat.Seq { return e.Seq }, one)}
}

func (t *elementTruth) stop() { t.items.stop() }

// compare implements truth.
func (t *elementTruth) compare(ctx context.Context, key string, body []byte, m *archive.ReceiptMeta) (archive.ReceiptMeta, error) {
	looks := t.v.report.looks()
	d := &differences{v: t.v, key: key, truth: t}
	stored := storedLinks{v: t.v, receipt: key, of: &looks.StoredFiles}
	own, err := archive.ReadChangeReceipt(bytes.NewReader(body), func(line archive.ChangeLine) error {
		d.compare(&line)
		if line.Kind == archive.ChangeFound && line.Was == "" {
			looks.AbsentFound++
		}
		for i := range line.Media {
			if line.Media[i].State == archive.MediaStored {
				looks.Stored++
			}
			if err := stored.add(ctx, &line.Media[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if failed := stored.flush(ctx); failed != nil {
		return own, failed
	}
	if unread := m.Counts[archive.ChangeUnread]; err == nil && unread > 0 && !t.bad {
		t.v.doubts.unread.note(key, "counts %d seqs as unread, but their chunk can be read: it was mended since, or they are hidden", unread)
	}
	return own, err // what the chunk has behind the last difference nobody needs
}

// differences compares the lines of one receipt with those of its chunk.
type differences struct {
	v     *verifier
	key   string
	truth *elementTruth
	told  bool // one is wrong; what follows is not compared
}

func (d *differences) compare(line *archive.ChangeLine) {
	var now *chat.Element
	if len(line.Now) > 0 {
		if e, err := chat.ScanElement(line.Now); err == nil { // it was, when the line was read
			now = &e
		}
	}
	d.links(now, line.Media)
	t := d.truth
	t.skip(line.Seq - 1)
	if t.bad || d.told || line.Seq > t.e.Hi {
		return
	}
	var was *chat.Element
	var hash string
	if t.more && t.item.Seq == line.Seq {
		was, hash = &t.item, sum(t.item.JSON)
	}
	switch {
	case line.Was == "" && was != nil:
		d.tell(KindLook, "says that seq %d was absent, but its chunk has a line of it", line.Seq)
	case line.Was != hash:
		d.tell(KindLook, "names another line of seq %d than its chunk has, %q", line.Seq, hash)
	case !fits(line.Kind, was, now):
		d.tell(KindLook, "calls seq %d %s, which what its chunk has and what came then do not bear out", line.Seq, line.Kind)
	case line.Kind == archive.ChangeEdited && isMessage(was) && isMessage(now) && chat.Compare(was.JSON, now.JSON) == chat.Unlike:
		d.v.doubts.unlike.note(d.key, "calls seq %d edited, but its sender, MsgRandom or MsgTimeStamp is another, which no edit changes", line.Seq)
	}
}

// links compares the links of a line with those of the element that came. Some may be left out.
func (d *differences) links(now *chat.Element, lines []archive.MediaLine) {
	var links []chat.Link
	if now != nil {
		links = chat.Links(now)
	}
	for i := range lines {
		got := lines[i].Link
		if got.N < 0 || got.N >= len(links) {
			d.tell(KindLinks, "has link %d of seq %d, which what came then does not have", got.N, got.Seq)
			return
		}
		if want := links[got.N]; want.Path != got.Path || want.Kind != got.Kind || want.URL != got.URL || want.Name != got.Name {
			d.tell(KindLinks, "has another link %d of seq %d than what came then", got.N, got.Seq)
			return
		}
	}
}

func (d *differences) tell(kind Kind, format string, args ...any) {
	if !d.told {
		d.told = true
		d.v.add(kind, d.key, format, args...)
	}
}

// fits reports whether a difference may be called so. was is nil for an absent seq, now for one that did not come.
func fits(kind string, was, now *chat.Element) bool {
	before, after := classOf(was), classOf(now)
	known := before != chat.ClassAbsent && before != chat.ClassMalformed
	switch kind {
	case archive.ChangeEdited:
		differs := before != after || isMessage(was) && chat.Compare(was.JSON, now.JSON) != chat.Alike
		return known && differs && (isMessage(now) || after == chat.ClassMalformed)
	case archive.ChangeRecalled:
		return known && before != chat.ClassRecalled && after == chat.ClassRecalled
	case archive.ChangeDeleted:
		return before != chat.ClassAbsent && before != chat.ClassPlaceholder && after == chat.ClassPlaceholder
	case archive.ChangeMissing:
		return before != chat.ClassAbsent && before != chat.ClassPlaceholder && after == chat.ClassAbsent
	default: // found
		return !known && before != after && after != chat.ClassAbsent && after != chat.ClassPlaceholder
	}
}

func classOf(e *chat.Element) chat.Class {
	if e == nil {
		return chat.ClassAbsent
	}
	return e.Class()
}

// isMessage reports whether an element has a content that can be compared.
func isMessage(e *chat.Element) bool {
	c := classOf(e)
	return c == chat.ClassMessage || c == chat.ClassSystem
}
