package catalog_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

func TestReceipts_OfAChunkEndWhereTheTrailDoes(t *testing.T) {
	t.Parallel()
	store, s := memstore.New(memstore.Options{}), chat.Stream{GroupID: "g"}
	b := archivetest.Build(t, store, s, 1)
	e := archivetest.Elements(t, `{"From_Account":"u","IsPlaceMsg":0,"MsgSeq":5,"MsgBody":[
		{"MsgType":"TIMSoundElem","MsgContent":{"Url":"https://h/1"}},{"MsgType":"TIMSoundElem","MsgContent":{}}]}`)
	b.Chunk(20, e...)
	b.Chunk(30)
	first, second := b.Listed[0], b.Listed[1]
	b.Account(1, 9, e...)
	b.Receipt(10, 15, archive.MediaLine{Link: chat.Link{Seq: 12, Kind: chat.LinkFile}, State: archive.MediaFailed, Code: "timeout"})
	b.Receipt(21, 30, archive.MediaLine{Link: chat.Link{Seq: 22, Kind: chat.LinkFile}, State: archive.MediaFailed, Code: "timeout"})
	var los []chat.Seq
	var stored []string
	for _, c := range []archive.ChunkEntry{first, second} {
		for r, err := range catalog.Receipts(t.Context(), store, s, &c) {
			if err != nil {
				t.Fatal(err)
			}
			los = append(los, r.Lo)
			err = r.Stored(func(l archive.MediaLine) error { stored = append(stored, l.URL); return nil })
			if err != nil || r.Key != layout.Media(s, r.Lo) || archivetest.Hash(r.Body) != r.SHA256 {
				t.Errorf("receipt %+v, error %v", r.ReceiptMeta, err)
			}
		}
	}
	if diff := cmp.Diff([]chat.Seq{1, 10}, los); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"https://h/1"}, stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	body, _, err := store.Get(t.Context(), layout.Media(s, 1))
	if err == nil {
		_, err = store.Overwrite(t.Context(), layout.Media(s, 10), objstore.Write{Body: body})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range catalog.Receipts(t.Context(), store, s, &first) {
		err = broken
	}
	if !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("another's receipt: %v", err)
	}
}
