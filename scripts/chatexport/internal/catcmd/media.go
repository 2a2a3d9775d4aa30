package catcmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"chatexport/internal/archive"
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
}

// links prints the links of an element.
func (c *cat) links(i *item) error {
	from := parse(&i.Element).from
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	for _, line := range i.links {
		l := link{MediaLine: line, Time: i.Time, From: from, Size: line.Size}
		if l.State == archive.MediaStored {
			l.Key = layout.Blob(l.SHA256)
		}
		var err error
		if c.text {
			_, err = c.out.WriteString(l.text() + "\n")
		} else {
			err = enc.Encode(l)
		}
		if err != nil {
			return err
		}
	}
	return nil
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
	return cli.OneLine(strings.Join(words, "  "))
}
