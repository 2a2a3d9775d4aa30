package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var errDead = errors.New("the process is dead")

// event is what a platform delivers.
type event struct {
	spec Spec
	next []byte // nil for a tick
}

// platform delivers events in a scene, each at once and in a process of its own, and again after a minute if it fails. It
// kills the process that comes to the n-th write or hand-over. The zero one delivers nothing.
type platform struct {
	scene *scene
	limit time.Duration
	until time.Time // no event is delivered later
	wg    sync.WaitGroup

	kill  int  // from 1; 0 kills nobody
	after bool // once the write has taken effect

	mu       sync.Mutex
	events   int
	writes   int
	outcomes map[Outcome]int
	lanes    map[string]int // batches under way, by sweep
	beside   int            // batches that began beside another lane's
}

type process struct{ dead bool }

type processKey struct{}

// play has a platform deliver what is published, and one tick after the other, until there is nothing left to deliver.
func (s *scene) play(lasts time.Duration, ticks func(at time.Duration) (Spec, time.Duration)) {
	s.t.Helper()
	q := &s.queue
	q.scene, q.limit, q.outcomes, q.lanes, q.until = s, 15*time.Minute, make(map[Outcome]int), make(map[string]int), time.Now().Add(lasts)
	began := time.Now()
	for time.Now().Before(q.until) {
		spec, pause := ticks(time.Since(began))
		q.push(event{spec: spec})
		time.Sleep(pause)
	}
	q.wg.Wait()
}

func (q *platform) push(e event) {
	if q.scene == nil || !time.Now().Before(q.until) {
		return
	}
	q.mu.Lock()
	q.events++
	owner := fmt.Sprint("event ", q.events)
	q.mu.Unlock()
	q.wg.Go(func() {
		for range 5 {
			ctx, cancel := context.WithTimeout(context.WithValue(q.scene.t.Context(), processKey{}, new(process)), q.limit)
			leave := q.enter(e)
			sum, err := q.scene.Sweeper.Run(ctx, e.spec, e.next, q.scene.request(owner, q.limit))
			cancel()
			leave()
			if err == nil {
				q.mu.Lock()
				q.outcomes[sum.Outcome]++
				q.mu.Unlock()
				return
			}
			if !errors.Is(err, errDead) {
				q.scene.t.Errorf("%s: %v", owner, err)
			}
			time.Sleep(time.Minute)
		}
		q.scene.t.Errorf("%s is never done with", owner)
	})
}

// enter counts the batches of lanes until the function is called.
func (q *platform) enter(e event) func() {
	c, ok := parseContinuation(e.next)
	if !ok || c.Batch == nil {
		return func() {}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lanes[c.ID]++; len(q.lanes) > 1 {
		q.beside++
	}
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.lanes[c.ID]--; q.lanes[c.ID] == 0 {
			delete(q.lanes, c.ID)
		}
	}
}

// meet reports whether a process dies at a call, or has died before, and whether the call has no effect.
func (q *platform) meet(ctx context.Context, write bool) (dead, lost bool) {
	p, ok := ctx.Value(processKey{}).(*process)
	if !ok {
		return false, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.dead {
		return true, true
	}
	if write {
		q.writes++
		p.dead = q.writes == q.kill
	}
	return p.dead, p.dead && !q.after
}
