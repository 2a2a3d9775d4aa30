package invocation_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
)

// The first tick of a new instance: genesis and state are looked for, the name of the first manifest is checked to be
// free; written are lease, genesis, chunk, manifest and state. The preflight is the bucket's versioning.
func firstTick() map[cosemu.Op]int {
	return map[cosemu.Op]int{
		cosemu.OpGetVersioning: 1, cosemu.OpGet: 3, cosemu.OpPut: 5,
	}
}

func TestCost_OfAGroupOfEverySize(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		messages int
		calls    int // newest page and group information, then the pages below the newest
	}{
		{1, 2}, {19, 2}, {20, 2}, {21, 3}, {40, 3}, {205, 12},
	} {
		w := world.New(t, world.Options{})
		s := w.Group("@TGS#1", tc.messages)
		w.Tick(s)
		calls, requests := w.Chat.Counters().Calls, w.COS.Counts()
		report := w.Verify(s)
		if report.Hi != chat.Seq(tc.messages) || report.Finished != "complete" || report.ListedTo != report.Hi {
			t.Errorf("%d messages: archived up to %d, listed up to %d, %q", tc.messages, report.Hi, report.ListedTo, report.Finished)
		}
		if calls != tc.calls {
			t.Errorf("%d messages: %d Chat calls, want %d", tc.messages, calls, tc.calls)
		}
		if diff := cmp.Diff(firstTick(), requests); diff != "" {
			t.Errorf("%d messages: COS requests (-want +got):\n%s", tc.messages, diff)
		}
	}
}

func TestCost_OfAGroupWithoutMessagesIsAState(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("@TGS#1", 0)
	w.Tick(s)
	if got := w.Chat.Counters().Calls; got != 2 {
		t.Errorf("%d Chat calls, want the newest page and the group's information", got)
	}
	want := map[cosemu.Op]int{cosemu.OpGetVersioning: 1, cosemu.OpGet: 2, cosemu.OpPut: 1}
	if diff := cmp.Diff(want, w.COS.Counts()); diff != "" {
		t.Errorf("COS requests (-want +got):\n%s", diff)
	}
	var keys []string
	for entry, err := range w.Store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, entry.Key)
	}
	if diff := cmp.Diff([]string{"state/gid=.40TGS.231/tid=-/state.json"}, keys); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestCost_OfALaterTick(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("@TGS#1", 205)
	w.Tick(s)
	for _, tc := range []struct {
		name     string
		messages int
		calls    int
		requests map[cosemu.Op]int // of a new instance
	}{
		{"nothing new", 0, 2, map[cosemu.Op]int{
			cosemu.OpGetVersioning: 1,
			cosemu.OpGet:           2, // state, genesis
			cosemu.OpHead:          2, // the last chunk, and that there is none behind it
			cosemu.OpPut:           2, // lease, state
		}},
		{"3 new messages", 3, 2, map[cosemu.Op]int{
			cosemu.OpGetVersioning: 1,
			cosemu.OpGet:           3, // state, genesis, the last manifest
			cosemu.OpHead:          2,
			cosemu.OpPut:           4, // lease, chunk, manifest, state
		}},
	} {
		before := w.Chat.Counters().Calls
		if err := w.Chat.Append(s, messages(tc.messages)...); err != nil {
			t.Fatal(err)
		}
		w.COS.ResetCounts()
		if n := w.Tick(s); n != 1 {
			t.Errorf("%s: %d invocations", tc.name, n)
		}
		calls, requests := w.Chat.Counters().Calls-before, maps.Clone(w.COS.Counts())
		w.Verify(s)
		if calls != tc.calls {
			t.Errorf("%s: %d Chat calls, want %d", tc.name, calls, tc.calls)
		}
		if diff := cmp.Diff(tc.requests, requests); diff != "" {
			t.Errorf("%s: COS requests (-want +got):\n%s", tc.name, diff)
		}
	}
}

// messages are old enough not to be settling.
func messages(n int) []chatemu.Message {
	m := make([]chatemu.Message, n)
	for i := range m {
		m[i].Time = time.Now().Add(-time.Hour).Unix()
	}
	return m
}
