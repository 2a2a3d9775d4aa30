package retry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// How the pace is found. The numbers were chosen by simulation: three limiters that are each set to the whole quota, a
// round trip of 50 ms, and a service that counts with a token bucket of depth 20 or in a sliding second that counts
// refused calls, too. They find it within 5 seconds, and then use 96 % and 88 % of the quota; 1 % and 2 % of the calls are refused.
const (
	// headroom is the share of the rate that is used: calls that leave evenly arrive unevenly, and in a sliding second
	// of the service there may be some more than left in one.
	headroom = 0.975
	// slack is how late a call may be to be made good: no more than headroom leaves free in a second.
	slack = 25 * time.Millisecond

	// decrease is what is left of the rate after refused calls; for pause, on average, no call leaves at all, so that a
	// sliding second can empty. Calls that were under way then report the same overload: until echo after the pause they
	// count with it. When calls are refused again so soon, the rate is far too high: again is what is left of it.
	decrease = 0.85
	pause    = 300 * time.Millisecond
	echo     = 60 * time.Millisecond
	soon     = 1500 * time.Millisecond
	again    = 0.6

	// Below nearPeak of the rate that was too much the rate grows by returnShare of the ceiling in a second, above by
	// probeShare. When nothing was refused for a while, other traffic may have gone away: it grows ever faster.
	nearPeak    = 0.9
	returnShare = 0.04
	probeShare  = 0.003
	patience    = 8 * time.Second

	// minRate keeps a stream moving, whatever the service says: below one call a second no batch would make progress.
	minRate = 1.0
)

// Limiter paces calls evenly (no bursts: the service counts calls of the whole app in short windows), at its full rate from
// the first call on, since the operator has said what may be used. Where calls are refused all the same, it finds the
// pace: multiplicative decrease, additive increase. One limiter serves the whole process. It is safe for concurrent use.
type Limiter struct {
	ceiling float64
	turn    chan struct{} // held by the one caller that waits for its time; the others queue in order

	mu      sync.Mutex
	next    time.Time // no call leaves before
	rate    float64   // calls a second
	peak    float64   // the rate that was too much last time
	lowered time.Time
	resumed time.Time // end of the last pause
}

// NewLimiter returns a limiter that never exceeds qps calls a second, and stays a little below. qps must be positive.
func NewLimiter(qps float64) *Limiter {
	ceiling := qps * headroom
	return &Limiter{ceiling: ceiling, turn: make(chan struct{}, 1), rate: ceiling}
}

// Wait returns when the next call may go, or with an error as soon as ctx ends or cannot last until then. Callers are
// served in order.
func (l *Limiter) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for {
		wait := l.take()
		if wait <= 0 {
			return nil
		}
		if err := Sleep(ctx, wait); errors.Is(err, ErrNoTime) {
			return fmt.Errorf("%w: the rate limit leaves no call before the deadline", ErrNoTime)
		} else if err != nil {
			return err
		}
	}
}

// take takes the next call's time if that has come, else it returns how long that is off.
func (l *Limiter) take() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if wait := l.next.Sub(now); wait > 0 {
		return wait
	}
	interval := time.Duration(float64(time.Second) / l.rate)
	// Being a little late is made good; what was not used before that is not saved up.
	if l.next = l.next.Add(interval); now.Sub(l.next) > slack {
		l.next = now.Add(interval)
	}
	return 0
}

// Observe tells the limiter how a call ended, by the class of its error (nil is success).
func (l *Limiter) Observe(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil && l.rate < l.ceiling:
		// Called once a call, so rate times a second: the steps of a second add up to what growth says.
		l.rate = min(l.ceiling, l.rate+l.step(now))
	case err != nil && ClassOf(err) == Throttled && now.Sub(l.resumed) >= echo:
		left := again
		if now.Sub(l.lowered) >= soon {
			// It comes down slowly: whoever was lowered more often than others finds back to a share like theirs.
			left, l.peak = decrease, max(l.rate, l.peak*decrease)
		}
		l.lowered = now
		l.rate = max(min(minRate, l.ceiling), l.rate*left)
		// Half to one and a half times the pause: instances that were refused together must not come back together.
		l.resumed = now.Add(pause/2 + rand.N(pause))
		l.next = l.resumed
	}
}

func (l *Limiter) step(now time.Time) float64 {
	switch since := now.Sub(l.lowered); {
	case since > patience:
		return l.ceiling / l.rate * returnShare * (1 + (since-patience).Seconds()/2)
	case l.rate < nearPeak*l.peak:
		return l.ceiling / l.rate * returnShare
	default:
		return l.ceiling / l.rate * probeShare
	}
}

// Rate returns the present pace in calls a second.
func (l *Limiter) Rate() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rate
}
