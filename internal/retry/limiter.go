package retry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// decrease is what is left of the rate after a throttled call, and decreasePause how long calls that were already
	// under way may report the same overload without lowering the rate again.
	decrease      = 0.8
	decreasePause = time.Second

	// increaseShare of the ceiling is added for every second of calls that were not throttled, so that a lowered rate
	// is back within about a minute after other traffic has gone away.
	increaseShare = 0.02

	// minRate keeps a stream moving, whatever the service says: below one call a second no batch would make progress.
	minRate = 1.0
)

// Limiter paces calls evenly (no bursts: the service counts calls of the whole app in short windows) and adapts the
// pace: additive increase, multiplicative decrease. One limiter serves the whole process. It is safe for concurrent
// use.
type Limiter struct {
	ceiling float64
	pace    *rate.Limiter

	mu      sync.Mutex
	rate    float64
	lowered time.Time
}

// NewLimiter returns a limiter that starts at, and never exceeds, qps calls a second. qps must be positive.
func NewLimiter(qps float64) *Limiter {
	return &Limiter{ceiling: qps, rate: qps, pace: rate.NewLimiter(rate.Limit(qps), 1)}
}

// Wait returns when the next call may go, or with an error as soon as ctx ends or cannot last until then.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := l.pace.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: the rate limit leaves no call before the deadline", ErrNoTime)
	}
	return nil
}

// Observe tells the limiter how a call ended, by the class of its error (nil is success).
func (l *Limiter) Observe(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		if l.rate < l.ceiling {
			// Called once a call, so l.rate times a second: the steps of one second add up to increaseShare.
			l.set(l.rate + l.ceiling*increaseShare/l.rate)
		}
	case ClassOf(err) == Throttled:
		if now := time.Now(); now.Sub(l.lowered) >= decreasePause {
			l.lowered = now
			l.set(l.rate * decrease)
		}
	}
}

// Rate returns the present pace in calls a second.
func (l *Limiter) Rate() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}

func (l *Limiter) set(r float64) {
	l.rate = min(l.ceiling, max(min(minRate, l.ceiling), r))
	l.pace.SetLimit(rate.Limit(l.rate))
}
