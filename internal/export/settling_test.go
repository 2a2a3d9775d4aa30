package export_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// lateWorld is a world whose service has a clock that reveal puts forward, so that hidden messages can be seen.
func lateWorld(t *testing.T, quirks chatemu.Quirks) (w *world.World, reveal func()) {
	t.Helper()
	var ahead atomic.Int64
	w = world.New(t, world.Options{
		Chat: chatemu.Options{Quirks: quirks, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }},
		Env:  map[string]string{"CHAT_QPS": "5000"},
	})
	return w, func() { ahead.Add(int64(3 * time.Minute)) }
}

// arriving are n messages of this moment, of which those at some places cannot be seen yet.
func arriving(n int, hidden ...int) []chatemu.Message {
	messages := make([]chatemu.Message, n)
	for i := range messages {
		messages[i].Time = time.Now().Unix()
		if slices.Contains(hidden, i) {
			messages[i].HideFor = time.Minute
		}
	}
	return messages
}

// lateShapes are the ways in which a message that is on its way may show.
func lateShapes() map[string]chatemu.Quirks {
	return map[string]chatemu.Quirks{
		"placeholder":         {},
		"left out":            {Late: chatemu.HoleIsOmitted},
		"left out, counted":   {Late: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"left out, pages cut": {Late: chatemu.HoleIsOmitted, PageBytes: 1 << 10},
	}
}

func TestMessagesThatAreStillArrivingAreTakenByALaterTick(t *testing.T) {
	t.Parallel()
	for name, quirks := range lateShapes() {
		for _, tc := range []struct {
			what     string
			old      int
			arriving []chatemu.Message
			head     chat.Seq // of the first tick
		}{
			{"the newest", 30, arriving(1, 0), 30},
			{"one among the newest", 30, arriving(6, 1), 31},
			{"several", 30, arriving(12, 3, 4, 9), 33},
			{"far below the newest", 30, arriving(40, 0), 30},
			{"one of a long history", 500, arriving(25, 4), 504},
			{"the first of a group", 0, arriving(3, 0), 0},
			{"one of a new group", 0, arriving(5, 2), 2},
		} {
			t.Run(tc.what+" "+name, func(t *testing.T) {
				t.Parallel()
				w, reveal := lateWorld(t, quirks)
				s := addGroup(t, w, "g", 1, 0, nil)
				must(t, w.Chat.Append(s, old(tc.old)...))
				for i := range tc.arriving {
					tc.arriving[i].Time = time.Now().Unix() // this test may have waited for its turn
				}
				must(t, w.Chat.Append(s, tc.arriving...))
				w.Tick(s)
				// Where a hidden newest message is left out, the one below it is the newest, and old or young as it is.
				if got := state(t, w, s); max(got.Frontier, 1) != tc.head+1 || got.Status != archive.StatusComplete {
					t.Errorf("first tick: state %+v, want a frontier of %d", got, tc.head+1)
				}
				reveal()
				w.Tick(s)
				if report := proved(t, w, s); report.Hi != chat.Seq(tc.old+len(tc.arriving)) || report.Totals.Placeholders+report.Totals.Absent != 0 {
					t.Errorf("later tick: archived up to %d, %+v", report.Hi, report.Totals)
				}
			})
		}
	}
}

// A hole that stays is archived as such once the newest message is old, or 40 newer ones have come.
func TestHolesAmongTheNewestAreFinalAfterAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{})
	deleted := chatemu.Message{Kind: chatemu.KindDeleted, Time: time.Now().Unix()}
	aged, passed, recalled := addGroup(t, w, "aged", 1, 0, nil), addGroup(t, w, "passed", 1, 0, nil), addGroup(t, w, "recalled", 1, 0, nil)
	for _, s := range []chat.Stream{aged, passed} {
		must(t, w.Chat.Append(s, old(30)...))
		must(t, w.Chat.Append(s, deleted))
		must(t, w.Chat.Append(s, arriving(39)...))
		w.Tick(s)
		if got := state(t, w, s).Frontier; got != 31 {
			t.Errorf("%s: the frontier is %d while the hole may be on its way, want 31", s, got)
		}
	}
	must(t, w.Chat.Append(aged, old(1)...)) // the newest message is old now
	must(t, w.Chat.Append(passed, arriving(1)...))
	must(t, w.Chat.Append(recalled, arriving(20)...))
	must(t, w.Chat.Recall(recalled, 7, 20))
	for _, s := range []chat.Stream{aged, passed, recalled} {
		w.Tick(s)
		_, newest, err := w.Chat.Bounds(s)
		must(t, err)
		if report := proved(t, w, s); report.Hi != newest {
			t.Errorf("%s: archived up to %d of %d", s, report.Hi, newest)
		}
	}
}

func TestTheHeadOfARunIsFrozen(t *testing.T) {
	t.Parallel()
	const n = 6000
	w := world.New(t, world.Options{TimeLimit: 3 * time.Second, Env: map[string]string{"EXPORT_SPAN": "300", "CHAT_QPS": "100"}})
	s := addGroup(t, w, "g", 1, n, plain)
	w.Chat.SetOnCall(func(c chatemu.Call) {
		if c.Query.HasSeq && c.N%10 == 0 {
			must(t, w.Chat.Append(s, old(1)...))
		}
	})
	batches := w.Tick(s)
	w.Chat.SetOnCall(nil)
	report := sound(t, w, s)
	if report.Hi != n || report.Finished != archive.StatusComplete || batches < 2 {
		t.Errorf("after %d batches archived up to %d, %q, want up to the head of the first batch", batches, report.Hi, report.Finished)
	}
	if m := manifest(t, w, s, 1); m.Head != n || m.Hi != n {
		t.Errorf("manifest has hi %d and head %d", m.Hi, m.Head)
	}
	w.Tick(s)
	proved(t, w, s)
}

func TestDeletedNewestMessagesAreNothingNew(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{
		"placeholders":      {},
		"left out":          {Holes: chatemu.HoleIsOmitted},
		"left out, counted": {Holes: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, from := range []chat.Seq{100, 95, 81, 40, 1} { // deleted from here on
				w := newWorld(t, quirks)
				s := addGroup(t, w, "g", 1, 100, plain)
				w.Tick(s)
				before := snapshot(t, w)
				for seq := from; seq <= 100; seq++ {
					must(t, w.Chat.Delete(s, seq))
				}
				w.Tick(s)
				unchanged(t, w, before)
				if got := state(t, w, s); got.Status != archive.StatusComplete || got.Frontier != 101 {
					t.Errorf("deleted from %d: state %+v", from, got)
				}
				must(t, w.Chat.Append(s, old(3)...))
				w.Tick(s)
				if report := sound(t, w, s); report.Hi != 103 || report.Totals.Messages != 103 {
					t.Errorf("deleted from %d: archived up to %d, %+v", from, report.Hi, report.Totals)
				}
			}
		})
	}
}
