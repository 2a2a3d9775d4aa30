package pages

import (
	"cmp"
	"io"
	"slices"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
)

// Day is a page of a conversation.
type Day struct {
	Frame

	Links    Links
	Name     string // of the group or topic; empty if it is not known
	Kind     string // of the group; empty if it is not known
	Talk     *conversation.Conversation
	Page     *conversation.Page
	Calendar *Calendar // nil for none
	Index    string    // address of the page of all days; empty for none
	Jump     string    // address that takes a time or a seq; empty for none
	First    conversation.Date
	Last     conversation.Date
}

// Calendar is a month whose days are links. Days have moments to be told apart only by a reader of chunks: see
// conversation.Mark.
type Calendar struct {
	Year  int
	Month time.Month
	Marks []conversation.Mark
	// Older and Newer are days in the nearest months that have rows, zero where there is none.
	Older, Newer conversation.Date
}

// dayView is what the template needs of a Day.
type dayView struct {
	Day
	ID           string
	Topic        bool
	Rows         []row
	Heading      string
	Older, Newer step
	First, Last  step
	Parts        []step
	Weeks        [][]cell
	Maybe        bool // a day of the calendar may have rows, or none
	Back, Ahead  step
	Lost         []string
	Status       string
	Previous     step // part of the day
	Next         step
}

// step is a link to another page.
type step struct {
	URL, Text string
	Here      bool
}

// cell is a day of the calendar.
type cell struct {
	Day              int
	URL, Label, Kind string
	Count            string // of rows, where it is to be seen
}

// Day writes a page of a conversation.
func (p *Pages) Day(w io.Writer, d Day) error {
	s := d.Talk.Stream
	v := dayView{
		Day: d, ID: cli.StreamName(s), Topic: s.TopicID != "", Lost: lost(d.Talk), Status: statusText(d.Talk),
		Rows: drawer{s, d.Links, d.Page.Zone}.rows(d.Page.Rows),
	}
	v.Heading = cmp.Or(d.Name, v.ID)
	day := func(date conversation.Date, seq chat.Seq, text string) step {
		if date.IsZero() {
			return step{Text: text}
		}
		return step{URL: d.Links.Day(s, date, seq), Text: text}
	}
	v.Older, v.Newer = day(d.Page.Older, 0, d.Page.Older.String()), day(d.Page.Newer, 0, d.Page.Newer.String())
	v.First, v.Last = day(d.First, 0, "first day"), day(d.Last, 0, "newest day")
	for i, seq := range d.Page.Parts {
		st := day(d.Page.Date, seq, cli.Count(int64(i+1)))
		st.Here = i == d.Page.Part
		v.Parts = append(v.Parts, st)
	}
	if d.Page.Part > 0 {
		v.Previous = v.Parts[d.Page.Part-1]
	}
	if d.Page.Part+1 < len(v.Parts) {
		v.Next = v.Parts[d.Page.Part+1]
	}
	if c := d.Calendar; c != nil {
		v.Weeks = c.weeks(s, d.Links, d.Page.Date)
		v.Maybe = slices.ContainsFunc(c.Marks, func(m conversation.Mark) bool { return !m.Sure })
		v.Back, v.Ahead = day(c.Older, 0, "earlier month"), day(c.Newer, 0, "later month")
	}
	return p.write(w, "day", v)
}

// weeks lays a month out, beginning on Mondays. here is the day whose page it is on, if it is a day's.
func (c *Calendar) weeks(s chat.Stream, links Links, here conversation.Date) [][]cell {
	marks := map[int]conversation.Mark{}
	for _, m := range c.Marks {
		marks[m.Date.Day] = m
	}
	first := conversation.Date{Year: c.Year, Month: c.Month, Day: 1}
	week := make([]cell, (int(first.Weekday())+6)%7, 7)
	var weeks [][]cell
	for date := first; date.Month == c.Month; date = date.Add(1) {
		cl := cell{Day: date.Day}
		if m, ok := marks[date.Day]; ok {
			cl.URL, cl.Kind, cl.Label = links.Day(s, date, 0), "sure", date.Long()
			switch {
			case m.Count > 0:
				cl.Label += ", " + cli.Plural(m.Count, "row")
				if here.IsZero() {
					cl.Count = cli.Count(m.Count)
				}
			case !m.Sure:
				cl.Kind = "maybe"
				cl.Label += ", may have messages"
			}
		}
		if date == here {
			cl.Kind += " here"
		}
		if week = append(week, cl); len(week) == 7 {
			weeks, week = append(weeks, week), nil
		}
	}
	if len(week) > 0 {
		weeks = append(weeks, append(week, make([]cell, 7-len(week))...))
	}
	return weeks
}

// lost says what is not in a conversation.
func lost(c *conversation.Conversation) []string {
	var all []string
	add := func(n int64, text string) {
		if n > 0 {
			all = append(all, cli.Count(n)+" "+text)
		}
	}
	t := c.Totals
	add(t.Expired+int64(max(c.Genesis.FirstLo, 1))-1, "expired")
	add(t.Absent, "absent")
	add(t.Malformed, "malformed")
	return all
}

func statusText(c *conversation.Conversation) string {
	switch {
	case c.Broken != "":
		return "chain broken"
	case len(c.Manifests) == 0:
		return "not listed yet"
	case c.Status == "gone":
		return "group dissolved; chain holds"
	case c.Whole():
		return "chain holds"
	default:
		return "chain holds, run under way"
	}
}
