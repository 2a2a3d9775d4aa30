package chat

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// Likeness is what two answers about one seq have in common.
type Likeness uint8

// From nothing to everything.
const (
	Unlike Likeness = iota // another message: its sender, MsgRandom or MsgTimeStamp differs
	Edited                 // the same message with another MsgBody or CloudCustomData
	Alike                  // whatever else differs: other members, their order, or the query of a file's URL
)

// Compare compares the JSON of two elements, sound both of them. What a service may write in more than one way (order,
// escapes, white space) is no difference.
func Compare(was, now []byte) Likeness {
	if bytes.Equal(was, now) {
		return Alike
	}
	a, b := message(was), message(now)
	for _, name := range []string{"From_Account", "MsgRandom", memberMsgTimeStamp} {
		if !equal(a[name], b[name]) {
			return Unlike
		}
	}
	if equal(a["CloudCustomData"], b["CloudCustomData"]) && equal(a[memberMsgBody], b[memberMsgBody]) {
		return Alike
	}
	return Edited
}

// message returns the members of an element, by their exact names.
func message(raw []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil // cannot happen: it was scanned
	}
	return members
}

// equal compares values by what they mean. One that is missing is like none.
func equal(a, b json.RawMessage) bool {
	return bytes.Equal(a, b) || reflect.DeepEqual(meaning(a), meaning(b))
}

// meaning returns a value without the queries of files' URLs; nil for none.
func meaning(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if len(raw) == 0 || d.Decode(&v) != nil {
		return nil
	}
	return withoutQueries(v)
}

func withoutQueries(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = withoutQueries(v[i])
		}
	case map[string]any:
		for name, value := range v {
			text, ok := value.(string)
			switch {
			case !ok:
				v[name] = withoutQueries(value)
			case name == "URL" || name == "Url" || name == "VideoUrl" || name == "ThumbUrl":
				v[name], _, _ = strings.Cut(text, "?")
			}
		}
	}
	return v
}
