package archive

import (
	"encoding/json"
	"io"

	"chatexport/internal/chat"
)

// States of a link: what became of its file. Every link is in exactly one.
const (
	MediaStored   = "stored"    // its bytes are an object of the archive
	MediaGone     = "gone"      // the service says that it does not exist, or it has expired
	MediaBanned   = "banned"    // the service says so; it is not fetched
	MediaRefused  = "refused"   // not allowed, by the service or by this program
	MediaTooLarge = "too-large" // over MEDIA_MAX_BYTES
	MediaExternal = "external"  // on a host that is not on the list: its URL stays in the message
	MediaNoURL    = "no-url"    // the message names no URL
	MediaFailed   = "failed"    // it was tried often enough
	MediaUnread   = "unread"    // its chunk is missing or damaged: what the link was is not known
)

// Media is the trail of files. A receipt counts links by their states.
func Media() Trail {
	return Trail{Name: "media", sum: "links", Counts: []string{
		MediaStored, MediaGone, MediaBanned, MediaRefused, MediaTooLarge, MediaExternal, MediaNoURL, MediaFailed, MediaUnread,
	}}
}

// MaxMediaLinks is the most links of one receipt, unless one message alone has more.
const MaxMediaLinks = 1000

// MediaLine is what became of one link.
type MediaLine struct {
	chat.Link
	State  string `json:"state"`
	Code   string `json:"code,omitempty"`   // why, a short text; empty for stored and external ones
	SHA256 string `json:"sha256,omitempty"` // of the file, in lower-case hex; stored ones only, as what follows
	Bytes  int64  `json:"bytes,omitempty"`
	Type   string `json:"type,omitempty"`  // as served to this link
	Short  bool   `json:"short,omitempty"` // the message says another size
}

// sound reports whether the line names a file exactly if one is stored.
func (l *MediaLine) sound() bool {
	return (l.State == MediaStored) == isSHA256(l.SHA256) && l.Bytes >= 0
}

// NewMediaReceipt builds the receipt of lines in order. Counts of m are set from them.
func NewMediaReceipt(m ReceiptMeta, lines []MediaLine) (Receipt, error) {
	m.Counts = map[string]int64{}
	var raw []byte
	for i := range lines {
		line, err := encodeLine(lines[i])
		if err != nil {
			return Receipt{}, err
		}
		raw = append(raw, line...)
		m.Counts[lines[i].State]++
	}
	return Media().NewReceipt(m, raw)
}

// ReadMediaReceipt is ReadReceipt for the media trail. It checks that the lines are the links that the receipt counts, in order.
func ReadMediaReceipt(r io.Reader, visit func(MediaLine) error) (ReceiptMeta, error) {
	found := map[string]int64{}
	var last chat.Link
	m, err := Media().ReadReceipt(r, func(raw []byte) error {
		var line MediaLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return invalid("a line that is no link: %v", err)
		}
		switch {
		case line.Seq < last.Seq || line.Seq == last.Seq && line.N != last.N+1 || line.Seq != last.Seq && line.N != 0:
			return invalid("link %d of seq %d follows link %d of seq %d", line.N, line.Seq, last.N, last.Seq)
		case !line.sound():
			return invalid("link %d of seq %d is %s with the sum %q", line.N, line.Seq, line.State, line.SHA256)
		}
		last = line.Link
		found[line.State]++
		if visit == nil {
			return nil
		}
		return visit(line)
	})
	if err != nil {
		return ReceiptMeta{}, err
	}
	for _, state := range Media().Counts {
		if n := m.Counts[state]; state != MediaUnread && n != found[state] {
			return ReceiptMeta{}, invalid("%d links are %s, the receipt counts %d", found[state], state, n)
		}
		delete(found, state)
	}
	if len(found) > 0 || last.Seq > m.Hi {
		return ReceiptMeta{}, invalid("links of another state or beyond %d", m.Hi)
	}
	return m, nil
}
