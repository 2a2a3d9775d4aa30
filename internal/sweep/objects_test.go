package sweep

import (
	"errors"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// impossible is an id that no stream can have.
func impossible() string { return strings.Repeat("x", 129) }

// One line that is wrong is not to cost all the others.
func TestInvalidID_CostsNoOtherStream(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		l := newLines()
		l.add(record{Stream: chat.Stream{GroupID: "g"}, Frontier: 7})
		l.add(record{Stream: chat.Stream{GroupID: impossible()}})
		w, err := l.close(header{envelope: envelope{format, baseID}, Last: true})
		s.write(layout.SweepKnown(baseID, 0), w, err)
		if known := s.known(baseID); len(known) != 1 {
			t.Errorf("%d known", len(known))
		}
		l = newLines()
		for _, id := range []string{impossible(), "g"} {
			l.add(resultLine{Done: &record{Stream: chat.Stream{GroupID: id}, Outcome: archive.StatusFailed}})
			l.add(resultLine{Open: &open{item: item{record: record{Stream: chat.Stream{GroupID: id}}}}})
		}
		w, err = l.close(header{envelope: envelope{format, baseID}})
		s.write(layout.SweepResult(baseID, 0), w, err)
		done, _, err := s.memory(baseID).results(s.t.Context(), func() bool { return false })
		if err != nil || len(done) != 1 {
			t.Errorf("done %+v, %v", done, err)
		}
		l = newLines()
		l.add(record{Stream: chat.Stream{GroupID: impossible()}})
		l.add(record{Stream: chat.Stream{GroupID: "g"}})
		w, err = l.close(header{envelope: envelope{format, baseID}, Last: true})
		s.write(layout.SweepPlanPiece(baseID, 0), w, err)
		next := &lane{stint: s.stint(Spec{}, baseID, Request{}), batch: 1}
		err = errors.Join(next.resume(s.t.Context()), next.readOn(s.t.Context()))
		if err != nil || len(next.waiting) != 2 || next.waiting[1].GroupID != "g" || !next.Next.Ended {
			t.Errorf("waiting %+v, %v", next.waiting, err)
		}
	})
}

func TestBrokenObject_IsNoObject(t *testing.T) {
	t.Parallel()
	l := newLines()
	l.add(record{Stream: chat.Stream{GroupID: "g"}})
	w, err := l.close(header{envelope: envelope{format, baseID}})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{
		"half": w.Body[:len(w.Body)-12], "half of the header": w.Body[:12], "empty": nil, "no gzip": []byte("{}\n"),
	} {
		_, others, err := openLines[record](body)
		if err == nil {
			for _, broken := range others {
				err = broken
			}
		}
		if !unreadable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
