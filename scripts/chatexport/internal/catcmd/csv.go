package catcmd

import (
	"encoding/csv"
	"errors"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/cli"
)

// cells are rows for a spreadsheet, as RFC 4180 has them.
type cells struct {
	buffered
	*options

	rows *csv.Writer
}

func newCells(b buffered, o *options) (*cells, error) {
	c := &cells{buffered: b, options: o, rows: csv.NewWriter(b)}
	c.rows.UseCRLF = true
	first := "seq"
	if o.bom {
		first = cli.ByteOrderMark + first
	}
	return c, c.rows.Write([]string{first, "time", "sender", "kind", "text", "marks", "files"})
}

func (c *cells) end() error {
	c.rows.Flush()
	return errors.Join(c.rows.Error(), c.Flush())
}

func (c *cells) item(i *item) error {
	return c.versions(i, func(v *version) error {
		row := [7]string{0: strconv.FormatInt(int64(i.Seq), 10)}
		if v.Element != nil {
			m := parse(v.Element)
			row[1], row[2], row[3], row[4] = stamp(v.Time), cli.Cell(m.from), kind(v.Element), cli.Cell(content(v.Element, m))
		}
		if v.change != nil {
			row[5] = v.mark()
		}
		files := i.links
		switch {
		case v.Element == &i.now:
			files = i.change.Media
		case v.Element == nil:
			files = nil
		}
		row[6] = cli.Cell(places(files))
		return c.rows.Write(row[:])
	})
}

// stamp is a time that a spreadsheet knows for one, empty for none.
func stamp(seconds int64) string {
	if seconds <= 0 {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

// kind names an element's class.
func kind(e *chat.Element) string {
	switch e.Class() {
	case chat.ClassMalformed:
		return "malformed"
	case chat.ClassRecalled:
		return "recalled"
	case chat.ClassPlaceholder:
		return "placeholder"
	case chat.ClassSystem:
		return "system"
	default:
		return "message"
	}
}

// places says where the files are, or why they are not there.
func places(files []archive.MediaLine) string {
	words := make([]string, len(files))
	for i := range files {
		words[i] = files[i].State
		if files[i].State == archive.MediaStored {
			words[i] = layout.Blob(files[i].SHA256)
		}
	}
	return strings.Join(words, " ")
}
