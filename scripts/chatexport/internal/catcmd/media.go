package catcmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/cli"
)

// link is one file that a message refers to, and what became of it. Members are only ever added.
type link struct {
	archive.MediaLine

	Time int64  `json:"time"`
	From string `json:"from"`
	Size int64  `json:"size,omitempty"` // as the message says
	Key  string `json:"key,omitempty"`  // of the bytes, below the archive's prefix

	SeenAt int64 `json:"seen_at,omitempty"` // when a look found the version that it is in; 0 for the archived one
}

// links are the links of items: those of the archived message, and then those that are new in a version that a look found.
type links struct {
	buffered
	*options
}

func (l *links) item(i *item) error {
	for _, line := range i.links {
		if err := l.link(&i.Element, link{MediaLine: line}); err != nil {
			return err
		}
	}
	if i.change == nil {
		return nil
	}
	for _, line := range i.change.Media {
		if err := l.link(&i.now, link{MediaLine: line, SeenAt: i.change.SeenAt}); err != nil {
			return err
		}
	}
	return nil
}

func (l *links) link(e *chat.Element, one link) error {
	one.Time, one.From, one.Size = e.Time, parse(e).from, one.MediaLine.Size
	if one.State == archive.MediaStored {
		one.Key = layout.Blob(one.SHA256)
	}
	if l.text {
		_, err := l.WriteString(one.text() + "\n")
		return err
	}
	enc := json.NewEncoder(l)
	enc.SetEscapeHTML(false)
	return enc.Encode(one)
}

// text writes a link for reading.
func (l *link) text() string {
	state := l.State
	switch {
	case l.Key != "":
		state += ": " + l.Key + ", " + cli.Bytes(l.Bytes) + ", " + l.Type
	case l.Code != "":
		state += " (" + l.Code + ")"
	}
	words := []string{when(l.Time), fmt.Sprintf("%d.%d", l.Seq, l.N), l.Path, l.Kind, state}
	for _, word := range []string{l.Name, l.URL} {
		if word != "" {
			words = append(words, word)
		}
	}
	if l.SeenAt > 0 {
		words = append(words, "new, seen "+when(l.SeenAt))
	}
	return cli.OneLine(strings.Join(words, "  "))
}
