package retry

import (
	"context"
	"sync/atomic"
)

// Caller makes the calls of one piece of work to one service: at the pace of the process, again where that may help,
// and counted. It is safe for concurrent use.
type Caller struct {
	Limiter *Limiter // shared by everything in the process that calls the service
	Policy  Policy

	calls, retries, throttled atomic.Int64
}

// Counts are the attempts of a Caller so far.
type Counts struct {
	Calls     int64 // attempts, retries included
	Retries   int64
	Throttled int64
}

// Turn waits for the next turn. Whoever begins work in an order waits for the turn of its first call in that order.
func (c *Caller) Turn(ctx context.Context) error { return c.Limiter.Wait(ctx) }

// Do makes the call for which Turn was waited, and repeats it by the class of its error (ClassOf) as the policy says;
// each repetition waits for a turn of its own.
func (c *Caller) Do(ctx context.Context, attempt func(ctx context.Context) error) error {
	return c.Policy.Do(ctx, func(ctx context.Context, n int) error {
		if n > 1 {
			if err := c.Turn(ctx); err != nil {
				return err
			}
			c.retries.Add(1)
		}
		c.calls.Add(1)
		err := attempt(ctx)
		c.Limiter.Observe(err)
		if err != nil && ClassOf(err) == Throttled {
			c.throttled.Add(1)
		}
		return err
	})
}

// Call is Turn, then Do.
func (c *Caller) Call(ctx context.Context, attempt func(ctx context.Context) error) error {
	if err := c.Turn(ctx); err != nil {
		return err
	}
	return c.Do(ctx, attempt)
}

// Fork returns a caller at the same pace, for another piece of work, which counts anew.
func (c *Caller) Fork() *Caller { return &Caller{Limiter: c.Limiter, Policy: c.Policy} }

// Counts returns what was counted so far.
func (c *Caller) Counts() Counts {
	return Counts{Calls: c.calls.Load(), Retries: c.retries.Load(), Throttled: c.throttled.Load()}
}
