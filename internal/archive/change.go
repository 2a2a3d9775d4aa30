package archive

import (
	"bytes"
	"encoding/json"
	"io"

	"chatexport/internal/chat"
)

// Kinds of what a look finds: every seq of a range that was looked at is of exactly one.
const (
	ChangeSame     = "same"
	ChangeEdited   = "edited"   // the same message, with another content; or one where a placeholder was, or that cannot be read any more
	ChangeRecalled = "recalled" // since
	ChangeDeleted  = "deleted"  // a placeholder is in its place, and older messages are still there
	ChangeMissing  = "missing"  // came then, does not come now
	ChangeFound    = "found"    // was absent or malformed then, and comes now
	ChangeExpired  = "expired"  // older than what the service still has
	ChangeUnread   = "unread"   // its chunk is missing or damaged
)

// Change is the trail of looks. A receipt counts the seqs of its range by kinds.
func Change() Trail {
	return Trail{Name: "change", times: true, Counts: []string{
		ChangeSame, ChangeEdited, ChangeRecalled, ChangeDeleted, ChangeMissing, ChangeFound, ChangeExpired, ChangeUnread,
	}}
}

// ChangeLine is one difference.
type ChangeLine struct {
	Seq    chat.Seq        `json:"seq"`
	Kind   string          `json:"kind"`
	Was    string          `json:"was,omitempty"` // SHA-256 of the archived line without its newline, in lower-case hex; empty if it was absent
	Now    json.RawMessage `json:"now,omitempty"` // the element as a chunk's line has it; empty if it is missing
	SeenAt int64           `json:"seen_at"`       // in seconds since 1970
	Media  []MediaLine     `json:"media,omitempty"`
}

// differs reports whether a kind has a line.
func differs(kind string) bool {
	return kind != ChangeSame && kind != ChangeExpired && kind != ChangeUnread
}

// ChangeWriter collects what one receipt says. The zero value is ready.
type ChangeWriter struct {
	counts map[string]int64
	lines  []byte
}

// Count counts seqs of a kind that has no line.
func (w *ChangeWriter) Count(kind string, n int64) {
	if w.counts == nil {
		w.counts = map[string]int64{}
	}
	w.counts[kind] += n
}

// Add adds a difference, behind all others. The error wraps ErrInvalid.
func (w *ChangeWriter) Add(line ChangeLine) error {
	raw, err := encodeLine(line)
	if err != nil {
		return err
	}
	w.lines = append(w.lines, raw...)
	w.Count(line.Kind, 1)
	return nil
}

// Size returns the bytes of the lines so far.
func (w *ChangeWriter) Size() int { return len(w.lines) }

// Receipt returns the receipt of [m.Lo, m.Hi]; every seq of it must have been counted.
func (w *ChangeWriter) Receipt(m ReceiptMeta) (Receipt, error) {
	m.Counts = w.counts
	return Change().NewReceipt(m, w.lines)
}

// ReadChangeReceipt is ReadReceipt for the change trail. It checks that the lines are the differences that the receipt counts, in
// order. visit gets Now as it stands in the line, valid during the call only.
func ReadChangeReceipt(r io.Reader, visit func(ChangeLine) error) (ReceiptMeta, error) {
	found := map[string]int64{}
	var last, first chat.Seq
	m, err := Change().ReadReceipt(r, func(raw []byte) error {
		var line ChangeLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return invalid("a line that is no difference: %v", err)
		}
		switch {
		case line.Seq <= last:
			return invalid("seq %d follows %d", line.Seq, last)
		case !differs(line.Kind) || (line.Kind != ChangeFound || line.Was != "") && !isSHA256(line.Was):
			return invalid("seq %d is %q of %q", line.Seq, line.Kind, line.Was)
		case (line.Kind == ChangeMissing) != (len(line.Now) == 0):
			return invalid("seq %d is %s and has no element, or one too many", line.Seq, line.Kind)
		case len(line.Now) > 0 && !isElement(line.Now, line.Seq):
			return invalid("seq %d has an element that is another's", line.Seq)
		}
		for i := range line.Media {
			if l := &line.Media[i]; l.Seq != line.Seq || i > 0 && l.N <= line.Media[i-1].N || !l.sound() {
				return invalid("link %d of seq %d at seq %d is %s with the sum %q", l.N, l.Seq, line.Seq, l.State, l.SHA256)
			}
		}
		if last = line.Seq; first == 0 {
			first = last
		}
		found[line.Kind]++
		if visit == nil {
			return nil
		}
		return visit(line)
	})
	if err != nil {
		return ReceiptMeta{}, err
	}
	for _, kind := range Change().Counts {
		if n := m.Counts[kind]; differs(kind) && n != found[kind] {
			return ReceiptMeta{}, invalid("%d seqs are %s, the receipt counts %d", found[kind], kind, n)
		}
	}
	if first != 0 && first < m.Lo || last > m.Hi {
		return ReceiptMeta{}, invalid("differences in [%d, %d] outside of [%d, %d]", first, last, m.Lo, m.Hi)
	}
	return m, nil
}

// isElement reports whether a difference's element is that of its seq, written as a chunk's line is.
func isElement(raw json.RawMessage, seq chat.Seq) bool {
	e, err := chat.ScanElement(raw)
	return err == nil && e.Seq == seq && e.HasGroupID && !e.Repaired && bytes.Equal(e.JSON, raw)
}
