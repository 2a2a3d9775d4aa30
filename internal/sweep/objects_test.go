package sweep

import (
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/memstore"
)

// Objects of earlier versions may name ids that no stream can have.
func TestALineWithAnInvalidIDCostsNoOther(t *testing.T) {
	t.Parallel()
	bad := strings.Repeat("x", 129)
	w, err := encodeKnown("20261122T120000Z-00000000", noon(), []*record{{Group: bad}, {Group: "g", Frontier: 7}})
	if err != nil {
		t.Fatal(err)
	}
	if known, err := decodeKnown(w.Body); err != nil || len(known) != 1 {
		t.Errorf("%d known, %v", len(known), err)
	}
	w, err = encodeResult(
		resultHeader{envelope: envelope{format, "20261122T120000Z-00000000"}},
		[]outcome{{Group: bad, Outcome: archive.StatusFailed}, {Group: "g", Outcome: archive.StatusFailed}},
		[]open{{item: item{Group: bad}}, {item: item{Group: "h"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, done, opens, err := decodeResult(w.Body); err != nil || len(done) != 1 || len(opens) != 1 {
		t.Errorf("%d done, %d open, %v", len(done), len(opens), err)
	}
}

func TestAnInvalidIDInAPlanCostsNoOtherStream(t *testing.T) {
	t.Parallel()
	id := "20261122T120000Z-00000000"
	l := newLines(pieceHeader{envelope: envelope{format, id}, Last: true})
	l.add(item{Group: strings.Repeat("x", 129)})
	l.add(item{Group: "g"})
	w, err := l.close()
	if err != nil {
		t.Fatal(err)
	}
	store := memstore.New(memstore.Options{}).View("lane", nil)
	if _, err := store.Create(t.Context(), layout.SweepPlanPiece(id, 0), w); err != nil {
		t.Fatal(err)
	}
	b := &board{lane: &lane{id: id, shelf: &shelf{Store: store}}}
	if o, ok, err := b.nextItem(t.Context()); !ok || err != nil || o.Group != "g" || !b.ended {
		t.Errorf("%+v, %v, at the end %v", o, err, b.ended)
	}
}
