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

// ParseTask reads a task: a JSON object, or a bare group id, quoted or not, with or without a byte order mark in front.
// Unknown members are ignored.
//
// The error wraps ErrInvalid. A task that names several groups, some of which are impossible, comes back with the
// others and an error; otherwise an error comes with an empty task.
func ParseTask(body []byte) (Task, error) {
	body = trim(body)
	switch {
	case len(body) == 0:
		return Task{}, fmt.Errorf("%w: empty; a task is needed, such as {\"group_id\": \"...\"} or a bare group id", ErrInvalid)
	case len(body) > maxBodyBytes:
		return Task{}, fmt.Errorf("%w: task has %d bytes, at most %d are allowed", ErrInvalid, len(body), maxBodyBytes)
	case !utf8.Valid(body):
		return Task{}, errNotUTF8
	}
	switch body[0] {
	case '{':
		return parseObject(body)
	case '"':
		quoted, ok := text(body)
		if !ok {
			return Task{}, fmt.Errorf("%w: broken JSON", ErrInvalid)
		}
		task, err := parseObject([]byte(quoted)) // JSON that was encoded once more on its way
		if !errors.Is(err, errNoObject) {
			return task, err
		}
		body = []byte(quoted)
	case '[':
		return Task{}, errNoTask
	}
	if id := string(body); id == "null" || id == "true" || id == "false" {
		return Task{}, errNoTask
	}
	s, err := parseBare(string(body))
	if err != nil {
		return Task{}, err
	}
	return For(s), nil
}

var errNoTask = fmt.Errorf("%w: a task is a JSON object or a group id", ErrInvalid)

// parseBare refuses ids that nothing says are ids: what was a task on its way here must not be taken for a group that
// does not exist. A group that is really called so can be named as group_id.
func parseBare(id string) (chat.Stream, error) {
	id = string(trim([]byte(id)))
	switch {
	case id != "" && strings.IndexByte(`{["`, id[0]) >= 0:
		return chat.Stream{}, fmt.Errorf("%w: broken JSON, or JSON within JSON; a group whose id begins so is named as {\"group_id\": \"...\"}", ErrInvalid)
	case strings.ContainsFunc(id, func(r rune) bool { return unicode.Is(unicode.Cf, r) }):
		return chat.Stream{}, fmt.Errorf("%w: a bare group id with invisible characters (such as a byte order mark or a zero width space)", ErrInvalid)
	}
	s := chat.Stream{GroupID: id}
	return s, checkID(s)
}

func parseObject(body []byte) (Task, error) {
	m, err := object(body)
	if err != nil {
		return Task{}, err
	}
	var t Task
	if err := errors.Join(m.id("group_id", &t.GroupID), m.id("topic_id", &t.TopicID), m.integer("v", &t.V)); err != nil {
		return Task{}, err
	}
	if err := checkShape(t, m); err != nil {
		return Task{}, err
	}
	if err := errors.Join(m.base64("continue", &t.Continue), m.base64("attempt", &t.Attempt), m.base64("mac", &t.MAC)); err != nil {
		return Task{}, err
	}
	switch {
	case m.has("groups"):
		t.Groups, err = parseGroups(m["groups"])
		if len(t.Groups) == 0 {
			return Task{}, err
		}
		return t, err
	case m.has("sweep"):
		if _, err := object(m["sweep"]); err != nil {
			return Task{}, fmt.Errorf("sweep: %w", err)
		}
		t.Sweep = bytes.Clone(m["sweep"])
		return t, nil
	default:
		if err := checkID(chat.Stream{GroupID: t.GroupID, TopicID: t.TopicID}); err != nil {
			return Task{}, err
		}
		return t, nil
	}
}

// checkShape refuses tasks that could be meant in two ways, or in none.
func checkShape(t Task, m members) error {
	named := 0
	for _, is := range []bool{t.GroupID != "", m.has("groups"), m.has("sweep")} {
		if is {
			named++
		}
	}
	own := m.has("continue") || m.has("attempt")
	switch {
	case named == 0:
		return fmt.Errorf("%w: the task names nothing; it needs group_id, groups or sweep", ErrInvalid)
	case named > 1:
		return fmt.Errorf("%w: the task may have only one of group_id, groups and sweep", ErrInvalid)
	case t.TopicID != "" && t.GroupID == "":
		return fmt.Errorf("%w: topic_id without group_id", ErrInvalid)
	case own && t.V != Version:
		return fmt.Errorf("%w: continuation of version %d; this build reads version %d only", ErrInvalid, t.V, Version)
	case own && m.has("groups"):
		return fmt.Errorf("%w: a continuation belongs to one group", ErrInvalid)
	}
	return nil
}

// parseGroups returns the possible groups, and an error that tells of the others.
func parseGroups(raw json.RawMessage) ([]chat.Stream, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return nil, fmt.Errorf("%w: groups is not an array of groups", ErrInvalid)
	}
	var groups []chat.Stream
	var refused []error
	for n, item := range list {
		g, err := parseGroup(item)
		if err != nil {
			refused = append(refused, fmt.Errorf("groups[%d]: %w", n, err))
			continue
		}
		groups = append(groups, g)
	}
	const shown = 10
	if len(refused) > shown {
		refused = append(refused[:shown], fmt.Errorf("%w: and %d more", ErrInvalid, len(refused)-shown))
	}
	return groups, errors.Join(refused...)
}

func parseGroup(item json.RawMessage) (chat.Stream, error) {
	if id, ok := text(item); ok {
		return parseBare(id)
	}
	m, err := object(item)
	if err != nil {
		return chat.Stream{}, err
	}
	var s chat.Stream
	if err := errors.Join(m.id("group_id", &s.GroupID), m.id("topic_id", &s.TopicID)); err != nil {
		return chat.Stream{}, err
	}
	return s, checkID(s)
}

// checkID refuses ids that no group can have. U+FFFD is what is left of bytes that were damaged on their way: such an
// id would name another group.
func checkID(s chat.Stream) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for _, r := range s.GroupID + s.TopicID {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return fmt.Errorf("%w: %w: control characters or damaged bytes", ErrInvalid, chat.ErrInvalidStream)
		}
	}
	return nil
}
