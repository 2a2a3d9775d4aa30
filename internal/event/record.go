package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// record is one record of a queue's event. Only the body decides anything; the rest tells a person where it came
// from, and is kept raw because the platform's own pages disagree about the types: topicOwner is a number or a
// string, msgTag a string, an array or null, partition is written in two ways.
type record struct {
	kind   Kind
	source string
	body   json.RawMessage
}

func (e *Event) addRecords(raw []byte, records json.RawMessage) {
	e.Kind = KindCMQ
	var list []json.RawMessage
	if err := json.Unmarshal(records, &list); err != nil {
		e.reject(0, "", raw, fmt.Errorf("%w: Records is not an array", ErrInvalid))
		return
	}
	if len(list) == 0 {
		e.reject(0, "", raw, fmt.Errorf("%w: Records is empty", ErrInvalid))
		return
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
		body, err := bodyOf(r.body)
		if err != nil {
			e.reject(n, r.source, item, err)
			continue
		}
		e.add(n, r.source, body)
	}
}

func readRecord(item json.RawMessage) (record, error) {
	members, ok := object(item)
	if !ok {
		return record{}, fmt.Errorf("%w: a record is not an object", ErrInvalid)
	}
	for _, kind := range []Kind{KindCKafka, KindCMQ} {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if strings.EqualFold(name, string(kind)) {
				return newRecord(kind, members[name])
			}
		}
	}
	return record{}, fmt.Errorf("%w: a record is neither of CMQ nor of CKafka", ErrInvalid)
}

func newRecord(kind Kind, value json.RawMessage) (record, error) {
	r := record{kind: kind, source: string(kind)}
	members, ok := object(value)
	if !ok {
		return r, fmt.Errorf("%w: the %s member of a record is not an object", ErrInvalid, kind)
	}
	r.source = sourceOf(kind, members)
	r.body = members["msgBody"]
	return r, nil
}

func sourceOf(kind Kind, members map[string]json.RawMessage) string {
	names := []string{"topicOwner", "topicName", "subscriptionName", "msgId", "requestId"}
	if kind == KindCKafka {
		names = []string{"topic", "partition", "Partition", "offset"}
	}
	var b strings.Builder
	b.WriteString(string(kind))
	for _, name := range names {
		if value, ok := text(members[name]); ok && value != "" {
			fmt.Fprintf(&b, " %s %s", name, printable(value))
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

// printable makes a name from outside fit for a log line: short, and without control characters.
func printable(s string) string {
	const most = 128
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}
