package invocation_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// lookWithCrash archives a small stream, lets it change, and looks at it, with a crash on the way of the look. It returns what the
// looks tell.
func lookWithCrash(t *testing.T, c *crash) (told []string, chatCalls int) {
	t.Helper()
	s := newSite(t, world.Options{
		Queue: cloudemu.QueueOptions{Delay: func(int) time.Duration { return time.Minute }},
		Wrap:  c.wrap, TimeLimit: 2 * time.Second,
		Chat: chatemu.Options{Latency: 200 * time.Millisecond}, COS: cosemu.Options{Latency: 10 * time.Millisecond},
		Env: map[string]string{"EXPORT_SPAN": "40", "CHAT_CONCURRENCY": "1", "EXPORT_LOOK": "72h"},
	})
	stream := s.Group("@TGS#look", 100)
	c.rests(true)
	s.tick(stream)
	must(t, s.Chat.Recall(stream, 3, 55))
	must(t, s.Chat.Delete(stream, 20, 81))
	time.Sleep(72 * time.Hour)
	c.rests(false)
	before := s.Chat.Counters().Calls
	s.tick(stream)
	chatCalls = s.Chat.Counters().Calls - before
	c.rests(true)
	if state := s.state(stream); state.Status != archive.StatusComplete || state.Look == nil || state.Look.Frontier != 101 {
		t.Errorf("died at %s: the tick's deliveries end at %+v", c.victim, state.Look)
	}
	previous, next := "", chat.Seq(1)
	for next <= 100 {
		body, _, err := s.Store.Get(t.Context(), layout.Change(stream, next))
		if errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("died at %s: looks reach %d", c.victim, next)
			break
		}
		must(t, err)
		m, err := archive.ReadChangeReceipt(bytes.NewReader(body), func(l archive.ChangeLine) error {
			told = append(told, fmt.Sprint(l.Seq, " ", l.Kind))
			return nil
		})
		must(t, err)
		if previous != "" && m.Previous != previous {
			t.Errorf("died at %s: the look at %d follows %s, not %s", c.victim, next, m.Previous, previous)
		}
		previous, next = m.SHA256, m.Hi+1
	}
	return told, chatCalls
}

// Wherever the process dies in a look, every message is looked at once, and little is asked for twice.
func TestCrash_AtEveryCallOfALookLeavesTheSameTrail(t *testing.T) {
	long(t)
	t.Parallel()
	var want []string
	var calls int
	undisturbed := &crash{}
	bubble(t, func(t *testing.T) { want, calls = lookWithCrash(t, undisturbed) })
	if len(want) != 4 {
		t.Fatalf("the undisturbed look tells %v", want)
	}
	points := 0
	for service, last := range maps.All(undisturbed.calls) {
		for at := 1; at <= last; at++ {
			for _, after := range []bool{false, true} {
				points++
				c := &crash{service: service, at: at, after: after}
				var got []string
				var n int
				bubble(t, func(t *testing.T) { got, n = lookWithCrash(t, c) })
				name := fmt.Sprintf("%s call %d (%s), after %v", service, at, c.victim, after)
				if diff := cmp.Diff(want, got); diff != "" || c.victim == "" {
					t.Errorf("%s: the trail differs (-want +got):\n%s", name, diff)
				}
				if extra := n - calls; extra > 12 {
					t.Errorf("%s: %d more calls of the Chat API than without a crash", name, extra)
				}
			}
		}
	}
	t.Logf("%d points, %v, %d calls of the Chat API", points, undisturbed.calls, calls)
}
