package cloudemu_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	cloudemu "chatexport/internal/emulator/cloud"
)

func push(t *testing.T, q *cloudemu.Queue, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		if _, err := q.Push([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
}

func next(t *testing.T, q *cloudemu.Queue) cloudemu.Delivery {
	t.Helper()
	d, err := q.NextOrDrained(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestQueue_DeliversInOrderUntilAcknowledged(t *testing.T) {
	t.Parallel()
	q := cloudemu.NewQueue(cloudemu.QueueOptions{})
	push(t, q, "1", "2")
	first, second := next(t, q), next(t, q)
	if string(first.Payload) != "1" || string(second.Payload) != "2" || first.ID == second.ID || first.Attempt != 1 {
		t.Fatalf("got %+v, %+v", first, second)
	}
	must(t, q.Ack(second.ID))
	if err := q.Ack(second.ID); err == nil {
		t.Error("an event was acknowledged twice")
	}
	must(t, q.Ack(first.ID))
	if _, err := q.NextOrDrained(t.Context()); !errors.Is(err, cloudemu.ErrDrained) {
		t.Errorf("error %v, want ErrDrained", err)
	}
}

func TestQueue_DeliversAFailedEventTwiceMoreAndThenBuriesIt(t *testing.T) {
	t.Parallel()
	for _, same := range []bool{false, true} {
		q := cloudemu.NewQueue(cloudemu.QueueOptions{SameRequestID: same})
		push(t, q, "a")
		requests := make(map[string]bool)
		for attempt := 1; attempt <= 3; attempt++ {
			d := next(t, q)
			if d.Attempt != attempt {
				t.Errorf("attempt %d, want %d", d.Attempt, attempt)
			}
			requests[d.RequestID] = true
			must(t, q.Nack(d.ID, "broken"))
		}
		if _, err := q.NextOrDrained(t.Context()); !errors.Is(err, cloudemu.ErrDrained) {
			t.Errorf("error %v, want ErrDrained", err)
		}
		dead := q.Dead()
		if len(dead) != 1 || string(dead[0].Payload) != "a" || dead[0].Reason != "broken" || dead[0].Attempt != 3 {
			t.Errorf("dead letters %+v", dead)
		}
		if same != (len(requests) == 1) {
			t.Errorf("same request id %v: %d request ids", same, len(requests))
		}
	}
}

func TestQueue_ServesNewEventsWhileAFailedOneWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := cloudemu.NewQueue(cloudemu.QueueOptions{Delay: func(int) time.Duration { return time.Minute }})
		push(t, q, "a")
		began := time.Now()
		must(t, q.Nack(next(t, q).ID, "broken"))
		push(t, q, "b")
		b := next(t, q)
		if string(b.Payload) != "b" || time.Since(began) != 0 {
			t.Errorf("got %q after %v", b.Payload, time.Since(began))
		}
		must(t, q.Ack(b.ID))
		a := next(t, q)
		if string(a.Payload) != "a" || time.Since(began) != time.Minute {
			t.Errorf("got %q after %v", a.Payload, time.Since(began))
		}
	})
}

func TestQueue_NextWaitsForAnEventOrForTheEndOfItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := cloudemu.NewQueue(cloudemu.QueueOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() {
			<-time.After(time.Second)
			if _, err := q.Push([]byte("late")); err != nil {
				t.Error(err)
			}
		}()
		if d, err := q.Next(ctx); err != nil || string(d.Payload) != "late" {
			t.Errorf("got %q, error %v", d.Payload, err)
		}
		if _, err := q.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestQueue_NextOrDrainedWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := cloudemu.NewQueue(cloudemu.QueueOptions{})
		push(t, q, "a")
		a := next(t, q)
		go func() {
			<-time.After(time.Second)
			push(t, q, "follow-up")
			must(t, q.Ack(a.ID))
		}()
		if d := next(t, q); string(d.Payload) != "follow-up" {
			t.Errorf("got %q", d.Payload)
		}
	})
}
