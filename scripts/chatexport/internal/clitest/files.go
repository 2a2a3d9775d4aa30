package clitest

import (
	"fmt"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Blob writes the bytes of a file, and returns the line of a link that they are stored for. The sender says nothing of its type.
func (b *Builder) Blob(content, kind string) archive.MediaLine {
	b.t.Helper()
	sum := archivetest.Hash([]byte(content))
	b.write(layout.Blob(sum), objstore.Write{Body: []byte(content)})
	return archive.MediaLine{State: archive.MediaStored, SHA256: sum, Bytes: int64(len(content)), Type: kind}
}

// Receipt writes the receipt of files for [lo, hi], one line for each link of these elements, in order.
func (b *Builder) Receipt(lo, hi chat.Seq, elements []chat.Element, lines ...archive.MediaLine) archive.Pin {
	b.t.Helper()
	n := 0
	for i := range elements {
		if e := &elements[i]; lo <= e.Seq && e.Seq <= hi {
			for _, link := range chat.Links(e) {
				lines[n].Link = link
				n++
			}
		}
	}
	r, err := archive.NewMediaReceipt(archive.ReceiptMeta{Lo: lo, Hi: hi, Run: "run", Writer: "writer", Previous: b.receipt}, lines[:n])
	if err != nil {
		b.t.Fatal(err)
	}
	b.receipt = r.Meta.SHA256
	b.write(layout.Media(b.Stream, lo), objstore.Write{Body: r.Body, ContentType: "application/gzip", Metadata: archive.Media().Metadata(r.Meta)})
	return archive.Pin{Lo: lo, SHA256: r.Meta.SHA256}
}

func (b *Builder) write(key string, w objstore.Write) {
	b.t.Helper()
	if _, err := b.store.Overwrite(b.t.Context(), key, w); err != nil {
		b.t.Fatal(err)
	}
}

// Files writes an archive of 30 seqs whose messages have nine links: of the first chunk, up to 20, five files are stored, the
// first two of them the same bytes, and three are not; that of seq 21 waits.
func Files(t testing.TB, store archivetest.Store, s chat.Stream) *Builder {
	t.Helper()
	b := Build(t, store, s)
	element := func(seq chat.Seq, parts string) string {
		return fmt.Sprintf(`{"From_Account":"u%d","MsgBody":[%s],"MsgSeq":%d,"MsgTimeStamp":%d}`, seq%4, parts, seq, archivetest.When().Unix()+60*int64(seq))
	}
	const (
		picture = `{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":3,"Size":1,"URL":"https://x/thumb"},{"Type":1,"Size":7,"URL":"https://x/original?a=1&b=2"}]}}`
		hostile = `{"MsgType":"TIMFileElem","MsgContent":{"Url":"https://x/f","FileSize":3,"FileName":"../=1+1\u202Efdp.exe"}}`
	)
	elements := archivetest.Elements(t,
		element(1, `{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello"}}`),
		element(2, picture),
		element(3, `{"MsgType":"TIMRelayElem","MsgContent":{"Title":"two","MsgList":[{"From_Account":"A","MsgBody":[`+picture+`]},{"From_Account":"B","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"nested words"}}]}]}}`),
		element(4, hostile),
		element(5, `{"MsgType":"TIMVideoFileElem","MsgContent":{"VideoUrl":"https://x/v","VideoSecond":7,"ThumbUrl":"https://x/t.jpg"}},`+hostile),
		element(7, `{"MsgType":"TIMFileElem","MsgContent":{"UUID":"u9","FileSize":1773552,"FileName":"no-link.pdf"}}`),
		element(8, `{"MsgType":"TIMRelayElem","MsgContent":{"Title":"big one","AbstractText":["A: hi"],"JsonMsgKey":"0123-abcd"}}`),
	)
	b.Chunk(20, elements...)
	image, pdf := b.Blob("picture", "image/png"), b.Blob("pdf", "text/html")
	none := archive.MediaLine{State: archive.MediaNoURL, Code: "no_url"}
	b.Receipt(1, 4, elements, image, image, pdf)
	last := b.Receipt(5, 20, elements, archive.MediaLine{State: archive.MediaGone, Code: "http_404"}, b.Blob("thumb", "application/octet-stream"), pdf, none, none)
	b.Chunk(30, archivetest.Elements(t, element(21, picture))...)
	b.Manifest(archive.StatusComplete)
	b.State(func(state *archive.State) {
		state.Counters.Messages, state.Counters.Links, state.Counters.Chunks = 8, 9, 2
		state.Media = &archive.TrailHint{Frontier: 21, Manifest: 1, After: &last, Due: archivetest.When()}
	})
	return b
}
