package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/panics"
)

// Summary is what was found of a whole archive.
type Summary struct {
	Streams int `json:"streams"`
	Unsound int `json:"unsound"` // streams with findings
	// Findings and Warnings are of objects that belong to no stream. Those of streams are in their reports.
	Findings []Finding `json:"findings,omitempty"`
	Warnings []Finding `json:"warnings,omitempty"`
	Omitted  int       `json:"omitted,omitempty"` // those beyond Options.MaxFindings
}

// Sound reports whether nothing is wrong with any stream, nor between them.
func (s *Summary) Sound() bool { return s.Unsound == 0 && len(s.Findings) == 0 }

// Archive verifies all streams that have any object, or that Options expect, up to Options.Parallel side by side, and looks for objects that
// belong to none. Visit, which may be nil, gets each stream's report as it is done: one at a time, in no particular
// order. The first failed read, and an error of visit, end the verification.
//
// Besides what Stream needs for each stream at work, memory holds the ids of all streams. What is remembered of files is shared:
// one that several streams link to is looked at once.
func Archive(ctx context.Context, store Store, opts Options, visit func(Report) error) (Summary, error) {
	var summary Summary
	opts = opts.filled()
	streams, listed, err := find(ctx, store, opts, &summary)
	if err != nil {
		return summary, fmt.Errorf("verify: %w", err)
	}
	var mu sync.Mutex
	done := func(r Report) error {
		mu.Lock()
		defer mu.Unlock()
		summary.Streams++
		if !r.Sound() {
			summary.Unsound++
		}
		if visit == nil {
			return nil
		}
		return visit(r)
	}
	files := newBlobs(store, opts)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(opts.Parallel)
	for _, s := range streams {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			err := panics.Brief("verify "+s.String(), func() error {
				report, err := verifyStream(ctx, store, s, opts, files, listed)
				if err != nil {
					return err
				}
				return done(report)
			})
			if errors.Is(err, ErrNothing) { // deleted since it was listed
				return nil
			}
			return err
		})
	}
	err = group.Wait()
	return summary, err
}

// find lists everything once, which may not show all that is expected: whether that is there, its verification tells. A stream is whatever a key names, be it a foreign one beside the stream's chunks.
// listed are the prefixes of receipts below which there is something.
func find(ctx context.Context, store Store, opts Options, summary *Summary) (streams []chat.Stream, listed map[string]bool, err error) {
	seen := map[chat.Stream]struct{}{}
	listed = map[string]bool{}
	for s := range opts.Known {
		seen[s] = struct{}{}
	}
	for s := range opts.Against {
		seen[s] = struct{}{}
	}
	prefixes := []string{layout.DataPrefix, layout.ManifestPrefixRoot, layout.MediaPrefixRoot, layout.ChangePrefixRoot, layout.StatePrefix}
	if opts.Level != LevelChain || opts.Files {
		prefixes = append(prefixes, layout.BlobPrefix) // the most objects by far, and no stream is known by them
	}
	for _, prefix := range prefixes {
		for entry, err := range store.List(ctx, prefix, "") {
			if err != nil {
				return nil, nil, fmt.Errorf("list %s: %w", prefix, err)
			}
			key := entry.Key
			if strings.HasPrefix(key, layout.SweepPrefix) {
				continue // a sweep's own affair
			}
			s, ok := owner(key)
			switch {
			case !ok:
				summary.stray(key, opts.MaxFindings)
			case s != chat.Stream{}: // a blob belongs to whatever receipts name it, be it none: it is written first
				seen[s] = struct{}{}
				switch prefix {
				case layout.MediaPrefixRoot:
					listed[layout.MediaPrefix(s)] = true
				case layout.ChangePrefixRoot:
					listed[layout.ChangePrefix(s)] = true
				}
			}
		}
	}
	streams = make([]chat.Stream, 0, len(seen))
	for s := range seen {
		streams = append(streams, s)
	}
	slices.SortFunc(streams, func(a, b chat.Stream) int {
		return strings.Compare(layout.ChunkPrefix(a), layout.ChunkPrefix(b))
	})
	return streams, listed, nil
}

// stray tells of an object that belongs to no stream.
func (s *Summary) stray(key string, most int) {
	list, f := &s.Findings, Finding{KindForeign, key, "is not an object of the archive"}
	if litter(key) {
		list, f = &s.Warnings, Finding{KindLitter, key, litterText}
	}
	if len(*list) >= most {
		s.Omitted++
		return
	}
	*list = append(*list, f)
}

// owner returns the stream whose verification looks at a key, if there is one; of a blob, the zero stream.
func owner(key string) (chat.Stream, bool) {
	if name, err := layout.Parse(key); err == nil {
		return name.Stream, true
	}
	parts := strings.SplitN(key, "/", 4)
	if len(parts) < 4 || strings.HasPrefix(key, layout.StatePrefix) || strings.HasPrefix(key, layout.BlobPrefix) { // only the name itself is read
		return chat.Stream{}, false
	}
	genesis := layout.ManifestPrefixRoot + parts[1] + "/" + parts[2] + "/genesis.json"
	name, err := layout.Parse(genesis)
	if err != nil {
		return chat.Stream{}, false
	}
	return name.Stream, true
}
