package invocation_test

import (
	"fmt"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	"chatexport/internal/emulator/world"
)

// The queue drops a continuation: ticks leave the stream alone while the lease of the hand-over lasts, the first one
// after that goes on, and nothing is pulled twice but for the newest page.
func TestALostRunHealsAtTheFirstTickAfterTheLease(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{
			TimeLimit: 3 * time.Second, Chat: chatemu.Options{Latency: 100 * time.Millisecond, KeepCalls: -1},
			Env: map[string]string{"EXPORT_SPAN": "100", "CHAT_CONCURRENCY": "2"},
		})
		stream := s.Group("@TGS#1", 900)
		s.Push(s.Timer(stream))
		d, err := s.Queue.Next(t.Context())
		must(t, err)
		_, err = s.deliver(d)
		must(t, err)
		must(t, s.Queue.Ack(d.ID))
		lost, err := s.Queue.Next(t.Context())
		must(t, err)
		must(t, s.Queue.Ack(lost.ID)) // acknowledged, and never delivered
		before := s.state(stream)
		if before.Lease == nil || before.Status != archive.StatusRunning || before.Frontier < 101 {
			t.Fatalf("after the first batch the state is %+v", before)
		}

		calls := s.Chat.Counters().Calls
		time.Sleep(5 * time.Minute)
		s.Push(s.Timer(stream))
		s.drain()
		if got := s.Chat.Counters().Calls; got != calls {
			t.Errorf("%d calls of the Chat API during the lease", got-calls)
		}
		if after := s.state(stream); after.Frontier != before.Frontier || after.Lease == nil {
			t.Errorf("a tick during the lease left the state %+v", after)
		}

		time.Sleep(time.Until(before.Lease.Until) + time.Second)
		s.Push(s.Timer(stream))
		s.drain()
		if err := s.sound(stream); err != nil {
			t.Error(err)
		}
		// Pages of the first run lie below the frontier; afterwards nothing below it is asked for.
		for _, c := range s.Chat.Calls() {
			if c.N > calls && c.Query.HasSeq && c.Query.Seq < before.Frontier {
				t.Errorf("call %d asks for seq %d again; the frontier was %d", c.N, c.Query.Seq, before.Frontier)
			}
		}
	})
}

// A run that loses its continuation behind a crash pulls at most one chunk twice: what was under way.
func TestARunThatDiesPullsAtMostWhatWasUnderWayTwice(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		const span, n = 100, 1200
		s := newSite(t, world.Options{
			TimeLimit: 4 * time.Second, Chat: chatemu.Options{Latency: 100 * time.Millisecond, KeepCalls: -1},
			Env: map[string]string{"EXPORT_SPAN": fmt.Sprint(span), "CHAT_CONCURRENCY": "1"},
			// Every delivery of the event fails: the platform drops it after its last attempt.
			Queue: cloudemu.QueueOptions{Retries: -1},
		})
		stream := s.Group("@TGS#1", n)
		s.began = func(p *world.Process) { time.AfterFunc(1900*time.Millisecond, p.Kill) }
		s.tick(stream)
		if dead := s.Queue.Dead(); len(dead) != 1 || s.killed != 1 {
			t.Fatalf("%d dead letters, %d kills", len(dead), s.killed)
		}
		s.began = nil
		chunks, _ := s.chain(stream)
		frontier := chunks[len(chunks)-1].Hi + 1
		calls := s.Chat.Counters().Calls
		highest := chat.Seq(0)
		for _, c := range s.Chat.Calls() {
			highest = max(highest, c.Query.Seq)
		}
		s.tick(stream)
		if err := s.sound(stream); err != nil {
			t.Error(err)
		}
		for _, c := range s.Chat.Calls() {
			if c.N > calls && c.Query.HasSeq && c.Query.Seq < frontier {
				t.Errorf("call %d asks for seq %d again; %d was archived", c.N, c.Query.Seq, frontier-1)
			}
		}
		t.Logf("archived up to %d and pulled up to %d when the process died", frontier-1, highest)
		if highest-frontier+1 > 2*span {
			t.Errorf("pulled up to %d, archived up to %d: more than two chunks were under way", highest, frontier-1)
		}
	})
}
