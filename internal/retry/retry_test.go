package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/retry"
)

type classified retry.Class

func (c classified) Error() string           { return fmt.Sprintf("failure of class %d", int(c)) }
func (c classified) RetryClass() retry.Class { return retry.Class(c) }

func TestDoRepeatsByClass(t *testing.T) {
	for _, tc := range []struct {
		class retry.Class
		want  int
	}{
		{retry.Permanent, 1},
		{retry.Transient, 5},
		{retry.Throttled, 5},
		{retry.Doubtful, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			policy := retry.Policy{Base: 200 * time.Millisecond, Cap: 10 * time.Second, Attempts: 5}
			err := policy.Do(t.Context(), func(_ context.Context, attempt int) error {
				calls++
				if attempt != calls {
					t.Errorf("attempt %d is numbered %d", calls, attempt)
				}
				return fmt.Errorf("wrapped: %w", classified(tc.class))
			})
			if calls != tc.want {
				t.Errorf("class %d: %d attempts, want %d", tc.class, calls, tc.want)
			}
			if !errors.Is(err, classified(tc.class)) {
				t.Errorf("class %d: the last failure is lost: %v", tc.class, err)
			}
		})
	}
}

func TestDoWaitsWithinTheBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := retry.Policy{Base: time.Second, Cap: 4 * time.Second, Attempts: 12}
		last := time.Now()
		var total time.Duration
		_ = policy.Do(t.Context(), func(_ context.Context, attempt int) error {
			waited := time.Since(last)
			last = time.Now()
			total += waited
			if attempt > 1 && waited > min(4*time.Second, time.Second<<(attempt-2)) {
				t.Errorf("waited %v before attempt %d", waited, attempt)
			}
			return classified(retry.Transient)
		})
		if total == 0 {
			t.Error("no wait at all between 12 attempts")
		}
	})
}

func TestDoStopsWhenTimeIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		policy := retry.Policy{Base: 5 * time.Second, Cap: time.Hour, Attempts: 1000}
		start := time.Now()
		err := policy.Do(ctx, func(context.Context, int) error { return classified(retry.Transient) })
		if !errors.Is(err, retry.ErrNoTime) || !errors.Is(err, classified(retry.Transient)) {
			t.Errorf("got %v, want the failure joined with ErrNoTime", err)
		}
		if took := time.Since(start); took >= 10*time.Second {
			t.Errorf("slept until the deadline (%v) instead of giving up before it", took)
		}
	})
}

func TestDoAttemptsNothingWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := retry.Policy{Attempts: 3}.Do(ctx, func(context.Context, int) error {
		t.Error("an attempt was made")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestLimiterGivesUpBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := retry.NewLimiter(0.1)
		if err := limiter.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := limiter.Wait(ctx); !errors.Is(err, retry.ErrNoTime) {
			t.Errorf("got %v, want ErrNoTime", err)
		}
	})
}
