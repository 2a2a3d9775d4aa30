package archivetest

import (
	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// Look writes the receipt of a look at [lo, hi], chained to the one before. What no line tells of is the same.
func (b *Builder) Look(lo, hi chat.Seq, lines ...archive.ChangeLine) {
	b.t.Helper()
	var w archive.ChangeWriter
	for _, line := range lines {
		if err := w.Add(line); err != nil {
			b.t.Fatal(err)
		}
	}
	w.Count(archive.ChangeSame, int64(hi-lo+1)-int64(len(lines)))
	r, err := w.Receipt(b.LookMeta(lo, hi))
	b.PutLook(r, err)
}

// Counted writes the receipt of a look at [lo, hi] that found one thing of all seqs, and has no line.
func (b *Builder) Counted(lo, hi chat.Seq, kind string) {
	b.t.Helper()
	var w archive.ChangeWriter
	w.Count(kind, int64(hi-lo+1))
	r, err := w.Receipt(b.LookMeta(lo, hi))
	b.PutLook(r, err)
}

// LookMeta is what the next receipt of a look has to say of itself, but for its counts. It took a second.
func (b *Builder) LookMeta(lo, hi chat.Seq) archive.ReceiptMeta {
	m := b.meta(b.Change, lo, hi)
	m.From = When().Unix() + int64(lo)
	m.To = m.From + 1
	return m
}

// PutLook writes a receipt of a look that was just made as the last one.
func (b *Builder) PutLook(r archive.Receipt, err error) {
	b.t.Helper()
	b.Change = b.receipt(archive.Change(), layout.Change(b.Stream, r.Meta.Lo), r, err)
	b.looked = r.Meta.Hi + 1
}

// Difference is a line of a look. was is the archived element, nil if it was absent, and now what came, nil if nothing did.
func (b *Builder) Difference(seq chat.Seq, kind string, was, now *chat.Element) archive.ChangeLine {
	line := archive.ChangeLine{Seq: seq, Kind: kind, SeenAt: When().Unix()}
	if was != nil {
		line.Was = Hash(archive.Line(b.Stream, was))
	}
	if now != nil {
		line.Now = archive.Line(b.Stream, now)
	}
	return line
}
