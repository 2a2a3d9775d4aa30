package view

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/scripts/chatexport/internal/pages"
)

const (
	// mostHits is how many messages one page of results has.
	mostHits = 200
	// longest is how long one page of results is filled.
	longest = 5 * time.Minute
)

// errEnough ends a search whose page is full.
var errEnough = errors.New("enough was found")

// query is a search as its address has it.
type query struct {
	wanted conversation.Wanted
	in     []chat.Stream
	only   bool // in is one stream that was chosen
}

// search shows what it finds while it looks, and stops when nobody reads on.
func (s *server) search(v *visit) error {
	q, err := s.query(v)
	if err != nil {
		return err
	}
	values := v.r.URL.Query()
	frame := s.frame(v, "Search")
	*frame.Find = pages.Find{
		Action: searchPath, Text: values.Get("q"), Sender: values.Get("from"), Since: values.Get("since"), Until: values.Get("until"),
		Kind: values.Get("kind"), Zone: v.links.zone, Kinds: conversation.Kinds(),
	}
	if q.only {
		frame.Find.Stream, frame.Find.Name = streamPath(q.in[0]), pages.Plain(name(s.of(v.ctx, q.in[0]), q.in[0]))
	}
	w := q.wanted
	asked := len(w.Words) > 0 || w.Sender != "" || w.Kind != "" || w.Since != 0 || w.Until != 0
	page, err := s.pages.Search(v.w, frame, v.links, asked)
	if err != nil || !asked {
		return err
	}
	return s.fill(v, q, page)
}

// fill searches one stream after the other.
func (s *server) fill(v *visit, q query, page *pages.Results) error {
	flush := http.NewResponseController(v.w)
	ctx, cancel := context.WithTimeout(v.ctx, longest)
	defer cancel()
	var all conversation.Searched
	hits := 0
	for _, stream := range q.in {
		if err := flush.Flush(); err != nil {
			return err
		}
		talk, err := s.reader.Open(v.ctx, stream, fresh)
		if errors.Is(err, catalog.ErrNoArchive) {
			continue
		}
		if err != nil {
			return err
		}
		last := q.wanted.After
		called := name(s.of(v.ctx, stream), stream)
		done, err := talk.Search(ctx, q.wanted, func(h conversation.Hit) error {
			if hits == mostHits {
				return errEnough
			}
			hits++
			last = h.Message.Seq
			return errors.Join(page.Hit(stream, called, h), flush.Flush())
		})
		all.Messages += done.Messages
		all.Unread = append(all.Unread, done.Unread...)
		switch {
		case errors.Is(err, errEnough):
			return page.End(all, "There is more.", s.goOn(v, q, stream, last))
		case ctx.Err() != nil && v.ctx.Err() == nil:
			return page.End(all, "The search has taken long enough, and is not at its end.", s.goOn(v, q, stream, max(last, done.Last)))
		case err != nil:
			return err
		}
		q.wanted.After = 0
	}
	return page.End(all, "", "")
}

// goOn is the address of the rest.
func (s *server) goOn(v *visit, q query, stream chat.Stream, after chat.Seq) string {
	values := url.Values{}
	for _, name := range []string{"q", "from", "since", "until", "kind", "in", "tz"} {
		if value := v.r.FormValue(name); value != "" {
			values.Set(name, value)
		}
	}
	if after > 0 {
		values.Set("after", strconv.FormatInt(int64(after), 10))
	}
	if !q.only {
		values.Set("begin", streamPath(stream))
	}
	return searchPath + "?" + values.Encode()
}

func (s *server) query(v *visit) (query, error) {
	var q query
	var err error
	q.wanted = conversation.Wanted{Words: words(v.r.FormValue("q")), Sender: strings.TrimSpace(v.r.FormValue("from")), Kind: v.r.FormValue("kind")}
	if q.wanted.Since, err = moment(v, "since", false); err != nil {
		return q, err
	}
	if q.wanted.Until, err = moment(v, "until", true); err != nil {
		return q, err
	}
	if after := v.r.FormValue("after"); after != "" {
		if q.wanted.After, err = parseSeq(after); err != nil {
			return q, err
		}
	}
	if in := v.r.FormValue("in"); in != "" {
		stream, ok := parseStream(in)
		if !ok {
			return q, badRequest("no such conversation")
		}
		q.in, q.only = []chat.Stream{stream}, true
		return q, nil
	}
	if q.in, err = s.all(v.ctx); err != nil {
		return q, err
	}
	if begin, ok := parseStream(v.r.FormValue("begin")); ok {
		for i, stream := range q.in {
			if stream == begin {
				q.in = q.in[i:]
				break
			}
		}
	}
	return q, nil
}

// moment reads a time of the query. A day that is an end counts as a whole.
func moment(v *visit, name string, end bool) (int64, error) {
	text := strings.TrimSpace(v.r.FormValue(name))
	if text == "" {
		return 0, nil
	}
	at, day, ok := parseMoment(text, v.zone)
	if !ok || at <= 0 {
		return 0, badRequest("%.40q is not a time such as 2026-11-22 or 2026-11-22 14:30", text)
	}
	if day && end {
		at = time.Unix(at, 0).In(v.zone).AddDate(0, 0, 1).Unix()
	}
	return at, nil
}

// words takes a search apart: what is in quotes belongs together.
func words(text string) []string {
	var all []string
	for i, piece := range strings.Split(text, `"`) {
		if i%2 == 1 {
			if piece = strings.TrimSpace(piece); piece != "" {
				all = append(all, piece)
			}
			continue
		}
		all = append(all, strings.Fields(piece)...)
	}
	return all
}
