package catcmd

import (
	"bufio"
	"io"

	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
)

const outBuffer = 64 << 10

// writer prints items in one form.
type writer interface {
	item(i *item) error
	end() error // prints what is still held
}

// form returns the writer of the form that was asked for.
func (o *options) form(s chat.Stream, out io.Writer) (writer, error) {
	b := buffered{bufio.NewWriterSize(out, outBuffer)}
	switch {
	case o.media:
		return &links{b, o}, nil
	case o.csv:
		return newCells(b, o)
	case o.text:
		return &reading{b, o}, nil
	default:
		return &lines{b, o, s}, nil
	}
}

type buffered struct{ *bufio.Writer }

func (b buffered) end() error { return b.Flush() }

// lines are JSON.
type lines struct {
	buffered
	*options

	stream chat.Stream
}

func (l *lines) item(i *item) error {
	return l.versions(i, func(v *version) error {
		line, err := v.marked(l.stream)
		if err != nil {
			return err
		}
		if _, err := l.Write(line); err != nil {
			return err
		}
		return l.WriteByte('\n')
	})
}

// reading is text for people.
type reading struct {
	buffered
	*options
}

func (r *reading) item(i *item) error {
	return r.versions(i, func(v *version) error {
		if _, err := r.WriteString(v.text()); err != nil {
			return err
		}
		return r.WriteByte('\n')
	})
}

// text writes a version for reading.
func (v *version) text() string {
	switch {
	case v.change == nil:
		return textOf(v.Element)
	case !v.after:
		return textOf(v.Element) + "  [" + v.mark() + "]"
	case v.Element == nil || !hasContent(v.Element):
		return when(0) + "  " + v.mark()
	default:
		return when(0) + "  " + v.mark() + ": " + cli.OneLine(content(v.Element, parse(v.Element)))
	}
}
