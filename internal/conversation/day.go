package conversation

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
)

// DefaultRows is how many rows a page has at most where nothing else is asked.
const DefaultRows = 400

// Query asks for a page of a day.
type Query struct {
	Date Date
	Zone *time.Location
	From chat.Seq // a seq of the part that is wanted; 0 for the first one
	Most int      // rows of a part; 0 for DefaultRows
	// Within leaves out the rows beside a range. A row without a time of its own has a neighbour's.
	Within catalog.Range
}

// Page is a part of a day. Days with more rows than fit into one have several; which rows are in which does not depend on
// what was asked.
type Page struct {
	Date  Date
	Zone  *time.Location
	Rows  []Row
	Total int        // rows of the day
	Parts []chat.Seq // the first seq of each part; of a day without rows there is none
	Part  int        // which one this is, from 0

	Older, Newer Date // the nearest days that have rows; zero where there is none

	Failures []string // receipts of looks that cannot be read: what they found is not marked
}

// place is an item and the chunk that it is in.
type place struct {
	item
	chunk int
}

// Day reads a part of a day, and no chunk but those that may have rows of it. What is damaged becomes a row; the error is the
// store's, or the context's.
func (c *Conversation) Day(ctx context.Context, q Query) (*Page, error) {
	q.Most = cmp.Or(max(q.Most, 0), DefaultRows)
	places, err := c.places(ctx, q)
	if err != nil {
		return nil, err
	}
	part := 0
	for i := 0; i < len(places); i += q.Most {
		if places[i].seq <= q.From {
			part = i / q.Most
		}
	}
	return c.part(ctx, q, places, part)
}

