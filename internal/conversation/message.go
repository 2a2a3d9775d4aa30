package conversation

import (
	"fmt"
	"strconv"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// Message is a seq that has a line, or of which a look found something.
type Message struct {
	Seq chat.Seq
	// Archived is what the chunk says; nil where a look found what was absent then.
	Archived *Content
	Change   *Change // what a look at it found; nil if nothing, or nobody has looked yet
}

// Change is what became of a message after it was archived.
type Change struct {
	Kind   string // archive.ChangeEdited and so on
	SeenAt int64  // in seconds since 1970: it happened some time before
	Was    string // the SHA-256 of the archived line
	Now    *Content
}

// Content is an element of the service, read for people.
type Content struct {
	Class  chat.Class
	Time   int64 // in seconds since 1970; 0 if there is none that can be believed
	Stated int64 // as it came
	From   Person
	Parts  []Part
	Raw    []byte // the line, without its end
}

// Shown is what there is to see of it: the newest content that says anything.
func (m *Message) Shown() *Content {
	if c := m.Change; c != nil && c.Now != nil {
		switch {
		case m.Archived == nil, c.Kind == archive.ChangeEdited, c.Kind == archive.ChangeFound:
			return c.Now
		}
	}
	return m.Archived
}

// Before is what was archived, where something else is shown; nil otherwise.
func (m *Message) Before() *Content {
	if m.Archived != nil && m.Shown() != m.Archived {
		return m.Archived
	}
	return nil
}

// message reads a row.
func (c *Conversation) message(e entry, line []byte, change *archive.ChangeLine, links *account) (*Message, error) {
	m := &Message{Seq: e.seq}
	if e.off >= 0 {
		element, err := chat.ScanElement(line)
		if err != nil {
			return nil, fmt.Errorf("seq %d: %w: %w", e.seq, errNotRead, err)
		}
		files, err := links.files(&element)
		if err != nil {
			return nil, err
		}
		m.Archived = c.content(&element, files)
	}
	if change == nil {
		return m, nil
	}
	m.Change = &Change{Kind: change.Kind, SeenAt: change.SeenAt, Was: change.Was}
	if len(change.Now) > 0 {
		element, err := chat.ScanElement(change.Now)
		if err != nil {
			return nil, fmt.Errorf("seq %d as it was seen later: %w", e.seq, err)
		}
		files := filesOf(change.Media)
		for _, link := range chat.Links(&element) { // one whose file was known already is left out of the receipt
			if key := (fileKey{link.Path, link.Kind}); files[key] == nil {
				files[key] = &File{archive.MediaLine{Link: link, State: StateUnknown, Code: "not recorded"}}
				if m.Archived != nil {
					if before := m.Archived.file(key); before != nil {
						files[key] = before
					}
				}
			}
		}
		m.Change.Now = c.content(&element, files)
	}
	return m, nil
}

// content reads an element.
func (c *Conversation) content(e *chat.Element, files map[fileKey]*File) *Content {
	v := e.Value()
	out := &Content{Class: e.Class(), Time: believed(e.Time), Stated: e.Time, Raw: e.JSON}
	out.From = c.Person(v.Member("From_Account").Text())
	if out.From.Name == "" {
		out.From.Name = v.Member("From_AccountNick").Text()
	}
	r := partReader{files: files, person: c.Person}
	switch body := v.Member("MsgBody"); {
	case e.Malformed:
		m := v.Member("_malformed")
		out.Parts = []Part{{Kind: PartMalformed, Text: strconv.FormatInt(m.Member("bytes").Int(), 10)}}
	case e.System && body.IsObject():
		out.Parts = []Part{{Kind: PartTip, Text: tip(body, c.Person)}}
	default:
		out.Parts = r.body(body, "", 0)
	}
	return out
}

// file finds a link of a content by its place.
func (c *Content) file(key fileKey) *File {
	var found *File
	for i := range c.Parts {
		c.Parts[i].visit(func(p *Part) {
			for _, f := range []*File{p.File, p.Thumb} {
				if f != nil && f.Path == key.path && f.Kind == key.kind {
					found = f
				}
			}
		})
	}
	return found
}
