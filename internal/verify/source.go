package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// Source answers pages of history, as package chatapi does. It paces and repeats calls itself.
type Source interface {
	// Page returns one page of history. An error that is a *chat.MalformedError with an answer, or matches chat.ErrTooLarge,
	// is about the messages that were asked for: fewer of them may be answered.
	Page(ctx context.Context, q chat.Query) (chat.Page, error)
}

// SourceReport is how a sample of a stream's archive compares with what the service holds now. No seq is counted twice. Since
// means since the last look at a message, and since it was archived where there was none.
type SourceReport struct {
	Pages      int   `json:"pages"`
	Equal      int64 `json:"equal"`          // as it was archived, but for what no edit changes, such as the query of a URL
	Told       int64 `json:"told_by_looks"`  // otherwise than it was archived, as a look has found it
	Edited     int64 `json:"edited_since"`   // the same message with another content
	Recalled   int64 `json:"recalled_since"` // archived whole, recalled in the service since then
	Deleted    int64 `json:"deleted_since"`  // no longer in the service, which has older ones
	Expired    int64 `json:"expired_since"`  // no longer in the service, nor are older ones of the sample
	Unreadable int64 `json:"unreadable"`     // what the service answers to this seq alone cannot be read
	Missing    int64 `json:"missing"`        // in the service, not archived
	Different  int64 `json:"different"`      // archived as another message
	Gone       bool  `json:"gone,omitempty"` // the service has nothing of the stream that it would tell

	Seqs []chat.Seq `json:"seqs,omitempty"` // the first of the missing and the different

	// Damaged are chunks that could not be compared, since they are not what was recorded.
	Damaged []Finding `json:"-"`
}

// Same reports whether the service contradicts nothing that is archived.
func (r *SourceReport) Same() bool { return r.Missing == 0 && r.Different == 0 }

// newestPages is what counts as the newest: only they may still be in the service, so half of the sample is of them.
const newestPages = 50

// CompareSource asks for pages of the archived range again and compares each element with the archive: those of all absent
// and malformed seqs, the newest, and others at random, as many as pages says. It reads only the chunks that hold them.
// What was edited, recalled, deleted or has expired since is counted, and is no fault. A damaged chunk is in the report, and the
// others are compared; damaged manifests and receipts are left to Stream. An error is the store's or the source's.
func CompareSource(ctx context.Context, store Store, source Source, s chat.Stream, pages int) (SourceReport, error) {
	var report SourceReport
	c := &sourceComparison{store: store, source: source, stream: s, report: &report, bad: map[chat.Seq]bool{}}
	err := c.run(ctx, pages)
	switch {
	case errors.Is(err, chat.ErrGone), errors.Is(err, chat.ErrUnsupported):
		report.Gone = true
	case err != nil:
		return report, fmt.Errorf("compare with the source: %w", err)
	}
	return report, nil
}

type sourceComparison struct {
	store  Store
	source Source
	stream chat.Stream
	report *SourceReport
	chunks []archive.ChunkEntry
	bad    map[chat.Seq]bool // by lo: chunks that are damaged

	answered bool                      // something the source has answered could be read
	older    bool                      // something older than what is compared is still stored
	lines    map[chat.Seq]chat.Element // of the chunks at hand
	looks    map[chat.Seq]told         // what looks have found of them
	from, to chat.Seq                  // the range that both cover
}

func (c *sourceComparison) run(ctx context.Context, pages int) error {
	for chunk, err := range catalog.Chunks(ctx, c.store, c.stream) {
		if errors.Is(err, catalog.ErrNoArchive) || catalog.Damaged(err) {
			break
		}
		if err != nil {
			return err
		}
		c.chunks = append(c.chunks, chunk)
	}
	if len(c.chunks) == 0 {
		return nil
	}
	lo, hi := c.chunks[0].Lo, c.chunks[len(c.chunks)-1].Hi
	// The range is divided into pages from its end downwards, so that no seq is asked for twice.
	asked := map[chat.Seq]bool{0: true}
	if err := c.gaps(ctx, hi, asked); err != nil {
		return err
	}
	sample(asked, (hi-lo)/chat.PageSize+1, pages)
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(asked))) { // ascending seqs: each chunk is read once
		last := hi - n*chat.PageSize
		if err := c.page(ctx, max(lo, last-chat.PageSize+1), last); err != nil {
			return err
		}
	}
	return nil
}

