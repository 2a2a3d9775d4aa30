package retry

import (
	"context"
	"errors"
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

	// headroom is the share of the rate that is used: calls that leave evenly arrive unevenly, and in a sliding second
	// of the service there may be some more than left in one.
	headroom = 0.975
	// group is how many calls leave together.
	group = 2

	// minRate keeps a stream moving, whatever the service says: below one call a second no batch would make progress.
	minRate = 1.0
)

// Limiter paces calls evenly (no bursts: the service counts calls of the whole app in short windows) and adapts the
// pace: additive increase, multiplicative decrease. One limiter serves the whole process. It is safe for concurrent
// use.
type Limiter struct {
	ceiling float64
	pace    *rate.Limiter
	began   time.Time

	mu      sync.Mutex
	rate    float64
	lowered time.Time
}

// NewLimiter returns a limiter that starts at, and never exceeds, qps calls a second; it stays a little below, see
// headroom. qps must be positive.
func NewLimiter(qps float64) *Limiter {
	ceiling := qps * headroom
	return &Limiter{ceiling: ceiling, rate: ceiling, pace: rate.NewLimiter(rate.Limit(ceiling), 1), began: time.Now()}
}

// Wait returns when the next call may go, or with an error as soon as ctx ends or cannot last until then.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	reservation := l.pace.Reserve()
	err := Sleep(ctx, l.together(reservation.Delay()))
	if err == nil {
		return nil
	}
	reservation.Cancel()
	if errors.Is(err, ErrNoTime) {
		return fmt.Errorf("%w: the rate limit leaves no call before the deadline", ErrNoTime)
	}
	return err
}

// together prolongs a wait so that calls leave in small groups at common times: a process that sleeps nearly all the
// time pays more for waking up than for the calls.
func (l *Limiter) together(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	period := time.Duration(group / l.Rate() * float64(time.Second))
	at := time.Since(l.began) + d
	if over := at % period; over > 0 {
		at += period - over
	}
	return at - time.Since(l.began)
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
