package view

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pages"
)

// talk shows a day of a conversation, the newest one if none is named.
func (s *server) talk(v *visit) error {
	stream, err := v.stream()
	if err != nil {
		return err
	}
	talk, err := s.reader.Open(v.ctx, stream, fresh)
	if err != nil {
		return err
	}
	d := pages.Day{Links: v.links, Talk: talk, Jump: talkPath + streamPath(stream) + jumpName}
	if d.First, d.Last, err = talk.Ends(v.ctx, v.zone); err != nil {
		return err
	}
	q := conversation.Query{Date: d.Last, Zone: v.zone, From: chat.MaxSeq} // the newest message
	if day := v.r.FormValue("day"); day != "" {
		if q.Date, err = conversation.ParseDate(day); err != nil {
			return badRequest("%v", err)
		}
		q.From = 0
	}
	if seq := v.r.FormValue("seq"); seq != "" {
		if q.From, err = parseSeq(seq); err != nil {
			return err
		}
	}
	if d.Page, err = talk.Day(v.ctx, q); err != nil {
		return err
	}
	d.Calendar = calendar(talk, q.Date, v.zone)
	facts := s.of(v.ctx, stream)
	d.Name, d.Kind = facts.Name, facts.Type
	title := pages.Plain(name(facts, stream))
	d.Frame = s.frame(v, title+", "+q.Date.String())
	d.Find.Stream, d.Find.Name = streamPath(stream), title
	return s.pages.Day(v.w, d)
}

func name(f chat.Facts, s chat.Stream) string {
	if f.Name != "" {
		return f.Name
	}
	return cli.StreamName(s)
}

// calendar is the month of a day, with the nearest months before and after it that have days.
func calendar(talk *conversation.Conversation, d conversation.Date, zone *time.Location) *pages.Calendar {
	first := conversation.Date{Year: d.Year, Month: d.Month, Day: 1}
	next := first.Add(32)
	c := &pages.Calendar{Year: d.Year, Month: d.Month, Marks: talk.Month(d.Year, d.Month, zone)}
	c.Older, _ = talk.Around(first, zone)
	_, c.Newer = talk.Around(conversation.Date{Year: next.Year, Month: next.Month, Day: 1}.Add(-1), zone)
	return c
}

func parseSeq(text string) (chat.Seq, error) {
	n, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
	if err != nil || n < 1 || chat.Seq(n) > chat.MaxSeq {
		return 0, badRequest("%.20q is no seq: a number from 1 to %d", text, chat.MaxSeq)
	}
	return chat.Seq(n), nil
}

// jump finds the page of a time or a seq.
func (s *server) jump(v *visit) error {
	stream, err := v.stream()
	if err != nil {
		return err
	}
	talk, err := s.reader.Open(v.ctx, stream, fresh)
	if err != nil {
		return err
	}
	to := strings.TrimSpace(v.r.FormValue("to"))
	if to == "" {
		to = v.r.FormValue("day")
	}
	at, day, isTime := parseMoment(to, v.zone)
	switch {
	case isTime && day:
		return v.goTo(v.links.Day(stream, conversation.DateOf(at, v.zone), 0))
	case isTime:
		seq, err := talk.At(v.ctx, at, v.zone)
		if err != nil {
			return err
		}
		return v.goTo(v.links.Day(stream, conversation.DateOf(at, v.zone), seq))
	}
	seq, err := parseSeq(strings.TrimPrefix(to, "#"))
	if err != nil {
		return badRequest("%.40q is neither a time such as 2026-11-22 14:30 nor a seq", to)
	}
	date, row, err := talk.Find(v.ctx, seq, v.zone)
	if err != nil {
		return err
	}
	return v.goTo(v.links.Day(stream, date, row))
}

// parseMoment reads a time in a zone, or a day.
func parseMoment(text string, zone *time.Location) (seconds int64, day, ok bool) {
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t.Unix(), true, true
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.Unix(), false, true
	}
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return t.Unix(), false, true
		}
	}
	return 0, false, false
}

func (v *visit) goTo(address string) error {
	http.Redirect(v.w, v.r, address, http.StatusSeeOther)
	return nil
}
