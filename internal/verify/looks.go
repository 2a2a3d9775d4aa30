package verify

import (
	"bytes"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// Looks is what was found of the looks at a stream: of the receipts that tell what had changed, and of the blobs that these name.
type Looks struct {
	Trail
	StoredFiles

	At          int64            `json:"at"`          // when the last look ended, in seconds since 1970
	Seqs        map[string]int64 `json:"seqs"`        // by kind, of those that were looked at
	Outstanding int64            `json:"outstanding"` // archived seqs that had not expired, and that no look has come to yet
	// AbsentFound counts the absent seqs of which a look has found the message, and Stored the links that are stored. Of
	// receipts that were read only.
	AbsentFound int64 `json:"absent_found"`
	Stored      int64 `json:"links_stored"`
}

// Changed returns how many seqs the receipts tell a difference of.
func (l *Looks) Changed() int64 {
	return sumOf(l.Seqs) - l.Seqs[archive.ChangeSame] - l.Seqs[archive.ChangeExpired] - l.Seqs[archive.ChangeUnread]
}

// looks returns the part of the report that tells of looks, which a stream without any does not have.
func (r *Report) looks() *Looks {
	if r.Looks == nil {
		r.Looks = &Looks{Seqs: map[string]int64{}}
	}
	return r.Looks
}

// lookAccount is the trail of looks: its receipts account for seqs.
type lookAccount struct{ v *verifier }

var _ account = lookAccount{}

func (v *verifier) changeTrail() *receipts {
	return &receipts{
		v: v, account: lookAccount{v}, form: archive.Change(), hinted: "look", noun: "seqs", spans: true, prefix: layout.ChangePrefix(v.stream),
		key:    func(lo chat.Seq) string { return layout.Change(v.stream, lo) },
		report: func() *Trail { return &v.report.looks().Trail },
		tell:   v.tellLooks,
	}
}

// wants implements account. An expired range is not asked for again.
func (a lookAccount) wants(e *archive.ChunkEntry) int64 {
	if e.Expired == e.Sum() {
		return 0
	}
	return e.Sum()
}

func (a lookAccount) truth(e *archive.ChunkEntry, body []byte) truth { return elementsOf(a.v, e, body) }

func (a lookAccount) read(body []byte) (archive.ReceiptMeta, error) {
	return archive.ReadChangeReceipt(bytes.NewReader(body), nil)
}

func (a lookAccount) count(m *archive.ReceiptMeta) {
	l := a.v.report.looks()
	addCounts(l.Seqs, m.Counts)
	l.At = max(l.At, m.To)
}

// tellLooks completes the report, once the trail was followed.
func (v *verifier) tellLooks(r *receipts) {
	l := v.report.Looks
	if l == nil {
		return
	}
	l.To = r.to()
	l.Outstanding = max(0, v.report.Totals.Sum()-v.report.Totals.Expired-(sumOf(l.Seqs)-r.spared))
}
