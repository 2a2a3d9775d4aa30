package invocation_test

import (
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/event"
)

// oneByOne makes runs of several batches.
func oneByOne() map[string]string { return map[string]string{"CHAT_CONCURRENCY": "1"} }

// Whoever may put an event into the queue can ask for an export, and cannot say how far it goes or that it failed.
func TestSeal_ForgedEventSteersNothing(t *testing.T) {
	t.Parallel()
	for name, forged := range map[string]event.Task{
		"a head far below":        {Continue: []byte(`{"head":40}`)},
		"a hop near 2^63":         {Continue: []byte(`{"run":"20261122T083000Z-0badcafe","hop":9223372036854775807}`)},
		"as many hops as allowed": {Continue: []byte(`{"run":"20261122T083000Z-0badcafe","hop":10000}`)},
		"a cursor":                {Continue: []byte(`{"cursor":401,"after":1,"head":400}`)},
		"an attempt too many":     {Attempt: []byte(`{"n":3}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				fault := breaks("@TGS#1", 6) // the first delivery
				if forged.Attempt == nil {
					fault = nil
				}
				s := newSite(t, world.Options{TimeLimit: 3 * time.Second, Env: oneByOne(), Chat: chatemu.Options{Latency: 100 * time.Millisecond, Fault: fault}})
				stream := s.Group("@TGS#1", 400)
				forged.GroupID, forged.V = stream.GroupID, event.Version
				for _, mac := range [][]byte{nil, event.NewSeal("another key", world.Bucket, "").Put(forged).MAC} {
					forged.MAC = mac
					body, err := forged.Encode()
					must(t, err)
					s.Push(body)
					s.drain()
					if err := s.sound(stream); err != nil {
						t.Error(err)
					}
				}
				if n := strings.Count(s.Logs.String(), "is not sealed"); n < 2 {
					t.Errorf("%d warnings", n)
				}
			})
		})
	}
}

// After a change of the key, the continuation of a run that was under way is the run's only event: the lease that it was
// handed over with does not stop it.
func TestSeal_RunGoesOnAfterAChangeOfTheKey(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 3 * time.Second, Env: oneByOne(), Chat: chatemu.Options{Latency: 100 * time.Millisecond}})
		stream := s.Group("@TGS#1", 2000)
		s.Push(s.Timer(stream))
		d, err := s.Queue.Next(t.Context())
		must(t, err)
		_, err = s.deliver(d)
		must(t, err)
		must(t, s.Queue.Ack(d.ID))
		d, err = s.Queue.Next(t.Context())
		must(t, err)
		must(t, s.Queue.Ack(d.ID))
		if lease := s.state(stream).Lease; lease == nil || !lease.Until.After(time.Now()) {
			t.Fatalf("the hand-over left the lease %+v", lease)
		}
		next := event.Decode(d.Payload).Tasks[0]
		body, err := event.NewSeal("the key before", world.Bucket, "").Put(next).Encode()
		must(t, err)
		s.Push(body)
		s.drain()
		if err := s.sound(stream); err != nil {
			t.Error(err, s.outcomes(stream.GroupID))
		}
	})
}

func TestSeal_ForgedSweepIsATick(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		streams := []chat.Stream{s.Group("one", 30), s.Group("two", 30)}
		body, err := event.Task{Sweep: []byte(`{}`), V: event.Version, Continue: []byte(`{"id":"20261122T083000Z-0badcafe","batch":0}`)}.Encode()
		must(t, err)
		s.Push(body)
		s.drain()
		for _, stream := range streams {
			if err := s.sound(stream); err != nil {
				t.Error(err)
			}
		}
	})
}