// gaps adds the pages of all absent and malformed seqs.
func (c *sourceComparison) gaps(ctx context.Context, hi chat.Seq, asked map[chat.Seq]bool) error {
	for i := range c.chunks {
		chunk := &c.chunks[i]
		if chunk.Absent+chunk.Malformed == 0 {
			continue
		}
		next := chunk.Lo // the seq that would come next
		ask := func(to chat.Seq) {
			for n := (hi - to) / chat.PageSize; n <= (hi-next)/chat.PageSize; n++ {
				asked[n] = true
			}
		}
		err := c.read(ctx, chunk, func(e chat.Element) error {
			if e.Malformed {
				ask(e.Seq)
			} else if e.Seq > next {
				ask(e.Seq - 1)
			}
			next = e.Seq + 1
			return nil
		})
		if err != nil {
			return err
		}
		if next <= chunk.Hi && !c.bad[chunk.Lo] {
			ask(chunk.Hi)
		}
	}
	return nil
}

// sample adds as many pages of all as are wanted, or all that there are.
func sample(asked map[chat.Seq]bool, all chat.Seq, wanted int) {
	until := min(int(all), len(asked)+wanted-1) // the newest is among them
	for i := 0; len(asked) < until; i++ {
		among := all
		if i < wanted/2 {
			among = min(all, newestPages)
		}
		asked[rand.N(among)] = true
	}
}

// page compares what the service has of [lo, hi], a page at most.
func (c *sourceComparison) page(ctx context.Context, lo, hi chat.Seq) error {
	page, err := c.source.Page(ctx, chat.Query{Stream: c.stream, Seq: hi, Number: int(hi - lo + 1)})
	switch {
	case spoiled(err) && lo < hi:
		middle := lo + (hi-lo)/2
		if err := c.page(ctx, lo, middle); err != nil {
			return err
		}
		return c.page(ctx, middle+1, hi)
	case spoiled(err) && (c.answered || c.report.Unreadable < chat.PageSize):
		c.report.Unreadable++
		return nil
	case err != nil: // also where nothing at all could be read: it is not the messages then
		return err
	}
	c.answered = true
	c.report.Pages++
	if err := c.load(ctx, lo, hi); err != nil {
		return err
	}
	came := map[chat.Seq]bool{}
	for i := range page.Elements {
		e := &page.Elements[i]
		if e.Seq < lo || e.Seq > hi || !e.Retained() || came[e.Seq] || c.damaged(e.Seq) {
			continue
		}
		came[e.Seq] = true
		c.compare(e)
	}
	for seq := lo; seq <= hi; seq++ {
		if came[seq] {
			c.older = true
		} else {
			c.gone(seq)
		}
	}
	return nil
}

// gone counts a seq of which the service holds nothing, if something of it is archived.
func (c *sourceComparison) gone(seq chat.Seq) {
	_, kept := c.newest(seq)
	look := c.looks[seq]
	switch {
	case !kept:
	case look.kind == archive.ChangeDeleted, look.kind == archive.ChangeMissing:
		c.report.Told++
	case c.older:
		c.report.Deleted++
	default:
		c.report.Expired++
	}
}

// told is what a look has found of one seq.
type told struct {
	kind string
	now  chat.Element // its Seq is 0 if it is none that could be read
}

// newest returns what is archived of a seq, be it by a chunk or by a look; false if that is no message.
func (c *sourceComparison) newest(seq chat.Seq) (chat.Element, bool) {
	e := c.looks[seq].now
	if e.Seq == 0 {
		e = c.lines[seq]
	}
	return e, isKept(&e)
}

// isKept reports whether an element is there, and neither a placeholder nor unreadable.
func isKept(e *chat.Element) bool { return e.Seq != 0 && e.Retained() && !e.Malformed }

