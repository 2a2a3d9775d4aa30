package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
)

// Source answers pages of history, as package chatapi does. It paces and repeats calls itself.
type Source interface {
	// Page returns one page of history.
	Page(ctx context.Context, q chat.Query) (chat.Page, error)
}

// SourceReport is how a sample of a stream's archive compares with what the service holds now.
type SourceReport struct {
	Pages     int   `json:"pages"`
	Equal     int64 `json:"equal"`
	Recalled  int64 `json:"recalled_since"` // archived whole, recalled in the service since then
	Expired   int64 `json:"expired_since"`  // archived, no longer in the service
	Missing   int64 `json:"missing"`        // in the service, not archived
	Different int64 `json:"different"`      // archived with another content

	Seqs []chat.Seq `json:"seqs,omitempty"` // the first of the missing and the different
}

// Same reports whether the service contradicts nothing that is archived.
func (r *SourceReport) Same() bool { return r.Missing == 0 && r.Different == 0 }

// newestShare of the sampled pages is taken from the newest messages: only they may still be in the service.
const newestShare = 0.5

// newestSeqs is what counts as the newest.
const newestSeqs = 1000

// CompareSource pulls pages of the archived range again and compares each element with the archive: the newest page, then others at
// random, half of them from the newest thousand seqs. It reads only the chunks that hold the pages. What the service has forgotten or
// recalled since is counted, and is no fault.
func CompareSource(ctx context.Context, store Store, source Source, s chat.Stream, pages int) (SourceReport, error) {
	var report SourceReport
	var chunks []archive.ChunkEntry
	for c, err := range catalog.Chunks(ctx, store, s) {
		if errors.Is(err, catalog.ErrNoArchive) {
			return report, nil
		}
		if err != nil {
			return report, fmt.Errorf("compare with the source: %w", err)
		}
		chunks = append(chunks, c)
	}
	if len(chunks) == 0 {
		return report, nil
	}
	lo, hi := chunks[0].Lo, chunks[len(chunks)-1].Hi
	sample := sampleSeqs(lo, hi, pages)
	c := &sourceComparison{store: store, stream: s, report: &report, chunks: chunks}
	for _, seq := range sample {
		page, err := source.Page(ctx, chat.Query{Stream: s, Seq: seq, Number: chat.PageSize})
		if err != nil {
			return report, fmt.Errorf("compare with the source: %w", err)
		}
		if err := c.page(ctx, page, max(lo, seq-chat.PageSize+1), seq); err != nil {
			return report, fmt.Errorf("compare with the source: %w", err)
		}
		report.Pages++
	}
	return report, nil
}

// sampleSeqs chooses the pages' last seqs, ascending, so that each chunk is read once.
func sampleSeqs(lo, hi chat.Seq, pages int) []chat.Seq {
	sample := []chat.Seq{hi}
	for i := 1; i < pages; i++ {
		from := lo
		if float64(i) < newestShare*float64(pages) {
			from = max(lo, hi-newestSeqs)
		}
		sample = append(sample, from+rand.N(hi-from+1))
	}
	slices.Sort(sample)
	return slices.Compact(sample)
}

type sourceComparison struct {
	store  Store
	stream chat.Stream
	report *SourceReport
	chunks []archive.ChunkEntry

	lines map[chat.Seq][]byte // of the chunks at hand
	from  chat.Seq            // the range that lines covers
	to    chat.Seq
}

// page compares what the service has of [lo, hi].
func (c *sourceComparison) page(ctx context.Context, page chat.Page, lo, hi chat.Seq) error {
	if err := c.load(ctx, lo, hi); err != nil {
		return err
	}
	retained := map[chat.Seq]bool{}
	prefix := &comparison{stream: c.stream, prefix: splice(c.stream)}
	for i := range page.Elements {
		e := &page.Elements[i]
		if e.Seq < lo || e.Seq > hi || !e.Retained() || retained[e.Seq] {
			continue
		}
		retained[e.Seq] = true
		line, archived := c.lines[e.Seq]
		was, err := scan(line, archived)
		if err != nil {
			return err
		}
		switch {
		case !archived || !was.Retained():
			note(&c.report.Missing, &c.report.Seqs, e.Seq)
		case prefix.equal(line, e.JSON):
			c.report.Equal++
		case e.Place == chat.PlaceRecalled && was.Place != chat.PlaceRecalled:
			c.report.Recalled++
		default:
			note(&c.report.Different, &c.report.Seqs, e.Seq)
		}
	}
	for seq, line := range c.lines {
		if was, err := scan(line, true); err == nil && seq >= lo && seq <= hi && was.Retained() && !retained[seq] {
			c.report.Expired++
		}
	}
	return nil
}

func scan(line []byte, archived bool) (chat.Element, error) {
	if !archived {
		return chat.Element{}, nil
	}
	return chat.ScanElement(line)
}

// load reads the chunks that overlap [lo, hi] and keeps their lines.
func (c *sourceComparison) load(ctx context.Context, lo, hi chat.Seq) error {
	if c.lines != nil && lo >= c.from && hi <= c.to {
		return nil
	}
	c.lines, c.from, c.to = map[chat.Seq][]byte{}, lo, hi
	for i := range c.chunks {
		if c.chunks[i].Hi < lo || c.chunks[i].Lo > hi {
			continue
		}
		c.from, c.to = min(c.from, c.chunks[i].Lo), max(c.to, c.chunks[i].Hi)
		err := catalog.Lines(ctx, c.store, c.stream, c.chunks[i], func(e chat.Element) error {
			c.lines[e.Seq] = bytes.Clone(e.JSON)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
