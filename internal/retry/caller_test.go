package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/retry"
)

// Every attempt waits for a turn of its own, but for the first of Do, whose turn was taken ahead: whoever begins work in an
// order keeps it.
func TestCaller_TakesATurnForEveryAttempt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		call  func(c *retry.Caller, ctx context.Context, attempt func(context.Context) error) error
		waits int // turns that three attempts wait for
	}{
		"turn and call": {(*retry.Caller).Call, 3},
		"call alone":    {(*retry.Caller).Do, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &retry.Caller{Limiter: retry.NewLimiter(1 / 0.975), Policy: retry.Policy{Attempts: 3}} // a call a second
				if err := c.Turn(t.Context()); err != nil {                                                 // the limiter lets the first one pass
					t.Fatal(err)
				}
				began := time.Now()
				err := tc.call(c, t.Context(), func(context.Context) error { return classified(retry.Transient) })
				if waited := time.Since(began).Round(time.Second); !errors.Is(err, classified(retry.Transient)) || waited != time.Duration(tc.waits)*time.Second {
					t.Errorf("%v after %v", err, waited)
				}
			})
		})
	}
}

func TestCaller_WithoutATurnMakesNoCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &retry.Caller{Limiter: retry.NewLimiter(1), Policy: retry.Policy{Attempts: 3}}
	err := c.Call(ctx, func(context.Context) error { t.Error("a call was made"); return nil })
	if !errors.Is(err, context.Canceled) || c.Counts() != (retry.Counts{}) {
		t.Errorf("%v, %+v", err, c.Counts())
	}
}

// Each piece of work counts its own calls, at the pace of all.
func TestCaller_CountsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &retry.Caller{Limiter: retry.NewLimiter(1e6), Policy: retry.Policy{Attempts: 4}}
		fork := c.Fork()
		failures := []error{classified(retry.Throttled), classified(retry.Transient), nil, classified(retry.Throttled), classified(retry.Permanent)}
		for range 2 {
			_ = fork.Call(t.Context(), func(context.Context) error {
				err := failures[0]
				failures = failures[1:]
				return err
			})
		}
		if got, want := fork.Counts(), (retry.Counts{Calls: 5, Retries: 3, Throttled: 2}); got != want || c.Counts() != (retry.Counts{}) {
			t.Errorf("%+v, want %+v; the one that was forked: %+v", got, want, c.Counts())
		}
		if fork.Limiter != c.Limiter || c.Limiter.Rate() >= 1e6*0.975 {
			t.Errorf("refused calls left the pace of all at %v", c.Limiter.Rate())
		}
	})
}
