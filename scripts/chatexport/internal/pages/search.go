package pages

import (
	"io"
	"strings"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
)

// Results writes what a search finds, piece by piece: a page that is read while it grows.
type Results struct {
	pages *Pages
	w     io.Writer
	links Links
	frame Frame
	n     int
}

// Search begins the page of a search. The frame's Find is the whole form; asked tells whether there is anything to search for.
func (p *Pages) Search(w io.Writer, frame Frame, links Links, asked bool) (*Results, error) {
	err := p.write(w, "searching", struct {
		Frame
		Asked bool
	}{frame, asked})
	return &Results{pages: p, w: w, links: links, frame: frame}, err
}

// brief is a neighbour of a hit.
type brief struct {
	From conversation.Person
	Text string
}

// Hit writes one hit, in the stream of that name.
func (r *Results) Hit(s chat.Stream, name string, h conversation.Hit) error {
	d := drawer{s, r.links, r.frame.Zone}
	v := struct {
		Name, Day, URL string
		Row            row
		Before, After  *brief
	}{Name: name}
	m := d.message(h.Message)
	v.Row = row{Seq: h.Message.Seq, Message: m}
	if at := h.Message.Shown().Time; at > 0 {
		date := conversation.DateOf(at, r.frame.Zone)
		v.Day, v.URL = date.String(), r.links.Day(s, date, h.Message.Seq)
	}
	v.Before, v.After = briefOf(h.Before), briefOf(h.After)
	r.n++
	return r.pages.write(r.w, "hit", v)
}

func briefOf(b *conversation.Brief) *brief {
	if b == nil {
		return nil
	}
	return &brief{b.From, strings.Join(strings.Fields(b.Text), " ")}
}

// End writes what was searched, why no more is shown, if that is so, and where the search goes on.
func (r *Results) End(done conversation.Searched, why, next string) error {
	v := struct {
		Found, Read, Why, Next string
		Unread                 []string
	}{Found: cli.Plural(r.n, "message") + " found", Read: cli.Plural(done.Messages, "message") + " read", Why: why, Next: next}
	for _, g := range done.Unread {
		v.Unread = append(v.Unread, "seqs "+cli.Count(int64(g.Lo))+" to "+cli.Count(int64(g.Hi))+" could not be searched whole: "+g.Why)
	}
	return r.pages.write(r.w, "searched", v)
}
