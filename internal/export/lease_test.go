package export_test

import (
	"errors"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/memstore"
)

// A tick leaves the stream to the holder of the lease, at the cost of one read.
func TestLease_TickLeavesTheStreamToItsHolder(t *testing.T) {
	play(t, 200, func(s *scene) {
		calls := 0
		count := turn{before: func(memstore.Call) memstore.Fault { calls++; return memstore.Fault{} }}
		s.done(export.Complete, turn{before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			before := s.chat.Counters().Calls
			s.done(export.AlreadyRunning, count)
			if asked := s.chat.Counters().Calls - before; asked != 0 || calls != 1 {
				s.Errorf("a tick beside a running batch made %d calls of the service and %d of the store, want 0 and 1", asked, calls)
			}
			return memstore.Fault{}
		})})
		// A run that waits in the queue keeps the lease for as long as a continuation may take, and no longer.
		s.grow(old(400)...)
		s.done(export.Continued, part())
		time.Sleep(9 * time.Minute)
		s.done(export.AlreadyRunning, turn{})
		time.Sleep(2 * time.Minute)
		s.tick()
		s.finish()
		s.whole()
	})
}

func TestLease_StopsOtherEventsWithoutACursor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lease archive.Lease // Until is set from until
		until time.Duration
		cont  *export.Continuation
		want  export.Outcome
	}{
		"another event's":                 {until: 15 * time.Minute, lease: archive.Lease{Owner: "other"}, want: export.AlreadyRunning},
		"of this event, whose batch died": {until: time.Minute, lease: archive.Lease{Owner: "event"}, want: export.Complete},
		"that is over":                    {until: -time.Second, lease: archive.Lease{Owner: "other"}, want: export.Complete},
		"of a broken clock":               {until: 16 * time.Minute, lease: archive.Lease{Owner: "other"}, want: export.Complete},
		"before a continuation": {
			until: time.Minute, lease: archive.Lease{Owner: "other"}, want: export.Complete, cont: &export.Continuation{Cursor: 101, After: 51},
		},
	} {
		act(t, name, 100, func(s *scene) {
			s.tick()
			s.grow(old(20)...)
			state := s.state()
			state.Lease = &tc.lease
			state.Lease.Until = time.Now().Add(tc.until)
			s.setState(state)
			s.done(tc.want, turn{owner: "event", cont: tc.cont})
		})
	}
}

// The winner of a race dies, and its event is a tick: the lease that the loser's chain has left must not stop it.
func TestLease_LoserOfARaceTakesItsOwnAlong(t *testing.T) {
	play(t, 600, func(s *scene) {
		next := s.begun(part())
		s.done(export.LostRace, turn{cont: next, before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			time.Sleep(1100 * time.Millisecond)
			r, err := s.batch(turn{
				cont: next, before: diesAfter(layout.Chunk(s.stream, next.Cursor)),
				handOver: func(export.Continuation) error { return errors.New("killed") },
			})
			if err == nil || r.Chunks != 1 {
				s.Errorf("the winner was to die after one chunk, it has %d, %v", r.Chunks, err)
			}
			return memstore.Fault{}
		})})
		s.tick()
		s.whole()
	})
}

func TestLease_LoserOfARaceLeavesTheWinners(t *testing.T) {
	play(t, 1000, func(s *scene) {
		next := s.begun(part())
		s.done(export.LostRace, turn{owner: "hop 1", cont: next, before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			time.Sleep(1100 * time.Millisecond)
			winner := part()
			winner.owner, winner.cont = "hop 1", next
			s.done(export.Continued, winner)
			return memstore.Fault{}
		})})
		s.done(export.AlreadyRunning, turn{})
		s.finish()
		s.whole()
	})
}
