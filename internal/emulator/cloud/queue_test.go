package cloudemu_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestQueueDeliversInOrderUntilAcknowledged(t *testing.T) {
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

func TestQueueDeliversAFailedEventTwiceMoreAndThenBuriesIt(t *testing.T) {
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

func TestQueueServesNewEventsWhileAFailedOneWaits(t *testing.T) {
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

func TestNextWaitsForAnEventOrForTheEndOfItsContext(t *testing.T) {
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

func TestNextOrDrainedWaitsForWhatIsUnderWay(t *testing.T) {
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

func TestAQueueOnDiskSurvivesItsProcess(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "queue")
	open := func() *cloudemu.Queue {
		q, err := cloudemu.OpenQueue(folder, cloudemu.QueueOptions{Retries: 1})
		must(t, err)
		return q
	}
	q := open()
	push(t, q, "served", "under way", "failed once", "dead", "never\xfftouched")
	must(t, q.Ack(next(t, q).ID))
	underway := next(t, q)
	must(t, q.Nack(next(t, q).ID, "x"))
	dead := next(t, q)
	must(t, q.Nack(dead.ID, "x"))
	for range 3 { // the last of them is dead's second attempt
		d := next(t, q)
		if d.ID == dead.ID {
			must(t, q.Nack(d.ID, "y"))
		}
	}

	// What a crash leaves behind must not be taken for an event.
	must(t, os.WriteFile(filepath.Join(folder, "0000000000000000009-x.json.part"), []byte("{"), 0o600))
	q = open()
	var got []string
	for {
		d, err := q.NextOrDrained(t.Context())
		if errors.Is(err, cloudemu.ErrDrained) {
			break
		}
		must(t, err)
		got = append(got, string(d.Payload))
		if string(d.Payload) == "under way" && (d.ID != underway.ID || d.RequestID != underway.RequestID || d.Attempt != 1) {
			t.Errorf("what was under way came back as %+v", d)
		}
		if string(d.Payload) == "failed once" && d.Attempt != 2 {
			t.Errorf("what had failed once came back as attempt %d", d.Attempt)
		}
		must(t, q.Ack(d.ID))
	}
	if diff := cmp.Diff([]string{"under way", "failed once", "never\xfftouched"}, got); diff != "" {
		t.Errorf("events of the second process (-want +got):\n%s", diff)
	}
	if letters := open().Dead(); len(letters) != 1 || letters[0].Reason != "y" || string(letters[0].Payload) != "dead" {
		t.Errorf("dead letters %+v", letters)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	must(t, err)
	if len(files) != 1 { // the folder of dead letters
		t.Errorf("a drained queue keeps %q", files)
	}
	push(t, q, "new")
	if d := next(t, open()); string(d.Payload) != "new" {
		t.Errorf("got %q", d.Payload)
	}
}

func TestOpenQueueRefusesForeignFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "notes.json"), []byte(`{"a":1}`), 0o600))
	if _, err := cloudemu.OpenQueue(folder, cloudemu.QueueOptions{}); err == nil {
		t.Error("a foreign file was taken for an event")
	}
}
