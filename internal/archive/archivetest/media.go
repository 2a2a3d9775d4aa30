package archivetest

import (
	"cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Blob writes a file and returns its sum.
func (b *Builder) Blob(content []byte) string {
	b.t.Helper()
	sum := Hash(content)
	w := objstore.Write{Body: content, ContentType: "application/octet-stream"}
	if _, err := b.store.Overwrite(b.t.Context(), layout.Blob(sum), w); err != nil {
		b.t.Fatal(err)
	}
	return sum
}

// Content is the file that a URL leads to, in these archives.
func Content(url string) []byte { return []byte("the file at " + url) }

// Account writes the receipt of [lo, hi] for the links of those elements that lie in it. The file behind each URL is stored.
func (b *Builder) Account(lo, hi chat.Seq, elements ...chat.Element) {
	b.t.Helper()
	var lines []archive.MediaLine
	for i := range elements {
		if elements[i].Seq < lo || elements[i].Seq > hi {
			continue
		}
		for _, link := range chat.Links(&elements[i]) {
			line := archive.MediaLine{Link: link, State: archive.MediaNoURL, Code: "no_url"}
			if link.URL != "" {
				content := Content(link.URL)
				line.State, line.Code, line.Type = archive.MediaStored, "", "image/png"
				line.SHA256, line.Bytes = b.Blob(content), int64(len(content))
			}
			lines = append(lines, line)
		}
	}
	b.Receipt(lo, hi, lines...)
}

// Receipt writes the receipt of [lo, hi], chained to the one before.
func (b *Builder) Receipt(lo, hi chat.Seq, lines ...archive.MediaLine) {
	b.t.Helper()
	r, err := archive.NewMediaReceipt(b.ReceiptMeta(lo, hi), lines)
	b.PutReceipt(r, err)
}

// ReceiptMeta is what the next receipt has to say of itself, but for its counts.
func (b *Builder) ReceiptMeta(lo, hi chat.Seq) archive.ReceiptMeta { return b.meta(b.Media, lo, hi) }

// PutReceipt writes a receipt that was just made as the last one.
func (b *Builder) PutReceipt(r archive.Receipt, err error) {
	b.t.Helper()
	b.Media = b.receipt(archive.Media(), layout.Media(b.Stream, r.Meta.Lo), r, err)
	b.accounted = r.Meta.Hi + 1
}

func (b *Builder) meta(last *archive.Pin, lo, hi chat.Seq) archive.ReceiptMeta {
	m := archive.ReceiptMeta{Lo: lo, Hi: hi, Run: run, Writer: writer}
	if last != nil {
		m.Previous = last.SHA256
	}
	m.Previous = cmp.Or(m.Previous, b.genesis)
	return m
}

func (b *Builder) receipt(trail archive.Trail, key string, r archive.Receipt, err error) *archive.Pin {
	b.t.Helper()
	if err == nil {
		w := objstore.Write{Body: r.Body, ContentType: "application/gzip", Metadata: trail.Metadata(r.Meta)}
		_, err = b.store.Overwrite(b.t.Context(), key, w)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return &archive.Pin{Lo: r.Meta.Lo, SHA256: r.Meta.SHA256}
}
