// Package pull reads ranges of a stream's history from the source: one page, a segment walked downwards, segments side by
// side but in order, and the place where the retained history begins.
//
// It owns how the service is asked and how often, and what an answer proves. It must never know an archive, decide what
// is stored, or take for the end of anything what the service says of the end (IsFinished, a short page): a seq counts as
// absent only when it was asked for again and did not come.
package pull

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// Source answers one call. Every method makes one attempt: a Reader paces and repeats it by the class of its error
// (retry.ClassOf). Errors match chat.ErrGone, chat.ErrUnsupported, chat.ErrTooLarge and chat.ErrMalformed where they
// apply. A source is safe for concurrent use.
type Source interface {
	// Page returns one page of history.
	Page(ctx context.Context, q chat.Query) (chat.Page, error)
}

// Reader reads the history of one stream. Its fields are set once, before the first call; it is safe for concurrent use.
type Reader struct {
	Source      Source
	Caller      *retry.Caller // of the work that reads, which counts its calls
	Stream      chat.Stream
	Concurrency int   // segments or probes side by side (CHAT_CONCURRENCY)
	Before      Range // was read in earlier batches
	Log         zerolog.Logger

	pages    atomic.Int64
	evidence evidence
}

// Pages returns how many pages have come so far.
func (r *Reader) Pages() int64 { return r.pages.Load() }

// Page reads one page, of fewer messages than were asked for where the answer would be too large. seq is the largest
// wanted, 0 for the newest page; number is in [1, chat.PageSize]. A page that cannot be read is put together from its
// pieces, what is malformed included; the newest page has no place to begin at: Unreadable tells its error.
func (r *Reader) Page(ctx context.Context, seq chat.Seq, number int) (chat.Page, error) {
	page, err := r.whole(ctx, seq, number)
	if !Unreadable(err) || seq == 0 {
		return page, err
	}
	w := newWalk(r, max(1, seq-chat.Seq(number)+1), seq)
	if err := w.apart(ctx, w.lo, w.hi, err); err != nil {
		return chat.Page{}, err
	}
	return chat.Page{Elements: w.segment().Elements, Finished: chat.FinishedAbsent}, nil
}

// whole reads one page, of fewer messages where the answer would be too large. Unreadable tells an error of one that cannot
// be read.
func (r *Reader) whole(ctx context.Context, seq chat.Seq, number int) (chat.Page, error) {
	for {
		if err := r.Caller.Turn(ctx); err != nil {
			return chat.Page{}, err
		}
		page, err := r.page(ctx, seq, number, pageTries)
		if !errors.Is(err, chat.ErrTooLarge) || number <= 1 {
			return page, err
		}
		number = (number + 1) / 2
	}
}

// SurePage reads a page from which much is concluded if it is empty. Since it may be so for a moment, it is then asked
// for again, unless it says itself that everything has expired.
func (r *Reader) SurePage(ctx context.Context, seq chat.Seq, number int) (chat.Page, error) {
	return sure(ctx, seq, number, r.Page)
}

// WholePage is SurePage, but of a page that cannot be read Unreadable tells the error: its pieces may take many calls.
func (r *Reader) WholePage(ctx context.Context, seq chat.Seq, number int) (chat.Page, error) {
	return sure(ctx, seq, number, r.whole)
}

func sure(ctx context.Context, seq chat.Seq, number int, read func(context.Context, chat.Seq, int) (chat.Page, error)) (chat.Page, error) {
	page, err := read(ctx, seq, number)
	if err == nil && len(page.Elements) == 0 && page.Finished != chat.FinishedExpired {
		return read(ctx, seq, number)
	}
	return page, err
}

// page makes the call for which a turn was taken. A page that lies wholly above what was asked would lead a reader in
// circles: it is asked for again, then given up. One that cannot be read is given up after so many tries.
func (r *Reader) page(ctx context.Context, seq chat.Seq, number, tries int) (chat.Page, error) {
	var page chat.Page
	patience := impatient{tries}
	err := r.Caller.Do(ctx, func(ctx context.Context) error {
		call := r.evidence.asked.Add(1)
		var err error
		if page, err = r.Source.Page(ctx, chat.Query{Stream: r.Stream, Seq: seq, Number: number}); err != nil {
			return patience.judge(err)
		}
		if bottom := page.Oldest(); seq > 0 && bottom > seq {
			return protocolError{fmt.Errorf("%w: asked for seqs up to %d, got %d and above", ErrProtocol, seq, bottom)}
		}
		r.evidence.readable(call, &page)
		return nil
	})
	if err == nil {
		r.pages.Add(1)
	}
	return page, err
}

// ErrProtocol means that the service answered, again and again, something that its documentation excludes.
var ErrProtocol = errors.New("the service broke its protocol")

// protocolError is worth another attempt: a broken answer is more often a gateway's hiccup than a service's habit.
type protocolError struct{ error }

func (p protocolError) Unwrap() error           { return p.error }
func (p protocolError) RetryClass() retry.Class { return retry.Transient }

// OutOfTime reports whether a call was not made because it could not have ended in time, and for no other reason than,
// maybe, a message that cannot be read and takes many calls.
func OutOfTime(err error) bool {
	_, malformed := errors.AsType[*chat.MalformedError](err)
	return errors.Is(err, retry.ErrNoTime) && (malformed || retry.ClassOf(err) == retry.Permanent)
}
