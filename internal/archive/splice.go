package archive

import (
	"bytes"
	"encoding/json"

	"chatexport/internal/chat"
)

// splicer puts the stream's ids in front of an element's own members, each unless the element has a member of that name,
// whatever its value: null, empty or another stream's. What the service sent stays as it came. A second member of the same name
// would make a line that DuckDB refuses and of which most other readers see the element's own value all the same. What
// stream a line is of is said by the chunk's key; OtherIDs in the metadata says of how many lines the ids do not, so
// that lines which came from another stream's chunk can be told from those.
type splicer struct {
	stream       chat.Stream
	group, topic string // `"GroupId":"...",` and `"TopicId":"...",`; topic is empty for a plain group
	both         []byte // how a line begins whose element had no ids of its own
}

func newSplicer(s chat.Stream) splicer {
	p := splicer{stream: s, group: `"GroupId":` + quote(s.GroupID) + ","}
	if s.TopicID != "" {
		p.topic = `"TopicId":` + quote(s.TopicID) + ","
	}
	p.both = []byte("{" + p.group + p.topic)
	return p
}

func (p splicer) length() int { return len(p.group) + len(p.topic) + 1 }

func (p splicer) line(line []byte, e *chat.Element) []byte {
	line = append(line, '{')
	if !e.HasGroupID {
		line = append(line, p.group...)
	}
	if !e.HasTopicID {
		line = append(line, p.topic...)
	}
	line = append(line, e.JSON[1:]...)
	return append(line, '\n')
}

// Line returns the line of an element in a chunk of the stream, without its newline.
func Line(s chat.Stream, e *chat.Element) []byte {
	line := newSplicer(s).line(nil, e)
	return line[:len(line)-1]
}

// names reports whether a line has the stream's ids among its members.
func (p splicer) names(line []byte) bool {
	if bytes.HasPrefix(line, p.both) {
		return true
	}
	var members map[string]json.RawMessage // exact names: a struct would take "groupid", too
	if json.Unmarshal(line, &members) != nil {
		return false
	}
	return isString(members["GroupId"], p.stream.GroupID) && (p.topic == "" || isString(members["TopicId"], p.stream.TopicID))
}

func isString(raw json.RawMessage, want string) bool {
	var text string
	return json.Unmarshal(raw, &text) == nil && text == want
}

// quote returns an id as a JSON string, with <, > and & as they are.
func quote(id string) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(id); err != nil {
		panic(err) // a string can always be encoded
	}
	return string(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}
