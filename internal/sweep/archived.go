package sweep

import (
	"context"
	"errors"
	"fmt"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Archived returns below which seq each stream is archived, as the last planned sweep knew, and its lane since then; streams
// of which nothing was archived are left out. It writes nothing. All of it is a hint: missed is told of what cannot be had.
// The error is a failed read.
//
// Memory holds the ids of all streams.
func Archived(ctx context.Context, store objstore.Store, missed func(key string, err error)) (map[chat.Stream]chat.Seq, error) {
	s := shelf{objstore.Observe(store, new(objstore.WriteTimes))}
	var p pointer
	err := s.readJSON(ctx, layout.SweepLatest(), &p)
	switch {
	case errors.Is(err, objstore.ErrNotExist), err == nil && !validID(p.Base.ID): // no sweep has been planned
		return nil, nil
	case unreadable(err):
		missed(layout.SweepLatest(), err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	archived := map[chat.Stream]chat.Seq{}
	know := func(stream chat.Stream, frontier chat.Seq) {
		if possible(stream) && frontier > archived[stream] {
			archived[stream] = frontier
		}
	}
	follow := func(key func(id string, n int) string, read func(n int) (last bool, err error)) error {
		for n := 0; ; n++ {
			last, err := read(n)
			if lost(err) {
				missed(key(p.Base.ID, n), err)
			} else if err != nil {
				return fmt.Errorf("what the last sweep knew: %w", err)
			}
			if last {
				return nil
			}
		}
	}
	err = follow(layout.SweepKnown, func(n int) (bool, error) {
		var h pieceHeader
		others, err := readLines[record](ctx, s, layout.SweepKnown(p.Base.ID, n), &h)
		if err != nil {
			return errors.Is(err, objstore.ErrNotExist), err
		}
		for r, err := range others {
			if err != nil {
				return h.Last, err
			}
			know(r.stream(), r.Frontier)
		}
		return h.Last, nil
	})
	if err != nil || !p.Base.Lane {
		return archived, err
	}
	err = follow(layout.SweepResult, func(n int) (bool, error) {
		var h resultHeader
		others, err := readResult(ctx, s, p.Base.ID, n, &h)
		switch {
		case errors.Is(err, objstore.ErrNotExist):
			return true, nil // the lane has come so far
		case err != nil:
			return false, err
		}
		for line, err := range others {
			if err != nil {
				return h.Last, err
			}
			if line.Done != nil {
				know(line.Done.stream(), line.Done.Frontier)
			}
		}
		return h.Last, nil
	})
	return archived, err
}
