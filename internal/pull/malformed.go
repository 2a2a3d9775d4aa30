package pull

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// One bad message must not stop a stream, nor take its neighbours along. A page that cannot be read is asked for again,
// then in halves, down to single seqs. Whether it is a message or the service that is broken, another answer tells: a seq
// is malformed if its own answer cannot be read, one that is asked for after that can, and its own, asked for again, still
// cannot. Where nothing else can be read, or nothing is known to be readable, that is a failure of the source.
const (
	// pageTries is how often a page is asked for before it is halved. A half is asked for once: it is part of a page that
	// could not be read, and its own halves are asked for next.
	pageTries = 2
	// seqTries is how often a single seq is asked for after another one has shown that the service can be read. By then it
	// has been part of some seven answers that could not be read.
	seqTries = 3
)

// Range is a closed range of seqs; the zero value is an empty one.
type Range struct{ First, Last chat.Seq }

// errUnproven means that no seq is known that could tell whether it is a message or the service that is broken.
var errUnproven = errors.New("nothing is known to be readable")

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
	mu      sync.Mutex
	asked   int64    // calls that were begun
	came    int64    // number of the last of them that brought something readable
	seq     chat.Seq // something that it brought
	control sync.Mutex
	broken  error // the service was found to be: there is no need to find it out again
}

// begin numbers a call.
func (e *evidence) begin() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	return e.asked
}

func (e *evidence) readable(call int64, page *chat.Page) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if seq := page.Newest(); seq > 0 && call > e.came {
		e.came, e.seq = call, seq
	}
}

// begun returns the number of calls so far.
func (e *evidence) begun() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// since reports whether a call that was begun after so many brought something readable, and what was the last that did.
func (e *evidence) since(calls int64) (bool, chat.Seq) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.came > calls, e.seq
}

// trust makes sure that a call that was begun after so many can be read. If none is known, it reads again what came last,
// or else some of what was read in an earlier batch: from the newest backwards in growing steps, since any of it may have been
// bad then, or have expired. The error wraps errUnproven if there is nothing to read again.
func (r *Reader) trust(ctx context.Context, calls int64) error {
	r.evidence.control.Lock() // the others wait for the same answer
	defer r.evidence.control.Unlock()
	came, last := r.evidence.since(calls)
	if came || r.evidence.broken != nil {
		return r.evidence.broken
	}
	known := make([]chat.Seq, 0, 33)
	if last > 0 {
		known = append(known, last)
	}
	for back := chat.Seq(0); r.Before.First > 0 && r.Before.Last-back >= r.Before.First; back = 2*back + 1 {
		known = append(known, r.Before.Last-back)
	}
	failed := errUnproven
	for _, seq := range known {
		if err := r.Caller.Turn(ctx); err != nil {
			return err
		}
		page, err := r.page(ctx, seq, 1, 1)
		switch {
		case err == nil && len(page.Elements) > 0:
			return nil
		case Unreadable(err):
			failed = fmt.Errorf("what was readable cannot be read any more: %w", err)
		case err != nil:
			return err
		}
	}
	if !errors.Is(failed, errUnproven) {
		r.evidence.broken = failed
	}
	return failed
}

// suspect is a seq whose own answer could not be read.
type suspect struct {
	seq   chat.Seq
	calls int64 // that were begun by then
	err   error
}

// apart reads [lo, hi], a page of which cannot be read, half by half. A service of which nothing can be read is not worth
// so many calls.
func (w *walk) apart(ctx context.Context, lo, hi chat.Seq, cause error) error {
	if lo == hi {
		if w.found[lo-w.lo].Seq == 0 { // else it was found malformed before
			w.suspects = append(w.suspects, suspect{lo, w.evidence.begun(), cause})
		}
		return nil
	}
	if err := w.trust(ctx, 0); err != nil && !errors.Is(err, errUnproven) {
		return err
	}
	was := w.tries
	w.tries = 1
	defer func() { w.tries = was }()
	middle := lo + (hi-lo)/2
	for _, half := range [][2]chat.Seq{{middle + 1, hi}, {lo, middle}} {
		if err := w.Caller.Turn(ctx); err != nil {
			return fmt.Errorf("read page at %d: %w", half[1], err)
		}
		if err := w.down(ctx, half[0], half[1]); err != nil {
			return err
		}
	}
	return nil
}

// judge decides about the suspects, once everything around them has been read, which in most cases is evidence enough.
func (w *walk) judge(ctx context.Context) error {
	for _, s := range w.suspects {
		err := w.trust(ctx, s.calls)
		if errors.Is(err, errUnproven) {
			return fmt.Errorf("read page at %d: %w: %w", s.seq, err, s.err)
		}
		if err != nil {
			return err
		}
		if err := w.Caller.Turn(ctx); err != nil {
			return fmt.Errorf("read page at %d: %w", s.seq, err)
		}
		page, err := w.page(ctx, s.seq, 1, seqTries)
		malformed, ok := errors.AsType[*chat.MalformedError](err)
		switch {
		case err == nil:
			w.keep(page, s.seq, s.seq)
		case ok && Unreadable(err):
			e := chat.NewMalformed(s.seq, malformed.Answer)
			e.Shape = malformed.Shape
			w.keep(chat.Page{Elements: []chat.Element{e}}, s.seq, s.seq)
		default:
			return fmt.Errorf("read page at %d: %w", s.seq, err)
		}
	}
	w.suspects = nil
	return nil
}
