package catalog

import (
	"context"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// Waiting is what of a stream's listed links no receipt accounts for yet.
type Waiting struct {
	Links  int64
	From   chat.Seq  // where the first of them may be; 0 if none waits
	Oldest int64     // time of the oldest message of their chunks, in seconds since 1970; 0 if none has one
	Listed time.Time // when the first of their chunks was listed
}

// WaitingLinks reads the manifests from where a stream's state says that the trail of files stands, none if that is behind the
// last one. Where no state tells, hint is nil: then it reads all of them from first on, and lists the receipts.
func WaitingLinks(ctx context.Context, store Store, s chat.Stream, first chat.Seq, hint *archive.TrailHint) (Waiting, error) {
	var w Waiting
	var frontier chat.Seq
	if hint != nil {
		frontier = hint.Frontier
		if hint.Manifest != 0 {
			first = hint.Manifest
		}
	} else {
		last, err := lastReceipt(ctx, store, s)
		if err != nil {
			return w, err
		}
		frontier = max(first, last+1)
	}
	for m, err := range Manifests(ctx, store, s, first) {
		if err != nil {
			return w, err
		}
		for i := range m.Chunks {
			c := &m.Chunks[i]
			if c.Links == 0 || c.Hi < frontier {
				continue
			}
			n, from := c.Links, c.Lo
			if c.Lo < frontier { // its first receipts are there, perhaps all
				for r, err := range Receipts(ctx, store, s, c) {
					if err != nil {
						return w, err
					}
					n, from = n-r.Sum(), r.Hi+1
				}
			}
			if n > 0 {
				w.add(n, from, c, m.FinishedAt)
			}
		}
	}
	return w, nil
}

func (w *Waiting) add(links int64, from chat.Seq, c *archive.ChunkEntry, listed time.Time) {
	w.Links += links
	if w.From == 0 {
		w.From, w.Listed = from, listed
	}
	if c.TsMin != 0 && (w.Oldest == 0 || c.TsMin < w.Oldest) {
		w.Oldest = c.TsMin
	}
}

// lastReceipt returns the first seq of the last receipt of files, 0 if there is none.
func lastReceipt(ctx context.Context, store Store, s chat.Stream) (last chat.Seq, err error) {
	prefix := layout.MediaPrefix(s)
	for entry, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return 0, fmt.Errorf("list %s: %w", prefix, err)
		}
		if name, err := layout.Parse(entry.Key); err == nil {
			last = max(last, name.Lo)
		}
	}
	return last, nil
}
