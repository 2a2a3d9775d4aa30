package invocation_test

import (
	"fmt"
	"testing"

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
func TestBrake_StreamThatFailsForGoodDoesNotComeBack(t *testing.T) {
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
