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
	case depth(body) > maxDepth:
		return Task{}, errDepth
	case !json.Valid(body):
		return parseUnquoted(body)
	}
	switch body[0] {
	case '{':
		members, ok := object(body)
		if !ok {
			return Task{}, fmt.Errorf("%w: not a JSON object", ErrInvalid)
		}
		return parseMembers(members)
	case '"':
		id, ok := text(body)
		if !ok {
			return Task{}, fmt.Errorf("%w: not a JSON string", ErrInvalid)
		}
		if members, ok := object([]byte(id)); ok { // JSON that was encoded once more on its way
			return parseMembers(members)
		}
		return parseBare(id)
	case '[', 't', 'f', 'n':
		return Task{}, fmt.Errorf("%w: a task is a JSON object or a group id", ErrInvalid)
	default:
		return parseBare(string(body)) // a group id that consists of digits
	}
}

// parseUnquoted reads what is not JSON. Broken JSON must not become a group id.
func parseUnquoted(body []byte) (Task, error) {
	if looksLikeJSON(string(body)) {
		return Task{}, fmt.Errorf("%w: broken JSON", ErrInvalid)
	}
	return parseBare(string(body))
}

func parseBare(id string) (Task, error) {
	t := Task{GroupID: string(trim([]byte(id)))}
	if err := checkBare(t.GroupID); err != nil {
		return Task{}, err
	}
	if err := checkID(chat.Stream{GroupID: t.GroupID}); err != nil {
		return Task{}, err
	}
	return t, nil
}

func looksLikeJSON(s string) bool { return s != "" && strings.IndexByte(`{["`, s[0]) >= 0 }

// checkBare refuses ids that nothing says are ids: what was a task on its way here must not be taken for a group that
// does not exist. A group that is really called so can be named as group_id.
func checkBare(id string) error {
	switch {
	case looksLikeJSON(id):
		return fmt.Errorf("%w: broken JSON, or JSON within JSON; a group whose id begins so is named as {\"group_id\": \"...\"}", ErrInvalid)
	case strings.ContainsFunc(id, func(r rune) bool { return unicode.Is(unicode.Cf, r) }):
		return fmt.Errorf("%w: a bare group id with invisible characters (such as a byte order mark or a zero width space)", ErrInvalid)
	}
	return nil
}

func parseMembers(members map[string]json.RawMessage) (Task, error) {
	var t Task
	if err := errors.Join(
		readID(members, "group_id", &t.GroupID),
		readID(members, "topic_id", &t.TopicID),
		readNumber(members, "v", &t.V),
		readSweep(members, &t),
		readBytes(members, "continue", &t.Continue),
		readBytes(members, "attempt", &t.Attempt),
	); err != nil {
		return Task{}, err
	}
	if err := checkShape(t, members); err != nil {
		return Task{}, err
	}
	if t.GroupID != "" {
		if err := checkID(chat.Stream{GroupID: t.GroupID, TopicID: t.TopicID}); err != nil {
			return Task{}, err
		}
	}
	if present(members["groups"]) {
		return readGroups(t, members["groups"])
	}
	return t, nil
}

// checkShape refuses tasks that could be meant in two ways, or in none.
func checkShape(t Task, members map[string]json.RawMessage) error {
	groups := present(members["groups"])
	named := 0
	for _, is := range []bool{t.GroupID != "", groups, len(t.Sweep) > 0} {
		if is {
			named++
		}
	}
	switch {
	case named == 0:
		return fmt.Errorf("%w: the task names nothing; it needs group_id, groups or sweep", ErrInvalid)
	case named > 1:
		return fmt.Errorf("%w: the task may have only one of group_id, groups and sweep", ErrInvalid)
	case t.TopicID != "" && t.GroupID == "":
		return fmt.Errorf("%w: topic_id without group_id", ErrInvalid)
	case t.Own() && t.V != Version:
		return fmt.Errorf("%w: continuation of version %d; this build reads version %d only", ErrInvalid, t.V, Version)
	case t.Own() && groups:
		return fmt.Errorf("%w: a continuation belongs to one group", ErrInvalid)
	}
	return nil
}

func readID(members map[string]json.RawMessage, name string, id *string) error {
	raw := members[name]
	if !present(raw) {
		return nil
	}
	value, ok := text(raw)
	if !ok {
		return fmt.Errorf("%w: %s is not a string", ErrInvalid, name)
	}
	*id = strings.TrimSpace(value)
	return nil
}

func readNumber(members map[string]json.RawMessage, name string, v *int) error {
	if raw := members[name]; present(raw) && json.Unmarshal(raw, v) != nil {
		return fmt.Errorf("%w: %s is not an integer", ErrInvalid, name)
	}
	return nil
}

func readSweep(members map[string]json.RawMessage, t *Task) error {
	raw := members["sweep"]
	if !present(raw) {
		return nil
	}
	if _, ok := object(raw); !ok {
		return fmt.Errorf("%w: sweep is not an object", ErrInvalid)
	}
	t.Sweep = bytes.Clone(raw)
	return nil
}

// readBytes reads what the function told itself. What it means is for its writer to say.
func readBytes(members map[string]json.RawMessage, name string, value *[]byte) error {
	raw := members[name]
	if !present(raw) {
		return nil
	}
	if raw[0] != '"' || json.Unmarshal(raw, value) != nil {
		return fmt.Errorf("%w: %s is not base64", ErrInvalid, name)
	}
	if len(*value) == 0 {
		*value = nil
	}
	return nil
}

func readGroups(t Task, raw json.RawMessage) (Task, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return Task{}, fmt.Errorf("%w: groups is not an array of groups", ErrInvalid)
	}
	var refused []error
	for n, item := range list {
		g, err := readGroup(item)
		if err != nil {
			refused = append(refused, fmt.Errorf("groups[%d]: %w", n, err))
			continue
		}
		t.Groups = append(t.Groups, g)
	}
	const shown = 10
	if len(refused) > shown {
		refused = append(refused[:shown], fmt.Errorf("%w: and %d more", ErrInvalid, len(refused)-shown))
	}
	if len(t.Groups) == 0 {
		return Task{}, errors.Join(refused...)
	}
	return t, errors.Join(refused...)
}

func readGroup(item json.RawMessage) (Group, error) {
	var g Group
	members, ok := object(item)
	if !ok {
		members = map[string]json.RawMessage{"group_id": item}
		if id, ok := text(item); ok {
			t, err := parseBare(id)
			return Group{GroupID: t.GroupID}, err
		}
	}
	if err := errors.Join(readID(members, "group_id", &g.GroupID), readID(members, "topic_id", &g.TopicID)); err != nil {
		return Group{}, err
	}
	return g, checkID(chat.Stream{GroupID: g.GroupID, TopicID: g.TopicID})
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
