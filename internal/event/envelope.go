package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"chatexport/internal/logging"
)

// isTimer requires a second member of the timer's event, so that a task with a member "Type" stays a task.
func isTimer(envelope members) bool {
	kind, _ := text(envelope["Type"])
	_, message := envelope["Message"]
	_, trigger := envelope["TriggerName"]
	return strings.EqualFold(kind, "timer") && (message || trigger)
}

func (e *Event) addTimer(raw []byte, envelope members) {
	e.Kind = KindTimer
	name, _ := text(envelope["TriggerName"])
	source := "timer " + logging.Line(name, maxName)
	body, err := bodyOf(envelope["Message"])
	if err == nil && len(trim(body)) == 0 {
		err = fmt.Errorf("%w: the timer's message is empty; set the trigger's argument to a task, such as {\"group_id\": \"...\"} or a bare group id", ErrInvalid)
	}
	if err != nil {
		e.reject(0, source, raw, err)
		return
	}
	e.add(0, source, body)
}

// record is one record of a queue's event. Only the body decides anything; the rest tells a person where it came from.
type record struct {
	kind   Kind
	source string
	body   []byte
}

func (e *Event) addRecords(raw []byte, envelope members) {
	e.Kind = KindCMQ
	var list []json.RawMessage
	switch err := json.Unmarshal(envelope["Records"], &list); {
	case err != nil:
		e.reject(0, "", raw, fmt.Errorf("%w: Records is not an array", ErrInvalid))
	case len(list) == 0:
		e.reject(0, "", raw, fmt.Errorf("%w: Records is empty", ErrInvalid))
	}
	for n, item := range list {
		r, err := readRecord(item)
		if r.kind == KindCKafka {
			e.Kind = KindCKafka // an error would block its partition, whatever else the event holds
		}
		if err != nil {
			e.reject(n, r.source, item, err)
			continue
		}
		e.add(n, r.source, r.body)
	}
}

func readRecord(item json.RawMessage) (r record, err error) {
	envelope, err := object(item)
	if err != nil {
		return r, fmt.Errorf("a record: %w", err)
	}
	var value json.RawMessage
	for name := range envelope {
		for _, kind := range []Kind{KindCMQ, KindCKafka} {
			if strings.EqualFold(name, string(kind)) {
				if value != nil {
					return r, fmt.Errorf("a record of two queues: %w", errTwice)
				}
				r.kind, r.source, value = kind, string(kind), envelope[name]
			}
		}
	}
	if value == nil {
		return r, fmt.Errorf("%w: a record is neither of CMQ nor of CKafka", ErrInvalid)
	}
	m, err := object(value)
	if err != nil {
		return r, fmt.Errorf("the %s member of a record: %w", r.kind, err)
	}
	r.source = sourceOf(r.kind, m)
	r.body, err = bodyOf(m["msgBody"])
	return r, err
}

// maxName is the most of a name from outside that a source repeats, in bytes.
const maxName = 128

// sourceOf reads leniently: the platform's own pages disagree about the types (topicOwner is a number or a string, msgTag
// a string, an array or null), and write partition in two ways.
func sourceOf(kind Kind, m members) string {
	names := []string{"topicOwner", "topicName", "subscriptionName", "msgId", "requestId"}
	if kind == KindCKafka {
		names = []string{"topic", "partition", "Partition", "offset"}
	}
	var b strings.Builder
	b.WriteString(string(kind))
	for _, name := range names {
		if value, ok := text(m[name]); ok && value != "" {
			fmt.Fprintf(&b, " %s %s", name, logging.Line(value, maxName))
		}
	}
	return b.String()
}

// bodyOf returns the text of a body. A producer that wrote JSON where a string belongs is understood, too.
func bodyOf(raw json.RawMessage) ([]byte, error) {
	switch {
	case !utf8.Valid(raw):
		return nil, errNotUTF8
	case !present(raw):
		return nil, nil // an empty task, which ParseTask refuses
	case raw[0] != '"':
		return raw, nil
	}
	var body string
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, fmt.Errorf("%w: the body is not a string", ErrInvalid)
	}
	return []byte(body), nil
}
