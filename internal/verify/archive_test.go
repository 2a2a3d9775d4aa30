package verify_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

func TestArchive_FindsEveryStreamWhateverIsLeftOfIt(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group())
	sound(t, store, topic())
	lost := chat.Stream{GroupID: "only a state"}
	b := build(t, store, lost, 1)
	b.remove(layout.Genesis(lost))
	b.State(func(s *archive.State) { s.Frontier, s.After, s.Head = 5, 1, 4 })
	orphan := chat.Stream{GroupID: "only a chunk"}
	b = build(t, store, orphan, 1)
	b.remove(layout.Genesis(orphan))
	b.chunkTo(9)
	hosts := chat.Stream{GroupID: "only a foreign file"}
	store.put(layout.ChunkPrefix(hosts)+"x.csv", nil, nil)
	store.put("data/top.csv", nil, nil)
	store.put("state/gid=a/tid=-/old.json", nil, nil)
	store.put("state/sweep/1/plan.json", nil, nil)
	store.put("elsewhere/x", nil, nil)

	got := map[chat.Stream][]verify.Kind{}
	opts := verify.Options{Parallel: 3}
	summary, err := verify.Archive(t.Context(), store, opts, func(r verify.Report) error {
		got[r.Stream] = kinds(r.Findings)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[chat.Stream][]verify.Kind{
		group(): nil,
		topic(): nil,
		lost:    {verify.KindGenesis, verify.KindStateAhead},
		orphan:  {verify.KindGenesis},
		hosts:   {verify.KindForeign},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
	var foreign []string
	for _, f := range summary.Findings {
		foreign = append(foreign, string(f.Kind)+" "+f.Key)
	}
	slices.Sort(foreign)
	if diff := cmp.Diff([]string{"foreign data/top.csv", "foreign state/gid=a/tid=-/old.json"}, foreign); diff != "" {
		t.Errorf("findings between the streams (-want +got):\n%s", diff)
	}
	if summary.Streams != 5 || summary.Unsound != 3 || summary.Sound() {
		t.Errorf("summary %+v", summary)
	}
}

func TestArchive_EndsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	for i := range 20 {
		sound(t, store, chat.Stream{GroupID: fmt.Sprintf("g%d", i)})
	}
	enough := errors.New("enough")
	calls := 0
	_, err := verify.Archive(t.Context(), store, verify.Options{Parallel: 2}, func(verify.Report) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls > 3 {
		t.Errorf("error %v after %d calls", err, calls)
	}

	store.onRead = func(key string) error { return fmt.Errorf("read %s: %w", key, objstore.ErrNoBucket) }
	if _, err := verify.Archive(t.Context(), store, verify.Options{}, nil); !errors.Is(err, objstore.ErrNoBucket) {
		t.Errorf("error %v", err)
	}

	store.onRead = func(string) error { panic("broken\n store") }
	_, err = verify.Archive(t.Context(), store, verify.Options{}, nil)
	if err == nil || !strings.HasSuffix(err.Error(), ": broken store") {
		t.Errorf("a panic became %v, want an error of one line", err)
	}
}
