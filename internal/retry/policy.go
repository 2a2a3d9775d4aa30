package retry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// maxDoubtful is how often a call whose failure has an unknown code is repeated: often enough to ride out a new kind
// of transient failure, seldom enough not to hammer a service that means "no".
const maxDoubtful = 2

// ErrNoTime is joined to the last failure when the context would end before the next attempt could begin.
var ErrNoTime = errors.New("no time left for another attempt")

// Policy is exponential back-off with full jitter: before attempt n + 1 it waits a random time between 0 and
// min(Cap, Base * 2^(n-1)). The random part keeps callers that failed together from coming back together.
type Policy struct {
	Base     time.Duration // upper bound of the first wait
	Cap      time.Duration // upper bound of every wait
	Attempts int           // attempts in all, at least 1

	// Jitter picks a wait below the bound, which is positive; nil means a random one. A simulation that is to run twice
	// the same way brings its own.
	Jitter func(bound time.Duration) time.Duration
}

// Do calls fn until it succeeds, fails for good, or the attempts or the context are used up, and returns fn's last
// error. Attempts count from 1. A context that has ended already performs no attempt. fn gets ctx unchanged, and
// bounds a single attempt itself.
func (p Policy) Do(ctx context.Context, fn func(ctx context.Context, attempt int) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not attempted: %w", context.Cause(ctx))
	}
	for attempt := 1; ; attempt++ {
		err := fn(ctx, attempt)
		if err == nil || !p.again(attempt, err) {
			return err
		}
		if waited := Sleep(ctx, p.wait(attempt)); waited != nil {
			return fmt.Errorf("%w; %w", err, waited) // on one line, unlike errors.Join
		}
	}
}

func (p Policy) again(attempt int, err error) bool {
	switch ClassOf(err) {
	case Transient, Throttled:
		return attempt < p.Attempts
	case Doubtful:
		return attempt < p.Attempts && attempt <= maxDoubtful
	case Permanent:
		return false
	default:
		return false
	}
}

func (p Policy) wait(attempt int) time.Duration {
	bound := p.Cap
	if shift := attempt - 1; shift < 30 {
		bound = min(p.Cap, p.Base<<shift)
	}
	if bound <= 0 {
		return 0
	}
	if p.Jitter != nil {
		return p.Jitter(bound)
	}
	return rand.N(bound)
}

// Ended describes a context that has ended: by its cause, too, where that says more.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// Sleep waits for d or until ctx ends. It returns an error at once, without waiting, if ctx's deadline comes first:
// nobody gains by sleeping towards a failure.
func Sleep(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return ErrNoTime
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return Ended(ctx)
	}
}
