package status

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/cli"
)

// Looks is how far what is archived has been looked at again, and what was found. Members are only ever added.
type Looks struct {
	Frontier chat.Seq         `json:"frontier,omitempty"` // all below it has been looked at; 0 if unknown
	Off      bool             `json:"off,omitempty"`      // nothing is looked at (EXPORT_LOOK)
	Due      time.Time        `json:"due,omitzero"`       // when the next chunk is due
	Code     string           `json:"code,omitempty"`     // why nothing goes on
	At       time.Time        `json:"at,omitzero"`        // since when
	Last     *Receipt         `json:"last,omitempty"`     // nil if there was none
	Counts   map[string]int64 `json:"counts,omitempty"`   // seqs of all receipts by what was found; only where these were read
}

// Receipt is one receipt of a look.
type Receipt struct {
	Lo     chat.Seq         `json:"lo"`
	Hi     chat.Seq         `json:"hi"`
	From   time.Time        `json:"from"`
	To     time.Time        `json:"to"`
	Counts map[string]int64 `json:"counts"` // seqs by what was found
}

// looks finds the last look, if the state or the newest manifest names one: it costs one HEAD, or a GET in a copy.
func (s *Stream) looks(ctx context.Context, store catalog.Store, state *archive.State) error {
	last := s.looked
	if state != nil && state.Look != nil {
		h := state.Look
		s.Looks = &Looks{Frontier: h.Frontier, Due: h.Due, Code: h.Code, At: h.At}
		if h.After != nil {
			last = h.After
		}
	}
	if last == nil {
		return nil
	}
	if s.Looks == nil {
		s.Looks = &Looks{}
	}
	m, err := lookMeta(ctx, store, s.Stream, last.Lo)
	switch {
	case catalog.Damaged(err), errors.Is(err, objstore.ErrNotExist):
		s.Looks.Code = "receipt_invalid"
		return nil
	case err != nil:
		return err
	}
	s.Looks.Frontier = max(s.Looks.Frontier, m.Hi+1)
	s.Looks.Last = ReceiptOf(m)
	return nil
}

// ReceiptOf describes a receipt.
func ReceiptOf(m archive.ReceiptMeta) *Receipt {
	l := &Receipt{Lo: m.Lo, Hi: m.Hi, From: time.Unix(m.From, 0).UTC(), To: time.Unix(m.To, 0).UTC(), Counts: map[string]int64{}}
	AddCounts(l.Counts, m)
	return l
}

// lookMeta describes a receipt by its metadata, or by its content where a copy has none.
func lookMeta(ctx context.Context, store catalog.Store, s chat.Stream, lo chat.Seq) (archive.ReceiptMeta, error) {
	object, err := store.Head(ctx, layout.Change(s, lo))
	if err != nil {
		return archive.ReceiptMeta{}, err
	}
	m, err := archive.Change().ParseMetadata(object.Metadata)
	if errors.Is(err, archive.ErrNoMetadata) {
		var r catalog.Receipt
		r, err = catalog.LookAt(ctx, store, s, lo)
		m = r.ReceiptMeta
	}
	return m, err
}

// AddCounts adds what a receipt counts.
func AddCounts(to map[string]int64, m archive.ReceiptMeta) {
	for kind, n := range m.Counts {
		if n > 0 {
			to[kind] += n
		}
	}
}

// looksFail reports whether somebody should know that nothing is looked at.
func (s *Stream) looksFail() bool { return s.Looks != nil && s.Looks.Code != "" && !s.Looks.Off }

// Text says it for people.
func (l *Looks) Text() string {
	var b strings.Builder
	b.WriteString("looked again at what is archived")
	switch {
	case l.Last == nil:
		b.Reset()
		b.WriteString("not looked at again yet")
	case l.Counts != nil:
		fmt.Fprintf(&b, " up to %s: %s", cli.Count(int64(l.Frontier-1)), found(l.Counts))
	default:
		fmt.Fprintf(&b, " up to %s, the last time at %s to %s on %s: %s", cli.Count(int64(l.Frontier-1)),
			cli.Count(int64(l.Last.Lo)), cli.Count(int64(l.Last.Hi)), l.Last.To.Format("2006-01-02 15:04Z"), found(l.Last.Counts))
	}
	if l.Off {
		b.WriteString("; no more (EXPORT_LOOK)")
	}
	if l.Code != "" {
		b.WriteString("; nothing goes on: " + l.Code)
	}
	if !l.Due.IsZero() && !l.Off {
		b.WriteString("; next from " + l.Due.Format("2006-01-02 15:04Z"))
	}
	return b.String()
}

// found says what looks found, but for what is the same.
func found(counts map[string]int64) string {
	var parts []string
	for _, kind := range archive.Change().Counts {
		if n := counts[kind]; n > 0 && kind != archive.ChangeSame {
			parts = append(parts, cli.Count(n)+" "+kind)
		}
	}
	if len(parts) == 0 {
		return "nothing has changed"
	}
	return strings.Join(parts, ", ")
}

// changed reports whether the last look found anything.
func (l *Looks) changed() bool {
	if l.Last == nil {
		return false
	}
	return l.Last.Counts[archive.ChangeSame] != int64(l.Last.Hi-l.Last.Lo+1)
}
