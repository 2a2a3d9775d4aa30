package pages

import (
	"cmp"
	"io"
	"slices"

	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
)

// Index is the page of all days of a conversation.
type Index struct {
	Frame

	Links  Links
	Name   string // of the group or topic; empty if it is not known
	Kind   string // of the group; empty if it is not known
	Talk   *conversation.Conversation
	Days   []conversation.Mark // in order
	Period string              // what of the conversation is here; empty for all
	Notes  []string
	Beside []Choice // files beside the page, by their addresses
}

// month is one of an index.
type month struct {
	Calendar *Calendar
	Weeks    [][]cell
	Rows     int
}

// Index writes the page of all days of a conversation.
func (p *Pages) Index(w io.Writer, x Index) error {
	v := struct {
		Index
		ID, Heading, Status string
		Lost                []string
		Months              []month // the newest first
		Rows                int
	}{Index: x, ID: cli.StreamName(x.Talk.Stream), Status: statusText(x.Talk), Lost: lost(x.Talk)}
	v.Heading = cmp.Or(x.Name, v.ID)
	for _, mark := range x.Days {
		if n := len(v.Months); n == 0 || v.Months[n-1].Calendar.Year != mark.Date.Year || v.Months[n-1].Calendar.Month != mark.Date.Month {
			v.Months = append(v.Months, month{Calendar: &Calendar{Year: mark.Date.Year, Month: mark.Date.Month}})
		}
		m := &v.Months[len(v.Months)-1]
		m.Calendar.Marks = append(m.Calendar.Marks, mark)
		m.Rows += mark.Count
		v.Rows += mark.Count
	}
	for i := range v.Months {
		v.Months[i].Weeks = v.Months[i].Calendar.weeks(x.Talk.Stream, x.Links, conversation.Date{})
	}
	slices.Reverse(v.Months)
	return p.write(w, "index", v)
}
