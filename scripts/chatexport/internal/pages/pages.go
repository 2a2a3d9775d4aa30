// Package pages writes an archive's conversations as HTML for people: the list of streams, a day, a message's proof, and what a
// search finds.
//
// It owns what they look like, and that nothing in them acts: no page has a script or loads anything but what its Links name,
// and what strangers wrote is text wherever it stands, with characters that would hide or turn it made visible. It serves
// nothing and reads nothing: a server and a folder of files use it alike.
package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
)

//go:embed *.html
var texts embed.FS

//go:embed style.css
var style []byte

// Style returns the one style sheet of all pages.
func Style() []byte { return bytes.Clone(style) }

// Links are the addresses of what pages refer to, relative or absolute. An empty one means that there is no such page: then
// there is no link.
type Links interface {
	// Conversation is where a stream's newest day is, or its index.
	Conversation(s chat.Stream) string
	// Day is a day of a stream, at a seq if that is not 0.
	Day(s chat.Stream, d conversation.Date, seq chat.Seq) string
	// Proof is the proof of a seq.
	Proof(s chat.Stream, seq chat.Seq) string
	// File is where the bytes of a stored file are.
	File(f *conversation.File) string
}

// Frame is what all pages have around their content. What is empty is left out.
type Frame struct {
	Title string
	Style string // address of the style sheet
	Home  string // address of the list of streams
	Where string // the archive
	Zone  *time.Location
	Find  *Find // the form of a search
	// Policy is the Content-Security-Policy of a page that no server sends one with.
	Policy string
}

// Find is the form of a search, filled in.
type Find struct {
	Action                                 string // address that takes it
	Text, Sender, Since, Until, Kind, Zone string
	Stream                                 string // value of the one stream to search; empty for all
	Name                                   string // of that stream
	Kinds                                  []string
}

// Pages writes pages. It may be used by several goroutines.
type Pages struct{ templates *template.Template }

// New reads the templates. An error is a fault of this program.
func New() (*Pages, error) {
	t, err := template.New("").Funcs(template.FuncMap{
		"spans": spans,
		"count": cli.Count[int64],
		"num":   cli.Count[int],
		"bytes": cli.Bytes,
		"int64": func(n int) int64 { return int64(n) },
		"seq":   func(s chat.Seq) string { return cli.Count(int64(s)) },
	}).ParseFS(texts, "*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the pages' templates: %w", err)
	}
	return &Pages{t}, nil
}

// write makes a whole page before the first byte is sent: one that fails is none.
func (p *Pages) write(w io.Writer, name string, data any) error {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, data); err != nil {
		return fmt.Errorf("draw the page: %w", err)
	}
	_, err := page.WriteTo(w)
	return err
}

// Message is a page that says one thing.
type Message struct {
	Frame

	Text string
	Back string // address of where one may go on; empty for nowhere
}

// Say writes a page that says one thing, such as an error.
func (p *Pages) Say(w io.Writer, m Message) error { return p.write(w, "say", m) }
