package catcmd

import (
	"bytes"
	"encoding/json"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// version is what is printed of a seq: once, or with all of its history more than once.
type version struct {
	*chat.Element // nil if nothing came

	change *archive.ChangeLine // that is told of it; nil if there is none
	later  bool                // the change came after this content
	after  bool                // it follows the archived one in a history
}

// versions gives show what is to be printed of an item.
func (o *options) versions(i *item, show func(*version) error) error {
	v := version{Element: &i.Element}
	switch {
	case i.change == nil:
		return show(&v)
	case o.history && i.JSON != nil:
		if err := show(&v); err != nil {
			return err
		}
		v = version{change: i.change, after: true}
		if i.now.JSON != nil {
			v.Element = &i.now
		}
	case i.JSON == nil, o.asOf != 0 && hasContent(&i.now):
		v = version{Element: &i.now, change: i.change}
	default:
		v.change, v.later = i.change, true
	}
	return show(&v)
}

// hasContent reports whether an element says more than that there was a message.
func hasContent(e *chat.Element) bool {
	return e.JSON != nil && (e.Class() == chat.ClassMessage || e.Class() == chat.ClassSystem)
}

// mark says in words what a version's change is.
func (v *version) mark() string {
	words := map[string]string{archive.ChangeMissing: "not there any more", archive.ChangeFound: "came late"}[v.change.Kind]
	if words == "" {
		words = v.change.Kind
	}
	if v.later {
		words = "later " + words
	}
	return words + ", seen " + when(v.change.SeenAt)
}

// marked returns a version's line, with what has changed as its last member. An element without one is nothing but its ids.
func (v *version) marked(s chat.Stream) ([]byte, error) {
	if v.change == nil {
		return v.JSON, nil
	}
	var line []byte
	if v.Element != nil {
		line = v.JSON
	} else {
		line = archive.Line(s, &chat.Element{JSON: fmt.Appendf(nil, `{"MsgSeq":%d}`, v.change.Seq)})
	}
	mark, err := json.Marshal(struct {
		Kind   string `json:"kind"`
		Was    string `json:"was,omitempty"`
		SeenAt int64  `json:"seen_at"`
	}{v.change.Kind, v.change.Was, v.change.SeenAt})
	line = append(bytes.Clone(line[:len(line)-1]), `,"_change":`...)
	return append(append(line, mark...), '}'), err
}
