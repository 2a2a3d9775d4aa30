package sweep

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

func TestSeen_NewerNamesPrecedeAndWhatIsLostIsDoneWithout(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	write := func(key string, w objstore.Write, err error) {
		t.Helper()
		if err == nil {
			_, err = store.Overwrite(t.Context(), key, w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func() map[chat.Stream]string {
		t.Helper()
		names := map[chat.Stream]string{}
		if err := Seen(t.Context(), store, func(f chat.Facts) { names[f.Stream] = f.Name + ", " + f.Type }); err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := read(); len(got) != 0 {
		t.Errorf("without a sweep: %v", got)
	}
	older, newer := "20240101T000000Z-00000000", "20240102T000000Z-00000000"
	if !validID(older) || !validID(newer) {
		t.Fatal("these are no ids of sweeps")
	}
	w, err := encodeJSON(pointer{envelope: envelope{Format: format}, Current: current{ID: newer}, Base: base{ID: older}})
	write(layout.SweepLatest(), w, err)
	part := func(id string, n int, names ...sightLine) {
		l := newLines()
		for _, line := range names {
			l.add(line)
		}
		w, err := l.close(header{envelope: envelope{format, id}})
		write(layout.SweepInfo(id, n), w, err)
	}
	a, b := chat.Stream{GroupID: "a"}, chat.Stream{GroupID: "b"}
	topic := chat.Stream{GroupID: "b", TopicID: "b@TOPIC#_t"}
	line := func(s chat.Stream, name string, topics ...sightLine) sightLine {
		return sightLine{Facts: chat.Facts{Stream: s, Name: name, Type: "Public"}, Topics: topics}
	}
	part(older, 0, line(a, "old"))
	write(layout.SweepInfo(older, 1), objstore.Write{Body: []byte("damaged")}, nil)
	part(older, 2, line(b, "bee", line(topic, "sting")))
	part(newer, 0, line(a, "new"))
	want := map[chat.Stream]string{a: "new, Public", b: "bee, Public", topic: "sting, Public"}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
