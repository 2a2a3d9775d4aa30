package cloudemu

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrDrained is returned by NextOrDrained when nothing is queued, waiting or under way.
var ErrDrained = errors.New("queue is drained")

// Delivery is one attempt to deliver an event.
type Delivery struct {
	ID        string // of the event, the same in every attempt
	RequestID string // what the function sees
	Payload   []byte // must not be changed
	Attempt   int    // from 1
}

// DeadLetter is an event that failed in its last attempt.
type DeadLetter struct {
	Delivery

	Reason string
}

// QueueOptions say how events are delivered again. The zero value is the platform's default without its waiting.
type QueueOptions struct {
	// Retries is how often an event that failed is delivered again; 0 means 2, the platform's default, negative none.
	Retries int
	// Delay is how long a failed event waits after its attempt; nil means not at all (the platform: one minute).
	Delay func(attempt int) time.Duration
	// SameRequestID keeps the request id in every attempt. The documentation does not say which the platform does, so
	// the function must work with either.
	SameRequestID bool
}

// Queue is the platform's queue of asynchronous events: at least once, in order of arrival but for retries. It is safe
// for concurrent use.
type Queue struct {
	options QueueOptions

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever something may be had
	queued   []*entry      // in order of delivery
	underway map[string]*entry
	dead     []DeadLetter
}

type entry struct {
	Delivery

	notBefore time.Time
}

// NewQueue returns an empty queue.
func NewQueue(options QueueOptions) *Queue {
	return &Queue{options: options, changed: make(chan struct{}), underway: make(map[string]*entry)}
}

// Push queues an event and returns its id. The error is always nil.
func (q *Queue) Push(payload []byte) (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := &entry{Delivery: Delivery{ID: newID(), RequestID: newID(), Payload: slices.Clone(payload), Attempt: 1}}
	q.queued = append(q.queued, e)
	q.wake()
	return e.ID, nil
}

// Next waits for an event, or for the end of ctx. Whoever gets a delivery must give it to Ack or to Nack.
func (q *Queue) Next(ctx context.Context) (Delivery, error) { return q.next(ctx, false) }

// NextOrDrained is Next, but returns ErrDrained as soon as nothing is queued, waiting or under way, so that nothing can
// come any more from those who serve the queue.
func (q *Queue) NextOrDrained(ctx context.Context) (Delivery, error) { return q.next(ctx, true) }

func (q *Queue) next(ctx context.Context, untilDrained bool) (Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Delivery{}, context.Cause(ctx)
		}
		e, wait, changed := q.take()
		if e != nil {
			return e.Delivery, nil
		}
		if wait == 0 && untilDrained && q.drained() {
			return Delivery{}, ErrDrained
		}
		if err := await(ctx, wait, changed); err != nil {
			return Delivery{}, err
		}
	}
}

// take returns the first event that may be delivered; otherwise how long the first one waits (0: there is none) and
// what is closed at the next change.
func (q *Queue) take() (*entry, time.Duration, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	var wait time.Duration
	for i, e := range q.queued {
		left := e.notBefore.Sub(now)
		if left <= 0 {
			q.queued = slices.Delete(q.queued, i, i+1)
			q.underway[e.ID] = e
			return e, 0, nil
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return nil, wait, q.changed
}

func (q *Queue) drained() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queued) == 0 && len(q.underway) == 0
}

func await(ctx context.Context, wait time.Duration, changed <-chan struct{}) error {
	var ring <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		ring = timer.C
	}
	select {
	case <-changed:
	case <-ring:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// Ack says that an event was served.
func (q *Queue) Ack(id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, ok := q.underway[id]; !ok {
		return fmt.Errorf("acknowledge event %s: it is not under way", id)
	}
	delete(q.underway, id)
	q.wake()
	return nil
}

// Nack says that serving an event failed: it will be delivered again, or after its last attempt becomes a dead letter.
func (q *Queue) Nack(id, reason string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, ok := q.underway[id]
	if !ok {
		return fmt.Errorf("refuse event %s: it is not under way", id)
	}
	if e.Attempt > q.retries() {
		q.dead = append(q.dead, DeadLetter{Delivery: e.Delivery, Reason: reason})
	} else {
		again := *e
		again.Attempt++
		if !q.options.SameRequestID {
			again.RequestID = newID()
		}
		if q.options.Delay != nil {
			again.notBefore = time.Now().Add(q.options.Delay(e.Attempt))
		}
		q.queued = append(q.queued, &again)
	}
	delete(q.underway, id)
	q.wake()
	return nil
}

// Len returns how many events are queued or waiting, and how many are under way.
func (q *Queue) Len() (queued, underway int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queued), len(q.underway)
}

// Queued returns what would be delivered, in order. The payloads must not be changed.
func (q *Queue) Queued() []Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	deliveries := make([]Delivery, 0, len(q.queued))
	for _, e := range q.queued {
		deliveries = append(deliveries, e.Delivery)
	}
	return deliveries
}

// Dead returns the events that failed for good, in that order.
func (q *Queue) Dead() []DeadLetter {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.dead)
}

func (q *Queue) retries() int {
	const platformDefault = 2 // SCF documentation, 583/41138
	if q.options.Retries == 0 {
		return platformDefault
	}
	return max(0, q.options.Retries)
}

func (q *Queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// newID returns an id that looks like the platform's.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
