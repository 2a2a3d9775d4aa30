package export

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/trail"
)

// openTrails takes up the stream's trails where its state says that they stand.
func openTrails(h *hints) []*trail.Trail {
	trails := make([]*trail.Trail, 0, len(h.Trails))
	for _, kind := range h.Trails {
		trails = append(trails, trail.Open(kind, trail.Batch{
			Stream: h.Stream, Store: h.store, Reader: h.reader, Run: h.runID, Writer: h.writer, Earlier: h.earlier(), Jitter: h.Caller.Policy.Jitter, Log: h.Log,
		}, *h.state.Of(kind.Form())))
	}
	return trails
}

// follow follows the trails in the time that is left, once all messages are listed. What goes wrong with them never fails
// the run; the error is a verdict on the stream.
func (b *batch) follow(ctx context.Context, gone bool) error {
	if b.tail.genesis == nil {
		return nil
	}
	to, began := b.tail.frontier, time.Now()
	half := b.halfFor(began)
	for _, t := range b.tail.manifests.trails {
		name := t.Form().Name
		if gone && name == archive.Change().Name { // there is nothing left to look at
			continue
		}
		if b.MessagesOnly {
			b.stands[name] = t.Stand(to)
			continue
		}
		stand := t.Follow(ctx, trail.Following{
			To: to, Last: *b.tail.manifests.receipts.Of(t.Form()), Until: b.budget.lastStart, End: b.budget.pullEnd,
			Half: half,
		})
		if errors.Is(stand.Err, trail.ErrRecreated) {
			return recreated("%v", stand.Err)
		}
		if stand.Err != nil {
			code := codeOf(stand.Err)
			t.Fail(code)
			b.Log.Warn().Str("trail", name).Str("code", code).Err(stand.Err).Msg("the trail stands still; messages are archived all the same")
		}
		b.stands[name] = stand
	}
	b.warnOfFiles()
	b.trailsGoOn = !b.MessagesOnly && b.handsOn(began.After(half))
	return nil
}

// halfFor returns until when a trail that begins now has as much of a batch as it can get. Behind new messages that is half
// of the time. Where there were none, the next batch will have no more time than this one: it is half of what is left.
func (b *batch) halfFor(began time.Time) time.Time {
	from := b.budget.start
	if !b.tail.progressed() {
		from = began
	}
	return from.Add(max(0, b.budget.lastStart.Sub(from)) / 2)
}

// warnOfFiles tells what could not be had.
func (b *batch) warnOfFiles() {
	lost := maps.Clone(b.stands[archive.Media().Name].Counts)
	for _, fine := range []string{archive.MediaStored, archive.MediaExternal, archive.MediaNoURL} {
		delete(lost, fine)
	}
	line := b.Log.Warn()
	for _, state := range slices.Sorted(maps.Keys(lost)) {
		if lost[state] > 0 {
			line = line.Int64("files_"+state, lost[state])
		}
	}
	if len(lost) > 0 {
		line.Msg("files could not be had")
	} else {
		line.Discard()
	}
}

// handsOn reports whether a trail is worth a continuation: it has something to do, and either got on or had little of the
// batch's time.
func (b *batch) handsOn(late bool) bool {
	for _, s := range b.stands {
		if s.Left && (s.Advanced || late) {
			return true
		}
	}
	return false
}

// left reports whether a trail has something to do.
func (b *batch) left() bool {
	for _, s := range b.stands {
		if s.Left {
			return true
		}
	}
	return false
}

// earliest returns the first of the trails' times; zero if none has one.
func (b *batch) earliest(of func(trail.Stand) time.Time) time.Time {
	var first time.Time
	for _, s := range b.stands {
		if at := of(s); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}
