package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"chatexport/internal/chat"
)

const (
	// Version is the version of the continuations that this build writes and the only one that it reads.
	Version = 1

	// MaxTaskBytes is the most that Encode returns: an asynchronous event has at most 128 KB (SCF documentation,
	// 583/11637), and a queue wraps it into an envelope and escapes it once more.
	MaxTaskBytes = 100_000
)

// ErrTooLarge means that a task would not fit into an event.
var ErrTooLarge = errors.New("task exceeds the size of an event")

// Task is what one event, or one record of it, asks for: one group or topic, several of them, or a sweep.
type Task struct {
	GroupID string        `json:"group_id,omitempty"`
	TopicID string        `json:"topic_id,omitempty"` // of GroupID; empty for a plain group
	Groups  []chat.Stream `json:"groups,omitempty"`   // instead of GroupID
	// Sweep is the JSON object of a sweep as it came; its content is package sweep's. It is empty for other tasks.
	Sweep json.RawMessage `json:"sweep,omitempty"`
	// V is Version in tasks that the function wrote itself, usually 0 in others.
	V int `json:"v,omitempty"`
	// Continue is what a batch tells the next one, and Attempt what an invocation tells the next one of a task that failed:
	// JSON of whoever wrote it, as base64, since queues write JSON anew. Both are nil in a tick, in a queue's task and in a
	// manual one.
	Continue []byte `json:"continue,omitempty"`
	Attempt  []byte `json:"attempt,omitempty"`
	// MAC proves that the function wrote the two: see Seal. Nobody believes them without it.
	MAC []byte `json:"mac,omitempty"`

	// Record is the index of the record that the task came in, as in Rejection.N; no part of the task's JSON.
	Record int `json:"-"`
}

// Own reports whether the task says that the function wrote it itself: a continuation, or a task that failed and is tried again.
func (t Task) Own() bool { return len(t.Continue) > 0 || len(t.Attempt) > 0 }

// For returns the task that names one stream.
func For(s chat.Stream) Task { return Task{GroupID: s.GroupID, TopicID: s.TopicID} }

// Streams returns the streams that the task names, in order; none for a sweep.
func (t Task) Streams() []chat.Stream {
	if t.GroupID != "" {
		return []chat.Stream{{GroupID: t.GroupID, TopicID: t.TopicID}}
	}
	return t.Groups
}

// Encode returns the task as the payload of an event, at most MaxTaskBytes long; otherwise the error is ErrTooLarge.
// ParseTask reads it back unchanged.
func (t Task) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // ids may hold & and <; escaped they would only be longer
	if err := enc.Encode(t); err != nil {
		return nil, fmt.Errorf("encode task: %w", err)
	}
	payload := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(payload) > MaxTaskBytes {
		return nil, fmt.Errorf("encode task: %w: %d bytes, at most %d", ErrTooLarge, len(payload), MaxTaskBytes)
	}
	return payload, nil
}