// spoiled reports whether a page could not be answered because of what is on it.
func spoiled(err error) bool {
	malformed, ok := errors.AsType[*chat.MalformedError](err)
	return ok && malformed.Answer != nil || errors.Is(err, chat.ErrTooLarge)
}

// compare counts an element that the service holds.
func (c *sourceComparison) compare(e *chat.Element) {
	was := c.lines[e.Seq]
	newest, ok := c.newest(e.Seq)
	switch {
	case isKept(&was) && c.same(&was, e):
		c.report.Equal++
	case !ok:
		note(&c.report.Missing, &c.report.Seqs, e.Seq)
	case c.same(&newest, e):
		c.report.Told++
	case e.Place == chat.PlaceRecalled:
		c.report.Recalled++
	case newest.Class() == e.Class() && chat.Compare(newest.JSON, e.JSON) == chat.Edited:
		c.report.Edited++
	default:
		note(&c.report.Different, &c.report.Seqs, e.Seq)
	}
}

// same reports whether a line is that of an element, but for what no edit changes. Recalled ones have no content that counts.
func (c *sourceComparison) same(line, e *chat.Element) bool {
	exact := &comparison{stream: c.stream, prefix: splice(c.stream)}
	return exact.equal(line.JSON, e.JSON) ||
		line.Class() == e.Class() && (e.Place == chat.PlaceRecalled || chat.Compare(line.JSON, e.JSON) == chat.Alike)
}

// load reads the chunks that overlap [lo, hi] and keeps their lines.
func (c *sourceComparison) load(ctx context.Context, lo, hi chat.Seq) error {
	if c.lines != nil && lo >= c.from && hi <= c.to {
		return nil
	}
	c.lines, c.looks, c.from, c.to = map[chat.Seq]chat.Element{}, map[chat.Seq]told{}, lo, hi
	for i := range c.chunks {
		chunk := &c.chunks[i]
		if chunk.Hi < lo || chunk.Lo > hi {
			continue
		}
		c.from, c.to = min(c.from, chunk.Lo), max(c.to, chunk.Hi)
		err := c.read(ctx, chunk, func(e chat.Element) error {
			e.JSON = bytes.Clone(e.JSON)
			c.lines[e.Seq] = e
			return nil
		})
		if err == nil {
			err = c.readLooks(ctx, chunk)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readLooks keeps what looks have found of a chunk. Of a damaged receipt nothing is known.
func (c *sourceComparison) readLooks(ctx context.Context, chunk *archive.ChunkEntry) error {
	for r, err := range catalog.Looks(ctx, c.store, c.stream, chunk) {
		if err == nil {
			err = r.Differences(func(l archive.ChangeLine) error {
				t := told{kind: l.Kind}
				if now, err := chat.ScanElement(bytes.Clone(l.Now)); err == nil && isKept(&now) {
					t.now = now
				}
				c.looks[l.Seq] = t
				return nil
			})
		}
		if catalog.Damaged(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read hands on the lines of a chunk. One that is damaged is noted once, and has none.
func (c *sourceComparison) read(ctx context.Context, chunk *archive.ChunkEntry, visit func(chat.Element) error) error {
	if c.bad[chunk.Lo] {
		return nil
	}
	err := catalog.Lines(ctx, c.store, c.stream, *chunk, visit)
	kind := KindHash
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		kind = KindMissingChunk
	case errors.Is(err, objstore.ErrCorrupt):
		kind = KindCRC
	case err == nil || !catalog.Damaged(err):
		return err
	}
	c.bad[chunk.Lo] = true
	c.report.Damaged = append(c.report.Damaged, Finding{Kind: kind, Key: chunk.Key, Text: "cannot be compared with Chat: " + err.Error()})
	return nil
}

// damaged reports whether a seq's chunk is damaged, so that nothing can be said of it.
func (c *sourceComparison) damaged(seq chat.Seq) bool {
	if len(c.bad) == 0 {
		return false
	}
	return slices.ContainsFunc(c.chunks, func(e archive.ChunkEntry) bool { return e.Lo <= seq && seq <= e.Hi && c.bad[e.Lo] })
}
