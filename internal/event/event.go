// Package event turns what the platform delivers into tasks.
//
// It owns the contract of events (scripts/README.md, Events): the envelopes of the timer, of CMQ and of CKafka, and the task. It
// must never fail or panic on a payload (an event that cannot be understood is an outcome, and an error would make the
// platform deliver it again), do I/O, put a payload into an error's text, or know what the function tells itself.
package event

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"chatexport/internal/chat"
)

// Kind says how an event came. It decides what an error means for the queue behind it: CKafka blocks a partition.
type Kind string

// The kinds of events.
const (
	KindInvoke Kind = "invoke" // asynchronous or manual Invoke: the event is itself a task
	KindTimer  Kind = "timer"
	KindCMQ    Kind = "cmq"
	KindCKafka Kind = "ckafka"
)

const (
	// MaxEventBytes is the largest event that the platform delivers: a synchronous request, and with it a CKafka
	// batch, has at most 6 MB (SCF documentation, 583/11637). An asynchronous event has at most 128 KB.
	MaxEventBytes = 6 << 20

	// maxBodyBytes is the largest body of one record: CMQ allows 1 MB (TDMQ documentation, 1496/60993).
	maxBodyBytes = 1 << 20
)

// Event is what one delivery asks for. Tasks and Rejected may both be filled: a record that cannot be understood does
// not take the others with it.
type Event struct {
	Kind     Kind
	Tasks    []Task
	Rejected []Rejection
}

// Rejection is a part of an event that cannot be understood.
type Rejection struct {
	N      int    // index of the record in its event, 0 for events without records; unique in one event
	Source string // where a record came from (topic, message id, offset), for the person who looks for it; may be empty
	Body   []byte // the record's body, or the whole event; cut at 1 MB
	Reason error  // never contains content of the body
}

// Decode reads an event: its envelope first, if it has one, then the tasks. It never fails: what cannot be understood is
// in Rejected.
//
// A group that the event names more than once is in one task only; a continuation of its own run counts as another
// group, so that neither hides the other.
func Decode(raw []byte) Event {
	e := Event{Kind: KindInvoke}
	if len(raw) > MaxEventBytes {
		e.reject(0, "", raw, fmt.Errorf("%w: event has %d bytes, at most %d are allowed", ErrInvalid, len(raw), MaxEventBytes))
		return e
	}
	envelope, err := object(raw)
	switch {
	case err != nil && !errors.Is(err, errNoObject):
		e.reject(0, "", raw, err)
	case envelope.has("Records"):
		e.addRecords(raw, envelope)
	case isTimer(envelope):
		e.addTimer(raw, envelope)
	default:
		e.add(0, "", raw)
	}
	e.deduplicate()
	return e
}

func (e *Event) add(n int, source string, body []byte) {
	t, err := ParseTask(body)
	if err != nil {
		e.reject(n, source, body, err)
	}
	if len(t.Streams()) > 0 || len(t.Sweep) > 0 {
		t.Record = n
		e.Tasks = append(e.Tasks, t)
	}
}

func (e *Event) reject(n int, source string, body []byte, reason error) {
	e.Rejected = append(e.Rejected, Rejection{N: n, Source: source, Body: bytes.Clone(body[:min(len(body), maxBodyBytes)]), Reason: reason})
}

// deduplicate leaves each group, each continuation and each sweep in the first task that names it. A forged copy of a
// continuation is another one.
func (e *Event) deduplicate() {
	seen := make(map[[6]string]bool)
	again := func(t Task) bool {
		key := [...]string{t.GroupID, t.TopicID, string(t.Sweep), string(t.Continue), string(t.Attempt), string(t.MAC)}
		before := seen[key]
		seen[key] = true
		return before
	}
	kept := e.Tasks[:0]
	for _, t := range e.Tasks {
		several := len(t.Groups) > 0
		t.Groups = slices.DeleteFunc(t.Groups, func(s chat.Stream) bool { return again(For(s)) })
		if several && len(t.Groups) > 0 || !several && !again(t) {
			kept = append(kept, t)
		}
	}
	e.Tasks = kept
}
