package invocation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// poison makes every page of a group fail that holds seqs from a given one on.
func poison(groupID string, from chat.Seq) chatemu.FaultFunc {
	return chatemu.FaultIf(func(c chatemu.Call) bool {
		return c.Query.Stream.GroupID == groupID && (c.Query.Seq >= from || from == 0)
	}, chatemu.Fault{HTML: true})
}

// A batch that moves nothing publishes nothing: the platform's own deliveries end it, and a day of ticks tries again a
// bounded number of times. When the fault is mended, the next tick makes the archive whole.
func TestAStreamThatFailsForGoodDoesNotComeBackByItself(t *testing.T) {
	t.Parallel()
	for _, from := range []chat.Seq{0, 1, 201} { // nothing can be read; nothing by seq; nothing from the middle on
		t.Run(fmt.Sprintf("from seq %d", from), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "90"}})
				stream := s.Group("@TGS#1", 500)
				s.Chat.SetFault(poison(stream.GroupID, from))
				s.tick(stream)
				// A first batch may get on and hand over; its continuation then makes no progress.
				first := len(s.Cloud.Calls())
				if most := min(int(from)/100, 1); first > most {
					t.Errorf("%d continuations, want at most %d", first, most)
				}
				if dead := s.Queue.Dead(); len(dead) != 1 {
					t.Errorf("%d dead letters, want the one event that failed", len(dead))
				}
				calls, served := s.Chat.Counters().Calls, s.served
				const ticks = 24
				for range ticks {
					if s.tick(stream); t.Failed() {
						return
					}
				}
				if got := len(s.Cloud.Calls()) - first; got != 0 {
					t.Errorf("%d continuations without progress", got)
				}
				if got := s.served - served; got != 3*ticks {
					t.Errorf("%d deliveries in a day, want each tick and its 2 repetitions", got)
				}
				// Of one delivery: the newest page, the group's information, and a page for each of CHAT_CONCURRENCY workers,
				// with their repetitions.
				const perDelivery = 2 + 16*6
				if got := (s.Chat.Counters().Calls - calls) / (3 * ticks); got > perDelivery {
					t.Errorf("%d calls of the Chat API a delivery, want at most %d", got, perDelivery)
				}
				t.Logf("%d calls of the Chat API a delivery", (s.Chat.Counters().Calls-calls)/(3*ticks))
				if state := s.state(stream); state.Error == nil || state.Status == archive.StatusComplete || state.Lease != nil {
					t.Errorf("state %+v", state)
				}
				s.Chat.SetFault(nil)
				s.tick(stream)
				if err := s.sound(stream); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A run has at most EXPORT_MAX_HOPS continuations. It stops with a warning, and the next tick goes on from there.
func TestARunEndsAtItsHopLimitAndTheNextTickGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{
			TimeLimit: 2 * time.Second, Chat: chatemu.Options{Latency: 200 * time.Millisecond},
			Env: map[string]string{"EXPORT_SPAN": "100", "EXPORT_MAX_HOPS": "2", "CHAT_CONCURRENCY": "1"},
		})
		stream := s.Group("@TGS#1", 1000)
		for runs := 1; ; runs++ {
			batches, frontier := len(s.Logs.Batches()), s.state(stream).Frontier
			s.tick(stream)
			state := s.state(stream)
			if state.Status == archive.StatusComplete {
				if runs < 3 {
					t.Errorf("%d runs, want several", runs)
				}
				break
			}
			if got := len(s.Logs.Batches()) - batches; got != 3 {
				t.Fatalf("run %d has %d batches, want 3", runs, got)
			}
			if state.Status != archive.StatusFailed || state.Error == nil || state.Error.Code != "hop_limit" || state.Lease != nil {
				t.Fatalf("run %d ends with the state %+v", runs, state)
			}
			if state.Frontier <= frontier || runs > 20 {
				t.Fatalf("run %d gets from %d to %d", runs, frontier, state.Frontier)
			}
		}
		if err := s.sound(stream); err != nil || len(s.failures) > 0 {
			t.Error(err, s.failures)
		}
		if !strings.Contains(s.Logs.String(), "EXPORT_MAX_HOPS") {
			t.Error("no warning names EXPORT_MAX_HOPS")
		}
	})
}

// One group that always fails stops neither the others of its event nor the event: it is handed on by itself, a few
// times, and then recorded.
func TestAPoisonedGroupAmongManyIsPutAside(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		var streams []chat.Stream
		for i := range 7 {
			streams = append(streams, s.Group(fmt.Sprintf("@TGS#%d", i), 45))
		}
		bad := streams[2]
		s.Chat.SetFault(poison(bad.GroupID, 0))
		s.tick(streams...)
		for _, stream := range streams {
			if err := s.sound(stream); (err != nil) != (stream == bad) {
				t.Errorf("%s: %v", stream, err)
			}
		}
		// The event itself, and three attempts of the group by itself.
		if dead := s.Queue.Dead(); s.served != 4 || len(dead) > 0 || len(s.failures) > 0 {
			t.Errorf("%d deliveries, %d dead letters, failures %v", s.served, len(dead), s.failures)
		}
		if state := s.state(bad); state.Status != archive.StatusFailed || state.Error == nil || state.Lease != nil {
			t.Errorf("the state of the poisoned group is %+v", state)
		}
		before := s.served
		s.tick(streams...)
		if got := s.served - before; got != 4 {
			t.Errorf("the next tick has %d deliveries, want 4", got)
		}
		s.Chat.SetFault(nil)
		s.tick(streams...)
		if err := s.sound(bad); err != nil {
			t.Error(err)
		}
	})
}

// A continuation is believed only as far as the archive agrees with it: neither a wrong cursor nor a wrong head makes a
// hole, a second beginning, or a run that does not end.
func TestAForgedContinuationMakesNoHoleAndDoesNotCircle(t *testing.T) {
	t.Parallel()
	for _, next := range []string{
		`{"cursor": 400, "after": 301, "head": 500, "run": "20261122T083000Z-00000000", "hop": 1}`,
		`{"cursor": 261, "after": 201, "head": 280, "run": "20261122T083000Z-00000000", "hop": 1}`,
		`{"cursor": 4294967295, "after": 4294967294, "head": 4294967295, "run": "r", "hop": 1}`,
		`{"cursor": 101, "after": 1, "head": 4000000000, "run": "20261122T083000Z-00000000", "hop": 1}`,
		`{"cursor": 2, "after": 1, "head": 3, "run": "20261122T083000Z-00000000", "hop": 9999}`,
		`{"cursor": 1, "after": 0, "head": 0, "run": "", "hop": 0}`,
	} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "100"}})
				stream := s.Group("@TGS#1", 250)
				s.tick(stream)
				must(t, s.Chat.Append(stream, old(30)...))
				s.Push(own(t, stream.GroupID, next, ""))
				s.drain()
				if s.served > 5 {
					t.Errorf("%d deliveries", s.served)
				}
				s.tick(stream)
				if err := s.sound(stream); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
