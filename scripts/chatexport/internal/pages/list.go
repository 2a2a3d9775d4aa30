package pages

import (
	"cmp"
	"io"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
)

// List is the page of all streams.
type List struct {
	Frame

	Links  Links
	Rows   []Listed
	Total  int    // streams in the archive, shown or not
	Filter Filter // nil-like if Action is empty
	Notes  []string
	Beside []Choice // files beside the page, by their addresses
}

// Listed is a stream in the list.
type Listed struct {
	Stream chat.Stream
	Name   string // empty if it is not known
	Kind   string
	Talk   *conversation.Conversation // nil if it cannot be opened
	Why    string                     // then
}

// Filter is the form that narrows and sorts the list.
type Filter struct {
	Action     string
	Text, Kind string
	Trouble    bool
	Sort       string
	Kinds      []string
	Sorts      []Choice
}

// Choice is a value and what it is called.
type Choice struct{ Value, Text string }

type listRow struct {
	URL, Name, ID, Parent, Kind, Status, Why string
	Messages, Files                          string
	Last                                     clock
	LastDay                                  string
	Lost                                     []string
	Trouble                                  bool
}

// List writes the page of all streams.
func (p *Pages) List(w io.Writer, l List) error {
	v := struct {
		List
		Shown []listRow
	}{List: l}
	for _, r := range l.Rows {
		d := drawer{r.Stream, l.Links, l.Zone}
		row := listRow{URL: l.Links.Conversation(r.Stream), Name: r.Name, ID: cli.StreamName(r.Stream), Kind: r.Kind, Why: r.Why}
		row.Name = cmp.Or(row.Name, row.ID)
		if c := r.Talk; c != nil {
			row.Messages, row.Status, row.Lost = cli.Count(c.Totals.Elements()), statusText(c), lost(c)
			if c.Totals.Links > 0 {
				row.Files = cli.Count(c.Totals.Links)
			}
			row.Last, row.Trouble, row.Why = d.clock(c.Totals.TsMax), c.Broken != "", c.Broken
			if c.Totals.TsMax > 0 {
				row.LastDay = conversation.DateOf(c.Totals.TsMax, l.Zone).String()
			}
		} else {
			row.Status, row.Trouble = "cannot be opened", true
		}
		v.Shown = append(v.Shown, row)
	}
	return p.write(w, "list", v)
}
