package pull

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// One bad message must not stop a stream, nor take its neighbours along. A page that cannot be read is asked for again,
// then in parts, down to single seqs. Whether it is a message or the service that is broken, another answer tells: a seq
// is malformed if its own answer cannot be read, one that is asked for after that can, and its own, asked for again, still
// cannot. Where nothing else can be read, that is a failure of the source.
const (
	// pageTries is how often a page is asked for before it is divided. A part of it is asked for once.
	pageTries = 2
	// seqTries is how often a single seq is asked for after another one has shown that the service can be read. With the
	// tries before, as many answers have failed as are tried of any other call.
	seqTries = 3
	// farOff is how far around a seq something readable is looked for.
	farOff chat.Seq = 256
)

// Range is a closed range of seqs; the zero value is an empty one.
type Range struct{ First, Last chat.Seq }

// errBroken means that nothing else could be read, either: it may be the service that is broken, and not a message.
var errBroken = errors.New("nothing else can be read, either")

// unreadable is an answer of the API that could not be read though it was asked for again. It is not worth another attempt.
type unreadable struct{ error }

func (u unreadable) Unwrap() error           { return u.error }
func (u unreadable) RetryClass() retry.Class { return retry.Permanent }

// Unreadable reports whether a page came, again and again, as an answer of the API that cannot be read: what is on it
// must be asked for in pieces.
func Unreadable(err error) bool {
	_, ok := errors.AsType[unreadable](err)
	return ok
}

// impatient gives up an answer of the API that cannot be read at the last of so many tries.
type impatient struct{ left int }

func (i *impatient) judge(err error) error {
	if malformed, ok := errors.AsType[*chat.MalformedError](err); ok && malformed.Answer != nil {
		if i.left--; i.left <= 0 {
			return unreadable{err}
		}
	}
	return err
}

// evidence is what answers have told of the service so far.
type evidence struct {
	asked atomic.Int64 // calls that were begun, which numbers them

	mu   sync.Mutex
	came int64    // number of the last of them that brought something readable
	seq  chat.Seq // something that it brought

	made   sync.Once
	trying chan struct{} // held by the one who asks for something else; the others wait for the answer
	broken error         // the service was found to be: there is no need to find it out again
}

// try waits until nobody else tries.
func (e *evidence) try(ctx context.Context) error {
	e.made.Do(func() { e.trying = make(chan struct{}, 1) })
	select {
	case e.trying <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *evidence) readable(call int64, page *chat.Page) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if seq := page.Newest(); seq > 0 && call > e.came {
		e.came, e.seq = call, seq
	}
}

// since reports whether a call that was begun after so many brought something readable, and what was the last that did.
func (e *evidence) since(calls int64) (bool, chat.Seq) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.came > calls, e.seq
}

// trust makes sure that a call that was begun after so many brought something readable, and asks for something else if
// none did: what came last, what was read in earlier batches (from the newest backwards in growing steps, since any of it
// may have been bad then, or have expired), and what lies around a seq.
func (r *Reader) trust(ctx context.Context, calls int64, around chat.Seq) error {
	if err := r.evidence.try(ctx); err != nil {
		return err
	}
	defer func() { <-r.evidence.trying }()
	came, last := r.evidence.since(calls)
	if came || r.evidence.broken != nil {
		return r.evidence.broken
	}
	failed := chat.ErrMalformed
	for _, seq := range r.others(last, around) {
		for range 2 { // an answer may be empty for a moment
			if err := r.Caller.Turn(ctx); err != nil {
				return err
			}
			page, err := r.page(ctx, seq, 1, 1)
			if err == nil && len(page.Elements) > 0 {
				return nil
			}
			if err != nil && !Unreadable(err) {
				return err
			}
			if err != nil {
				failed = err
				break
			}
		}
	}
	r.evidence.broken = fmt.Errorf("%w: %w", errBroken, failed)
	return r.evidence.broken
}

// others lists seqs that may tell whether the service can be read.
func (r *Reader) others(last, around chat.Seq) []chat.Seq {
	var seqs []chat.Seq
	if last > 0 {
		seqs = append(seqs, last)
	}
	for back := chat.Seq(0); r.Before.First > 0 && r.Before.Last-back >= r.Before.First; back = 2*back + 1 {
		seqs = append(seqs, r.Before.Last-back)
	}
	for step := chat.Seq(1); step <= farOff; step *= 2 {
		if around > step/2+1 { // down to 1, and not twice
			seqs = append(seqs, max(1, around-step))
		}
		if around+step <= chat.MaxSeq {
			seqs = append(seqs, around+step)
		}
	}
	return seqs
}

// apart reads [lo, hi], a page of which cannot be read, in parts, from the oldest upwards, and the very oldest first: what is
// below is done with when the time ends, however short it is. The answer says what is bad, as long as it has a message for
// every seq; where it does not, halves find it.
func (w *walk) apart(ctx context.Context, lo, hi chat.Seq, cause error) error {
	if lo == hi {
		return w.judge(ctx, lo)
	}
	middle := lo + (hi-lo)/2
	parts := []Range{{lo, middle}, {middle + 1, hi}}
	if malformed, ok := errors.AsType[*chat.MalformedError](cause); ok && w.tries > 1 {
		bad := hi
		if malformed.After > lo && malformed.After <= hi {
			bad = malformed.After - 1
		}
		parts = []Range{{lo, lo}, {lo + 1, bad - 1}, {max(bad, lo+1), bad}, {bad + 1, hi}}
	}
	tries := w.tries
	w.tries = 1
	defer func() { w.tries = tries }()
	for _, part := range parts {
		if part.First > part.Last {
			continue
		}
		if err := w.part(ctx, part.First, part.Last, tries > 1); err != nil {
			return err
		}
	}
	return nil
}

// part reads a part of the segment. Where nothing is left to be done below it, it is done with then, if it is to be.
func (w *walk) part(ctx context.Context, lo, hi chat.Seq, finish bool) error {
	err := w.again(ctx, lo, hi)
	if err == nil && finish && lo == w.done+1 && !w.audits {
		if err = w.audit(ctx, lo, hi); err == nil {
			w.done = hi
		}
	}
	return err
}

// judge decides about a seq whose own answer could not be read.
func (w *walk) judge(ctx context.Context, seq chat.Seq) error {
	if w.found[seq-w.lo].Seq != 0 {
		return nil // it was found malformed before
	}
	err := w.trust(ctx, w.evidence.asked.Load(), seq)
	if err == nil {
		err = w.Caller.Turn(ctx)
	}
	if err != nil {
		return fmt.Errorf("read page at %d: %w", seq, err)
	}
	page, err := w.page(ctx, seq, 1, seqTries)
	malformed, ok := errors.AsType[*chat.MalformedError](err)
	switch {
	case err == nil:
		w.keep(page, seq, seq)
	case ok && Unreadable(err):
		e := chat.NewMalformed(seq, malformed.Answer)
		e.Shape = malformed.Shape
		w.keep(chat.Page{Elements: []chat.Element{e}}, seq, seq)
	default:
		return fmt.Errorf("read page at %d: %w", seq, err)
	}
	return nil
}
