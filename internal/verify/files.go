package verify

import (
	"bytes"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// Files is what was found of the files that a stream's messages link to: of the receipts that account for the links, and of
// the blobs that these name.
type Files struct {
	Trail
	StoredFiles

	Links       map[string]int64 `json:"links"`       // by state, of those that are accounted for
	Outstanding int64            `json:"outstanding"` // archived links that no receipt accounts for yet
}

// Accounted returns how many links the receipts account for.
func (f *Files) Accounted() int64 { return sumOf(f.Links) }

func sumOf(counts map[string]int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// files returns the part of the report that tells of files, which a stream without any does not have.
func (r *Report) files() *Files {
	if r.Files == nil {
		r.Files = &Files{Links: map[string]int64{}}
	}
	return r.Files
}

// mediaAccount is the trail of files: its receipts account for links.
type mediaAccount struct{ v *verifier }

var _ account = mediaAccount{}

func (v *verifier) mediaTrail() *receipts {
	return &receipts{
		v: v, account: mediaAccount{v}, form: archive.Media(), hinted: "media", noun: "links", prefix: layout.MediaPrefix(v.stream),
		key:    func(lo chat.Seq) string { return layout.Media(v.stream, lo) },
		report: func() *Trail { return &v.report.files().Trail },
		tell:   v.tellFiles,
	}
}

func (a mediaAccount) wants(e *archive.ChunkEntry) int64 { return e.Links }

func (a mediaAccount) truth(e *archive.ChunkEntry, body []byte) truth { return linksOf(a.v, e, body) }

func (a mediaAccount) read(body []byte) (archive.ReceiptMeta, error) {
	return archive.ReadMediaReceipt(bytes.NewReader(body), nil)
}

func (a mediaAccount) count(m *archive.ReceiptMeta) { addCounts(a.v.report.files().Links, m.Counts) }

func addCounts(to, counts map[string]int64) {
	for name, n := range counts {
		if n > 0 {
			to[name] += n
		}
	}
}

// tellFiles completes the report, once the trail was followed.
func (v *verifier) tellFiles(r *receipts) {
	if v.report.Files == nil && v.report.Totals.Links == 0 {
		return
	}
	f := v.report.files()
	f.To = r.to()
	f.Outstanding = max(0, v.report.Totals.Links-f.Accounted())
}