// Parts yields the parts of a day one after the other, each as Day returns it, and looks for the day's rows only once. A day
// without rows has one part. An error ends it.
func (c *Conversation) Parts(ctx context.Context, q Query) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		q.Most = cmp.Or(max(q.Most, 0), DefaultRows)
		places, err := c.places(ctx, q)
		for part := 0; err == nil && (part == 0 || part*q.Most < len(places)); part++ {
			var p *Page
			if p, err = c.part(ctx, q, places, part); err == nil && !yield(p, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// part reads one part of the rows that were found of a day.
func (c *Conversation) part(ctx context.Context, q Query, places []place, part int) (*Page, error) {
	p := &Page{Date: q.Date, Zone: q.Zone, Total: len(places), Part: part}
	for i := 0; i < len(places); i += q.Most {
		p.Parts = append(p.Parts, places[i].seq)
	}
	var err error
	if p.Rows, err = c.rows(ctx, places[part*q.Most:min((part+1)*q.Most, len(places))]); err != nil {
		return nil, err
	}
	p.Older, p.Newer = c.Around(q.Date, q.Zone)
	p.Failures, err = c.failures(ctx, places)
	return p, err
}

// failures tells which looks at the chunks of these rows cannot be read.
func (c *Conversation) failures(ctx context.Context, places []place) ([]string, error) {
	var all []string
	last := -1
	for _, p := range places {
		if p.chunk == last || p.chunk < 0 {
			continue
		}
		last = p.chunk
		u, err := c.load(ctx, p.chunk)
		if err != nil {
			return nil, err
		}
		if u.trail != "" {
			all = append(all, u.trail)
		}
	}
	return all, nil
}

// places finds the rows of a day, in order of seq.
func (c *Conversation) places(ctx context.Context, q Query) ([]place, error) {
	from, to := q.Date.bounds(q.Zone)
	var all []place
	for i := range c.Chunks {
		if !c.overlaps(&c.Chunks[i], from, to) {
			continue
		}
		u, err := c.load(ctx, i)
		if err != nil {
			return nil, err
		}
		for it := range u.items() {
			if within(it.time, from, to) && shows(q.Within, it) {
				all = append(all, place{it, i})
			}
		}
	}
	return slices.DeleteFunc(c.edges(all, from, to), func(p place) bool { return !shows(q.Within, p.item) }), nil
}

// edges adds what is missing before the first chunk and behind the last one that is known.
func (c *Conversation) edges(all []place, from, to int64) []place {
	t := &c.Totals
	if first := c.Genesis.FirstLo; first > 1 && within(t.TsMin, from, to) {
		all = slices.Insert(all, 0, place{item{entry: entry{seq: 1, time: t.TsMin}, gap: GapExpired, hi: first - 1}, -1})
	}
	if c.Broken != "" && within(t.TsMax, from, to) {
		all = append(all, place{item{entry: entry{seq: c.Last() + 1, time: t.TsMax}, gap: GapBroken}, -1})
	}
	return all
}

func within(at, from, to int64) bool { return at >= from && at < to }

// rows reads what was found. Neighbours in one chunk are read together.
func (c *Conversation) rows(ctx context.Context, places []place) ([]Row, error) {
	rows := make([]Row, 0, len(places))
	for len(places) > 0 {
		n := 1
		for n < len(places) && places[n].chunk == places[0].chunk {
			n++
		}
		some, err := c.rowsOf(ctx, places[0].chunk, places[:n])
		if err != nil {
			return nil, err
		}
		rows, places = append(rows, some...), places[n:]
	}
	return rows, nil
}

func (c *Conversation) rowsOf(ctx context.Context, chunk int, places []place) ([]Row, error) {
	rows := make([]Row, 0, len(places))
	if chunk < 0 {
		for _, p := range places {
			rows = append(rows, Row{Gap: c.gap(p, nil)})
		}
		return rows, nil
	}
	u, err := c.load(ctx, chunk)
	if err != nil {
		return nil, err
	}
	var wanted []entry
	for _, p := range places {
		if p.gap == "" {
			wanted = append(wanted, p.entry)
		}
	}
	lines, err := u.lines(ctx, c, wanted)
	if err != nil {
		return nil, err
	}
	account := newAccount(ctx, c, u)
	defer account.close()
	for _, p := range places {
		if p.gap != "" {
			rows = append(rows, Row{Gap: c.gap(p, u)})
			continue
		}
		m, err := c.message(p.entry, lines[p.seq], u.changes[p.seq], account)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{Message: m})
	}
	return rows, nil
}

// gap describes one.
func (c *Conversation) gap(p place, u *unpacked) *Gap {
	g := &Gap{Lo: p.seq, Hi: p.hi, Kind: p.gap}
	switch {
	case p.gap == GapDamaged:
		g.Why = u.failure
	case p.gap == GapBroken:
		g.Why = c.Broken
	case p.gap == GapExpired && u == nil:
		g.Evidence = c.Genesis.ExpiredBelow.Evidence
	case p.gap == GapExpired:
		g.Evidence = u.chunk.Evidence
	}
	if g.Evidence == archive.EvidenceNone {
		g.Evidence = ""
	}
	return g
}

// Find returns the day of a seq, and the seq at which its row begins. The error is ErrNoSeq, or the store's.
func (c *Conversation) Find(ctx context.Context, seq chat.Seq, zone *time.Location) (Date, chat.Seq, error) {
	if seq >= 1 && seq < c.Genesis.FirstLo && c.Totals.TsMin != 0 {
		return DateOf(c.Totals.TsMin, zone), 1, nil
	}
	i := c.chunkOf(seq)
	if i < 0 {
		return Date{}, 0, ErrNoSeq
	}
	u, err := c.load(ctx, i)
	if err != nil {
		return Date{}, 0, err
	}
	for it := range u.items() {
		if it.seq <= seq && seq <= it.hi {
			return DateOf(it.time, zone), it.seq, nil
		}
	}
	return Date{}, 0, ErrNoSeq
}

// At returns the seq of the first row of a day that is not before a time, in seconds since 1970, or the day's last; 0 where the
// day has none.
func (c *Conversation) At(ctx context.Context, seconds int64, zone *time.Location) (chat.Seq, error) {
	places, err := c.places(ctx, Query{Date: DateOf(seconds, zone), Zone: zone})
	if err != nil || len(places) == 0 {
		return 0, err
	}
	for _, p := range places {
		if p.time >= seconds {
			return p.seq, nil
		}
	}
	return places[len(places)-1].seq, nil
}

// errNotRead means that a line that the index has was not found again: the store changed its mind.
var errNotRead = errors.New("a line of the chunk was not found again")
