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
	a := &archived{shelf: shelf{objstore.Observe(store, new(objstore.WriteTimes))}, frontiers: map[chat.Stream]chat.Seq{}}
	var p pointer
	err := a.shelf.readJSON(ctx, layout.SweepLatest(), &p)
	switch {
	case errors.Is(err, objstore.ErrNotExist), err == nil && !validID(p.Base.ID): // no sweep has been planned
		return nil, nil
	case unreadable(err):
		missed(layout.SweepLatest(), err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	a.id = p.Base.ID
	objects := []func(ctx context.Context, n int) (key string, last bool, err error){a.piece, a.result}
	for _, read := range objects {
		for n, last := 0, false; !last; n++ {
			var key string
			key, last, err = read(ctx, n)
			if lost(err) {
				missed(key, err)
			} else if err != nil {
				return nil, fmt.Errorf("what the last sweep knew: %w", err)
			}
		}
	}
	return a.frontiers, nil
}

// archived collects what a sweep knew of what is archived.
type archived struct {
	shelf     shelf
	id        string
	frontiers map[chat.Stream]chat.Seq
}

func (a *archived) know(stream chat.Stream, frontier chat.Seq) {
	if possible(stream) && frontier > a.frontiers[stream] {
		a.frontiers[stream] = frontier
	}
}

// piece reads the n-th piece of what was known when the plan was made.
func (a *archived) piece(ctx context.Context, n int) (key string, last bool, err error) {
	var h pieceHeader
	key = layout.SweepKnown(a.id, n)
	others, err := readLines[record](ctx, a.shelf, key, &h)
	if err != nil {
		return key, errors.Is(err, objstore.ErrNotExist), err
	}
	for r, err := range others {
		if err != nil {
			return key, h.Last, err
		}
		a.know(r.stream(), r.Frontier)
	}
	return key, h.Last, nil
}

// result reads what the n-th batch of the lane found out. One that is not there is the end of what the lane has done.
func (a *archived) result(ctx context.Context, n int) (key string, last bool, err error) {
	var h resultHeader
	key = layout.SweepResult(a.id, n)
	others, err := readResult(ctx, a.shelf, a.id, n, &h)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return key, true, nil
	case err != nil:
		return key, false, err
	}
	for line, err := range others {
		if err != nil {
			return key, h.Last, err
		}
		if line.Done != nil {
			a.know(line.Done.stream(), line.Done.Frontier)
		}
	}
	return key, h.Last, nil
}
