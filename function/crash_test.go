package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
)

// killer kills the built function with SIGKILL at its n-th call of any service, before the call takes effect or after
// that but before its answer.
type killer struct {
	at    int
	after bool

	mu       sync.Mutex
	platform *scfemu.Platform // nil while the test itself looks
	calls    int
	victim   string // the call at which it was killed
}

func (k *killer) wrap(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		platform := k.platform
		hit := false
		if platform != nil {
			k.calls++
			hit = k.calls == k.at
		}
		if hit {
			k.victim = service + " " + r.Method + " " + r.URL.Path
		}
		k.mu.Unlock()
		if !hit {
			next.ServeHTTP(w, r)
			return
		}
		if k.after {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		platform.Kill()
		panic(http.ErrAbortHandler)
	})
}

func (k *killer) watch(p *scfemu.Platform) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.platform = p
}

// exportWithKill does a run of at least three batches and a second tick, and proves the archive. It returns the number
// of calls and of the invocations that were killed.
func exportWithKill(t *testing.T, k *killer) (calls, killed int) {
	t.Helper()
	// On a busy machine a second may be too short to get anywhere. Then the event comes again, here as often as need be.
	s := begin(t, world.Options{Wrap: k.wrap, Queue: cloudemu.QueueOptions{Retries: 20}}, scfemu.Config{})
	group := s.Group("@TGS#kill", 700)
	for tick := range 3 {
		s.Push(s.Timer(group))
		k.watch(s.platform)
		served := s.serve()
		k.watch(nil)
		for _, v := range served {
			switch {
			case v.Status == scfemu.StatusExited:
				killed++
			case v.Status != scfemu.StatusOK && !late(v):
				t.Errorf("tick %d: status %d: %s", tick, v.Status, v.Error)
			}
		}
		if tick == 0 {
			must(t, s.Chat.Generate(group, 30, chatemu.Varied))
		}
	}
	if dead := s.Queue.Dead(); len(dead) > 0 {
		t.Errorf("%d dead letters: %s", len(dead), dead[0].Reason)
	}
	s.wantComplete(group, 730)
	return k.calls, killed
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The same as in internal/invocation for every call, here for a spread of them, with a real process that really dies.
func TestCrash_LeavesAWholeArchive(t *testing.T) {
	t.Parallel()
	calls, _ := exportWithKill(t, &killer{})
	points := 16
	if testing.Short() {
		points = 4
	}
	for i := range points {
		at, after := 1+i*(calls-12)/points, i%2 == 1 // the number of calls varies a little
		t.Run(fmt.Sprintf("call %d after %v", at, after), func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			k := &killer{at: at, after: after}
			_, killed := exportWithKill(t, k)
			if killed != 1 {
				t.Errorf("%d invocations were killed, want 1", killed)
			}
			t.Logf("killed at %s; %v", k.victim, time.Since(start).Round(time.Millisecond))
		})
	}
}
