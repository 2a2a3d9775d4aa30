package sweep

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"unique"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// memory is what the last planned sweep knew of all streams, and what its lane has found out since, whether or not that is
// still at work. All of it is a hint: what is lost or broken is done without, and those streams are looked at again.
type memory struct {
	objects shelf
	base    string                      // the sweep; empty if none was planned
	missed  func(key string, err error) // is told of what cannot be read
}

// known returns what was known when the plan was made, in order, read piece by piece.
func (m *memory) known(ctx context.Context) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		if m.base == "" {
			return
		}
		var last chat.Stream
		key := func(piece int) string { return layout.SweepKnown(m.base, piece) }
		for r, err := range readPieces[record](ctx, m.objects, key, new(header), m.missed) {
			if err != nil {
				yield(r, fmt.Errorf("what the sweep before knew: %w", err))
				return
			}
			// In order, else two deliveries knew unlike much; and one line is not to cost all the others.
			if compare(last, r.Stream) < 0 && possible(r.Stream) {
				last = r.Stream
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// results returns what the lane has found out, in order of the streams, and the header of the last result that was read. enough
// may end the reading early.
func (m *memory) results(ctx context.Context, enough func() bool) (done []*record, newest header, err error) {
	if m.base == "" {
		return nil, newest, nil
	}
	key := func(batch int) string { return layout.SweepResult(m.base, batch) }
	missed := func(key string, err error) {
		if !errors.Is(err, objstore.ErrNotExist) { // else that is as far as the lane is
			m.missed(key, err)
		}
	}
	for line, err := range readPieces[resultLine](ctx, m.objects, key, &newest, missed) {
		if err != nil {
			return nil, newest, fmt.Errorf("what the lane before did: %w", err)
		}
		if enough() {
			break
		}
		if r := line.Done; r != nil && possible(r.Stream) {
			// There are few of these, and very many streams.
			for _, word := range []*string{&r.Type, &r.Outcome, &r.Code} {
				*word = unique.Make(*word).Value()
			}
			done = append(done, r)
		}
	}
	slices.Reverse(done) // what was found out last counts
	slices.SortStableFunc(done, func(a, b *record) int { return compare(a.Stream, b.Stream) })
	return done, newest, nil
}

// learned returns what is known of streams now that a lane has done some of them.
func learned(known iter.Seq2[record, error], done []*record) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		for m, err := range join(done, func(r **record) chat.Stream { return (*r).Stream }, known) {
			var r record
			switch {
			case m.value != nil:
				r = **m.value
			case m.record != nil:
				r = *m.record
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Archived returns below which seq each stream is archived, as the last planned sweep knew, and its lane since then; streams
// of which nothing was archived are left out. It writes nothing. All of it is a hint: missed is told of what cannot be had.
// The error is a failed read.
//
// Memory holds the ids of all streams.
func Archived(ctx context.Context, store objstore.Store, missed func(key string, err error)) (map[chat.Stream]chat.Seq, error) {
	objects := shelf{objstore.Observe(store, new(objstore.WriteTimes))}
	p, err := objects.pointer(ctx)
	switch {
	case unreadable(err):
		missed(layout.SweepLatest(), err)
		return nil, nil
	case err != nil:
		return nil, err
	case p.Base.ID == "":
		return nil, nil
	}
	m := &memory{objects, p.Base.ID, missed}
	done, _, err := m.results(ctx, func() bool { return false })
	if err != nil {
		return nil, err
	}
	frontiers := make(map[chat.Stream]chat.Seq)
	for r, err := range learned(m.known(ctx), done) {
		if err != nil {
			return nil, err
		}
		if r.Frontier > 0 {
			frontiers[r.Stream] = r.Frontier
		}
	}
	return frontiers, nil
}
