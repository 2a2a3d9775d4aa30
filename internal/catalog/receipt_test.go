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

func TestLooks_OfAChunkEndWhereTheTrailDoes(t *testing.T) {
	t.Parallel()
	store, s := memstore.New(memstore.Options{}), chat.Stream{GroupID: "g"}
	b := archivetest.Build(t, store, s, 1)
	e := archivetest.Elements(t, `{"From_Account":"u","IsPlaceMsg":0,"MsgSeq":5,"MsgBody":[]}`)
	b.Chunk(20, e...)
	b.Chunk(30)
	b.Expired(40)
	b.Chunk(50)
	b.Chunk(60)
	chunks := b.Listed
	file := []byte("a file")
	line := b.Difference(5, archive.ChangeEdited, &e[0], &e[0])
	line.Media = []archive.MediaLine{
		{Link: chat.Link{Seq: 5, Kind: chat.LinkFile, URL: "u"}, State: archive.MediaStored, SHA256: b.Blob(file), Bytes: int64(len(file))},
		{Link: chat.Link{Seq: 5, N: 1, Kind: chat.LinkFile}, State: archive.MediaNoURL, Code: "no_url"},
	}
	b.Look(1, 9, line)
	b.Look(10, 20)
	b.Counted(21, 50, archive.ChangeExpired)
	var los, seqs []chat.Seq
	var stored []string
	for _, c := range chunks {
		for r, err := range catalog.Looks(t.Context(), store, s, &c) {
			if err == nil {
				err = r.Stored(func(l archive.MediaLine) error { stored = append(stored, l.SHA256); return nil })
			}
			if err == nil {
				err = r.Differences(func(l archive.ChangeLine) error { seqs = append(seqs, l.Seq); return nil })
			}
			if err != nil || r.Key != layout.Change(s, r.Lo) || archivetest.Hash(r.Body) != r.SHA256 {
				t.Fatalf("receipt %+v, error %v", r.ReceiptMeta, err)
			}
			los = append(los, r.Lo)
		}
	}
	if diff := cmp.Diff([][]chat.Seq{{1, 10, 21}, {5}}, [][]chat.Seq{los, seqs}); diff != "" {
		t.Errorf("receipts and differences (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{archivetest.Hash(file)}, stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	b.Look(51, 70)
	var err error
	for _, broken := range catalog.Looks(t.Context(), store, s, &chunks[4]) {
		err = broken
	}
	if !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("one that goes on beyond its chunk: %v", err)
	}
}
