package catalog_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore/memstore"
)

func TestChanges_OfAChunkEndWhereTheTrailDoes(t *testing.T) {
	t.Parallel()
	store, s := memstore.New(memstore.Options{}), chat.Stream{GroupID: "g"}
	b := archivetest.Build(t, store, s, 1)
	b.Expired(10)
	b.Chunk(20)
	b.Chunk(30)
	b.Chunk(40)
	b.Chunk(50)
	found := func(seq chat.Seq) archive.ChangeLine {
		return b.Difference(seq, archive.ChangeFound, nil, &archivetest.Elements(t, fmt.Sprintf(`{"MsgSeq":%d}`, seq))[0])
	}
	b.Look(11, 14, found(12), found(14))
	b.Look(15, 16, found(16))
	b.Counted(21, 40, archive.ChangeExpired) // of two chunks
	b.Look(41, 50, found(50))
	var got [][]chat.Seq
	for _, c := range b.Listed {
		var seqs []chat.Seq
		for line, err := range catalog.Changes(t.Context(), store, s, &c) {
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, line.Seq)
		}
		got = append(got, seqs)
	}
	if diff := cmp.Diff([][]chat.Seq{nil, {12, 14, 16}, nil, nil, {50}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for line, err := range catalog.Changes(t.Context(), store, s, &b.Listed[1]) {
		if err != nil || line.Seq != 12 {
			t.Errorf("seq %d, %v", line.Seq, err)
		}
		break // nobody reads on
	}
	b.Look(15, 21, found(16))
	var failed error
	for _, err := range catalog.Changes(t.Context(), store, s, &b.Listed[1]) {
		failed = errors.Join(failed, err)
	}
	if !errors.Is(failed, archive.ErrInvalid) {
		t.Errorf("a receipt of two chunks: %v", failed)
	}
}
