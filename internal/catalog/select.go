package catalog

import (
	"context"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// Range is what a reader wants. Zero fields are open ends.
type Range struct {
	FromSeq, ToSeq chat.Seq // both included
	// Since and Until are times in seconds since 1970, Since included, Until not. Elements without a time are never
	// within a range of time.
	Since, Until int64
	// Known leaves out what was listed later, or is not listed yet; zero is no bound. It bounds Select only.
	Known time.Time
	// Looked is set by readers that read looks beside chunks, too: of a seq that had no message, or one without a time, a look
	// may have found one.
	Looked bool
}

// Wants reports whether a chunk, or a look at it, may hold an element of the range, as far as its description tells.
func (r Range) Wants(c *archive.ChunkEntry) bool {
	switch {
	case r.FromSeq > 0 && c.Hi < r.FromSeq, r.ToSeq > 0 && c.Lo > r.ToSeq:
		return false
	case r.Looked && c.Absent+c.Malformed+c.Placeholders > 0:
		return true
	case c.Lines() == 0:
		return false
	case r.Since == 0 && r.Until == 0:
		return true
	case c.TsMin == 0:
		return false
	case r.Since != 0 && c.TsMax < r.Since, r.Until != 0 && c.TsMin >= r.Until:
		return false
	default:
		return true
	}
}

// Has reports whether an element is within the range.
func (r Range) Has(e *chat.Element) bool {
	switch {
	case r.FromSeq > 0 && e.Seq < r.FromSeq, r.ToSeq > 0 && e.Seq > r.ToSeq:
		return false
	case r.Since == 0 && r.Until == 0:
		return true
	case e.Time <= 0:
		return false
	case r.Since != 0 && e.Time < r.Since, r.Until != 0 && e.Time >= r.Until:
		return false
	default:
		return true
	}
}

// Select returns the descriptions of the chunks that may hold something of the range, in order. It reads no chunk.
func Select(ctx context.Context, store Store, s chat.Stream, r Range) ([]archive.ChunkEntry, error) {
	var chosen []archive.ChunkEntry
	for c, err := range chunksUntil(ctx, store, s, r.Known) {
		if err != nil {
			return nil, err
		}
		if r.ToSeq > 0 && c.Lo > r.ToSeq {
			break
		}
		if r.Wants(&c) {
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}
