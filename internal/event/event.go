// Package event turns what the platform delivers into tasks.
//
// It owns the contract of events (README.md, Events): the envelopes of the timer, of CMQ and of CKafka, the task, and the
// function's own continuations. It must never fail or panic on a payload (an event that cannot be understood is
// an outcome, and an error would make the platform deliver it again), do I/O, or put a payload into an error's text.
package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

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

	// maxDepth is far deeper than any event that can mean something; deeper ones are refused before they are decoded.
	maxDepth = 100
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

// Streams returns the streams that all tasks of the event name, in order and without duplicates.
func (e Event) Streams() []chat.Stream {
	var streams []chat.Stream
	for _, t := range e.Tasks {
		streams = append(streams, t.Streams()...)
	}
	return streams
}

// Decode reads an event. It never fails: what cannot be understood is in Rejected.
//
// A group that the event names more than once is in one task only; a continuation of its own run counts as another
// group, so that neither hides the other.
func Decode(raw []byte) Event {
	e := Event{Kind: KindInvoke}
	if len(raw) > MaxEventBytes {
		e.reject(0, "", raw, fmt.Errorf("%w: event has %d bytes, at most %d are allowed", ErrInvalid, len(raw), MaxEventBytes))
		return e
	}
	if depth(raw) > maxDepth {
		e.reject(0, "", raw, errDepth)
		return e
	}
	members, ok := object(raw)
	switch {
	case ok && present(members["Records"]):
		e.addRecords(raw, members["Records"])
	case ok && isTimer(members):
		e.Kind = KindTimer
		e.addTimer(raw, members)
	default:
		e.add(0, "", raw)
	}
	e.deduplicate()
	return e
}

// isTimer requires a second member of the timer's event, so that a task with a member "Type" stays a task.
func isTimer(members map[string]json.RawMessage) bool {
	kind, _ := text(members["Type"])
	_, message := members["Message"]
	_, trigger := members["TriggerName"]
	return strings.EqualFold(kind, "timer") && (message || trigger)
}

func (e *Event) addTimer(raw []byte, members map[string]json.RawMessage) {
	name, _ := text(members["TriggerName"])
	body, err := bodyOf(members["Message"])
	if err == nil && len(bytes.TrimSpace(body)) == 0 {
		err = fmt.Errorf("%w: the timer's message is empty; set the trigger's argument to a task, such as {\"group_id\": \"...\"} or a bare group id", ErrInvalid)
	}
	source := "timer " + printable(name)
	if err != nil {
		e.reject(0, source, raw, err)
		return
	}
	e.add(0, source, body)
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

// deduplicate leaves each group, each continuation and each sweep in the first task that names it.
func (e *Event) deduplicate() {
	seen := make(map[string]bool)
	first := func(parts ...any) bool {
		key := fmt.Sprintf("%q", parts)
		if seen[key] {
			return false
		}
		seen[key] = true
		return true
	}
	kept := e.Tasks[:0]
	for _, t := range e.Tasks {
		switch {
		case len(t.Sweep) > 0:
			encoded, err := t.Encode()
			if err == nil && !first("sweep", string(encoded)) {
				continue
			}
		case t.Own():
			if !first("continue", t.GroupID, t.TopicID, string(t.Continue), string(t.Attempt)) {
				continue
			}
		case t.GroupID != "":
			if !first("group", t.GroupID, t.TopicID) {
				continue
			}
		default:
			groups := make([]Group, 0, len(t.Groups))
			for _, g := range t.Groups {
				if first("group", g.GroupID, g.TopicID) {
					groups = append(groups, g)
				}
			}
			if len(groups) == 0 {
				continue
			}
			t.Groups = groups
		}
		kept = append(kept, t)
	}
	e.Tasks = kept
}

var (
	// ErrInvalid is wrapped by the reason of every rejection: the same payload can never be understood.
	ErrInvalid = errors.New("event cannot be understood")

	errDepth   = fmt.Errorf("%w: nested deeper than %d levels", ErrInvalid, maxDepth)
	errNotUTF8 = fmt.Errorf("%w: the body is not UTF-8", ErrInvalid)
)

// depth returns how deeply objects and arrays of raw are nested. It reads bytes only, so that hostile nesting costs
// nothing; for bytes that are not JSON the number means nothing.
func depth(raw []byte) int {
	var level, deepest int
	var quoted, escaped bool
	for _, c := range raw {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped = c == '\\'
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '{', c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}', c == ']':
			level--
		}
	}
	return deepest
}

// trim removes white space around a text, and the byte order mark that some editors and producers put in front of it.
func trim(raw []byte) []byte {
	return bytes.TrimFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || r == '\uFEFF' })
}

// object returns the members of a JSON object by their exact names: encoding/json would take any case for a struct.
func object(raw []byte) (map[string]json.RawMessage, bool) {
	raw = trim(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return nil, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil, false
	}
	return members, true
}

// present reports whether a member is there and not null.
func present(raw json.RawMessage) bool {
	return len(raw) > 0 && string(raw) != "null"
}

// text reads a string, or a number as it is written: ids and owners come as either.
func text(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	if raw[0] == '-' || (raw[0] >= '0' && raw[0] <= '9') {
		return string(raw), true
	}
	var s string
	if !utf8.Valid(raw) || !present(raw) || json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	return s, true
}
