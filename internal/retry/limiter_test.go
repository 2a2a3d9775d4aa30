package retry_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/retry"
)

// quota is a service that allows calls in one of two ways.
type quota struct {
	mu     sync.Mutex
	strict bool // a sliding second in which refused calls count, too; else a token bucket of depth 20
	limit  float64
	tokens float64
	last   time.Time
	recent []time.Time

	served, refused int
}

func newQuota(limit float64, strict bool) *quota {
	return &quota{limit: limit, strict: strict, tokens: 20, last: time.Now()}
}

// call takes a round trip of 50 ms.
func (q *quota) call() error {
	time.Sleep(25 * time.Millisecond)
	ok := q.allow(time.Now())
	time.Sleep(25 * time.Millisecond)
	if !ok {
		return classified(retry.Throttled)
	}
	return nil
}

func (q *quota) allow(now time.Time) (ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.strict {
		for len(q.recent) > 0 && now.Sub(q.recent[0]) >= time.Second {
			q.recent = q.recent[1:]
		}
		ok = float64(len(q.recent)) < q.limit
		q.recent = append(q.recent, now)
	} else {
		q.tokens = min(20, q.tokens+now.Sub(q.last).Seconds()*q.limit)
		q.last = now
		if ok = q.tokens >= 1; ok {
			q.tokens--
		}
	}
	if ok {
		q.served++
	} else {
		q.refused++
	}
	return ok
}

// pull lets 16 callers share a limiter until the end, and returns how many calls were served.
func pull(t *testing.T, l *retry.Limiter, q *quota, end time.Time) int {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	served := 0
	for range 16 {
		wg.Go(func() {
			for time.Now().Before(end) {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				err := q.call()
				l.Observe(err)
				if err == nil {
					mu.Lock()
					served++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return served
}

func kinds(t *testing.T, test func(t *testing.T, strict bool)) {
	t.Helper()
	for name, strict := range map[string]bool{"token bucket": false, "sliding second": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, strict) })
		})
	}
}

func TestOneLimiterUsesTheQuotaAndIsNeverRefused(t *testing.T) {
	kinds(t, func(t *testing.T, strict bool) {
		q, l := newQuota(200, strict), retry.NewLimiter(200)
		pull(t, l, q, time.Now().Add(5*time.Second)) // finds its pace
		q.served = 0
		pull(t, l, q, time.Now().Add(20*time.Second))
		if share := float64(q.served) / (20 * 200); share < 0.97 || q.refused > 0 {
			t.Errorf("%.1f %% of the quota and %d refused calls, want at least 97 %% and none", 100*share, q.refused)
		}
	})
}

func TestLimitersThatAreSetTooHighShareTheQuota(t *testing.T) {
	kinds(t, func(t *testing.T, strict bool) {
		q := newQuota(200, strict)
		limiters := []*retry.Limiter{retry.NewLimiter(200), retry.NewLimiter(200), retry.NewLimiter(200)}
		together := func(d time.Duration) []int {
			end := time.Now().Add(d)
			var wg sync.WaitGroup
			served := make([]int, len(limiters))
			for i, l := range limiters {
				wg.Go(func() { served[i] = pull(t, l, q, end) })
			}
			wg.Wait()
			return served
		}
		together(5 * time.Second) // they begin at three times the quota, and find their pace
		if q.refused > 150 {
			t.Errorf("%d calls were refused in the first 5 s, and %d served", q.refused, q.served)
		}
		q.served, q.refused = 0, 0
		const seconds = 60
		served := together(seconds * time.Second)
		if share := float64(q.served) / (seconds * 200); share < 0.85 {
			t.Errorf("%.1f %% of the quota, want at least 85 %%", 100*share)
		}
		if refused := float64(q.refused) / float64(q.served+q.refused); refused > 0.03 {
			t.Errorf("%.1f %% of the calls were refused, want at most 3 %%", 100*refused)
		}
		for i, n := range served {
			if share := float64(n) / float64(q.served); share < 0.2 {
				t.Errorf("limiter %d got %.1f %% of what was served", i, 100*share)
			}
		}
	})
}

func TestALimiterComesBackWhenOtherTrafficGoesAway(t *testing.T) {
	kinds(t, func(t *testing.T, strict bool) {
		q, l := newQuota(200, strict), retry.NewLimiter(200)
		var wg sync.WaitGroup
		wg.Go(func() { pull(t, retry.NewLimiter(200), q, time.Now().Add(20*time.Second)) })
		pull(t, l, q, time.Now().Add(20*time.Second))
		wg.Wait()
		if rate := l.Rate(); rate > 150 {
			t.Errorf("with another one beside it the rate is %.0f", rate)
		}
		pull(t, l, q, time.Now().Add(20*time.Second))
		if rate := l.Rate(); rate < 190 {
			t.Errorf("20 s after the other one went away the rate is %.0f", rate)
		}
	})
}

func TestOneOverloadCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := retry.NewLimiter(100)
		before := l.Rate()
		for range 10 { // one overload, reported by ten calls that were under way
			l.Observe(classified(retry.Throttled))
		}
		if got := l.Rate(); got < 0.8*before || got > 0.9*before {
			t.Errorf("the rate fell from %v to %v", before, got)
		}
		lowered := l.Rate()
		l.Observe(classified(retry.Transient))
		if got := l.Rate(); got != lowered {
			t.Errorf("a failure that is no throttling changed the rate to %v", got)
		}
		for range 100 {
			time.Sleep(2 * time.Second)
			l.Observe(classified(retry.Throttled))
		}
		if got := l.Rate(); got != 1 {
			t.Errorf("the rate fell to %v, want never below 1", got)
		}
	})
}

func TestIdleTimeIsNotSavedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := retry.NewLimiter(20)
		time.Sleep(time.Hour)
		start := time.Now()
		for range 21 {
			if err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 900*time.Millisecond {
			t.Errorf("21 calls left within %v at 20 a second", took)
		}
	})
}

func TestSlowCallsLeaveOneByOne(t *testing.T) {
	for name, tt := range map[string]struct {
		qps    float64
		least  time.Duration // between two calls
		within time.Duration // of ten calls
	}{
		"one a second": {1, time.Second, 10 * time.Second},
		"four":         {4, 250 * time.Millisecond, 2500 * time.Millisecond},
	} {
		for _, trip := range []time.Duration{0, 50 * time.Millisecond} {
			t.Run(name+" with a round trip of "+trip.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := retry.NewLimiter(tt.qps)
					start := time.Now()
					var last time.Time
					for n := range 10 {
						if err := l.Wait(t.Context()); err != nil {
							t.Fatal(err)
						}
						if gap := time.Since(last); n > 0 && gap < tt.least {
							t.Errorf("calls %d and %d leave %v apart", n-1, n, gap)
						}
						last = time.Now()
						time.Sleep(trip)
						l.Observe(nil)
					}
					if took := last.Sub(start); took > tt.within {
						t.Errorf("ten calls took %v", took)
					}
				})
			})
		}
	}
}
