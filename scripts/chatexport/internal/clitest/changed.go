package clitest

import (
	"fmt"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
)

// SeenAt is when the looks of Changed found what they found, in seconds since 1970: ten days after the first message.
func SeenAt() int64 { return archivetest.When().Unix() + 10*86_400 }

// Changed writes an archive of two chunks, 1 to 10 and 11 to 20, of messages a minute apart, and looks at the first: 2 was edited
// and has a picture now, 3 was recalled, 4 deleted, 5 does not come any more; 7, which was absent, was found. Manifests list the
// first chunk from 71 seconds after archivetest.When on, the second from 81.
func Changed(t testing.TB, store archivetest.Store, s chat.Stream) *Builder {
	t.Helper()
	b := Build(t, store, s)
	var all []chat.Element
	for seq := chat.Seq(1); seq <= 10; seq++ {
		if seq != 7 {
			all = append(all, *b.message(seq))
		}
	}
	b.Chunk(10, all...)
	b.Manifest(archive.StatusComplete)
	b.Messages(20, 1)
	b.Manifest(archive.StatusComplete)
	text := func(seq chat.Seq, words, more string) *chat.Element {
		return b.element(seq, fmt.Sprintf(`"IsPlaceMsg":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"%s"}}%s]`, words, more))
	}
	const url = "https://x/new.png"
	picture := b.Blob("new", "image/png")
	picture.Link = chat.Link{Seq: 2, Path: "1", Kind: chat.LinkImage, URL: url}
	edited := b.Difference(2, archive.ChangeEdited, b.message(2),
		text(2, "other words", `,{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"Size":3,"URL":"`+url+`"}]}}`))
	edited.Media = []archive.MediaLine{picture}
	b.seen(1, 6, edited, b.Difference(3, archive.ChangeRecalled, b.message(3), b.element(3, `"IsPlaceMsg":2,"MsgBody":[]`)),
		b.Difference(4, archive.ChangeDeleted, b.message(4), b.element(4, `"IsPlaceMsg":1,"MsgBody":[]`)),
		b.Difference(5, archive.ChangeMissing, b.message(5), nil))
	b.seen(7, 10, b.Difference(7, archive.ChangeFound, nil, text(7, "late", "")))
	b.State(nil)
	return b
}

// seen writes the receipt of a look at SeenAt, which took five seconds.
func (b *Builder) seen(lo, hi chat.Seq, lines ...archive.ChangeLine) {
	b.t.Helper()
	var w archive.ChangeWriter
	w.Count(archive.ChangeSame, int64(hi-lo+1)-int64(len(lines)))
	for _, line := range lines {
		line.SeenAt = SeenAt()
		if err := w.Add(line); err != nil {
			b.t.Fatal(err)
		}
	}
	m := b.LookMeta(lo, hi)
	m.From, m.To = SeenAt(), SeenAt()+5
	r, err := w.Receipt(m)
	b.PutLook(r, err)
}
