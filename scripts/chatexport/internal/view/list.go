package view

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/panics"
	"chatexport/internal/sweep"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pages"
	"chatexport/scripts/chatexport/internal/target"
)

const (
	// aside is how many conversations are opened side by side.
	aside = 16
	// listFor is how long the list of streams, and what of each it shows, is believed.
	listFor = 5 * time.Minute
	// mostShown bounds the page.
	mostShown = 2000
)

// readFacts reads names and kinds. Without them ids do.
func readFacts(ctx context.Context, store target.Store) map[chat.Stream]chat.Facts {
	facts := map[chat.Stream]chat.Facts{}
	_ = sweep.Seen(ctx, store, func(f chat.Facts) { facts[f.Stream] = f }) // hints for people: what is not there is not shown
	return facts
}

// all returns the archive's streams.
func (s *server) all(ctx context.Context) ([]chat.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.listed) < listFor {
		return s.streams, nil
	}
	streams, err := catalog.Streams(ctx, s.store)
	if err == nil {
		s.streams, s.listed = streams, time.Now()
	}
	return streams, err
}

// list shows all conversations, narrowed and sorted as the query says.
func (s *server) list(v *visit) error {
	streams, err := s.all(v.ctx)
	if err != nil {
		return err
	}
	f := pages.Filter{
		Action: "/", Text: v.r.FormValue("name"), Kind: v.r.FormValue("kind"), Trouble: v.r.FormValue("lost") != "", Sort: cmp.Or(v.r.FormValue("sort"), "newest"),
		Sorts: []pages.Choice{{Value: "newest", Text: "newest message"}, {Value: "name", Text: "name"}, {Value: "messages", Text: "messages"}, {Value: "lost", Text: "losses"}},
	}
	rows, err := s.open(v.ctx, streams)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Kind != "" && !slices.Contains(f.Kinds, r.Kind) {
			f.Kinds = append(f.Kinds, r.Kind)
		}
	}
	slices.Sort(f.Kinds)
	l := pages.List{Frame: s.frame(v, "Conversations"), Links: v.links, Total: len(rows), Filter: f}
	l.Rows = slices.DeleteFunc(rows, func(r pages.Listed) bool { return !wanted(&r, &f) })
	order(l.Rows, f.Sort)
	if len(l.Rows) > mostShown {
		l.Notes = append(l.Notes, "Only the first "+cli.Count(mostShown)+" are shown: narrow the list.")
		l.Rows = l.Rows[:mostShown]
	}
	if len(s.facts) == 0 {
		l.Notes = append(l.Notes, "No sweep's facts are in this archive, so that groups have no names here.")
	}
	return s.pages.List(v.w, l)
}

// open opens conversations. One that cannot be opened is shown with the reason.
func (s *server) open(ctx context.Context, streams []chat.Stream) ([]pages.Listed, error) {
	rows := make([]pages.Listed, len(streams))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(aside)
	for i, stream := range streams {
		facts := s.of(ctx, stream)
		rows[i] = pages.Listed{Stream: stream, Name: facts.Name, Kind: facts.Type}
		group.Go(func() error {
			return panics.Caught(func() error {
				talk, err := s.reader.Open(ctx, stream, listFor)
				switch {
				case err == nil:
					rows[i].Talk = talk
				case errors.Is(err, catalog.ErrNoArchive):
					rows[i].Why = "nothing is archived of it"
				case ctx.Err() != nil:
					return err
				default:
					rows[i].Why = err.Error()
				}
				return nil
			})
		})
	}
	return rows, group.Wait()
}

func wanted(r *pages.Listed, f *pages.Filter) bool {
	text := strings.ToLower(r.Name + "\x00" + r.Stream.GroupID + "\x00" + r.Stream.TopicID)
	return strings.Contains(text, strings.ToLower(f.Text)) && (f.Kind == "" || f.Kind == r.Kind) && (!f.Trouble || lostOf(r) > 0)
}

// lostOf is what a stream has lost, above everything where it is in trouble.
func lostOf(r *pages.Listed) int64 {
	if r.Talk == nil || r.Talk.Broken != "" {
		return int64(chat.MaxSeq) + 1
	}
	t := r.Talk.Totals
	return t.Expired + t.Absent + t.Malformed + max(int64(r.Talk.Genesis.FirstLo)-1, 0)
}

func order(rows []pages.Listed, by string) {
	called := func(r *pages.Listed) string { return strings.ToLower(cmp.Or(r.Name, cli.StreamName(r.Stream))) }
	totals := func(r *pages.Listed) (last, messages int64) {
		if r.Talk == nil {
			return 0, 0
		}
		return r.Talk.Totals.TsMax, r.Talk.Totals.Elements()
	}
	slices.SortStableFunc(rows, func(a, b pages.Listed) int {
		aLast, aMessages := totals(&a)
		bLast, bMessages := totals(&b)
		c := 0
		switch by {
		case "newest":
			c = cmp.Compare(bLast, aLast)
		case "messages":
			c = cmp.Compare(bMessages, aMessages)
		case "lost":
			c = cmp.Compare(lostOf(&b), lostOf(&a))
		}
		return cmp.Or(c, strings.Compare(called(&a), called(&b)))
	})
}
