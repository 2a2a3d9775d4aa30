package invocation_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	"chatexport/internal/emulator/world"
)

// chaos kills processes at random calls, half of them after the call took effect, and lets the platform take some of the
// events that it accepts twice.
type chaos struct {
	kill, twice float64

	mu     sync.Mutex
	random *rand.Rand
	copies int
}

func (c *chaos) roll(share float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.Float64() < share
}

// copy decides whether an event comes twice. There are few, so the first does.
func (c *chaos) copy() bool {
	c.mu.Lock()
	first := c.twice > 0 && c.copies == 0
	c.mu.Unlock()
	return first || c.roll(c.twice)
}

func (c *chaos) wrap(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := world.ProcessOf(r)
		if service == "cloud" && p != nil && !p.Dead() && c.copy() {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(httptest.NewRecorder(), r)
			r.Body = io.NopCloser(bytes.NewReader(body))
			c.mu.Lock()
			c.copies++
			c.mu.Unlock()
		}
		switch {
		case p == nil:
			next.ServeHTTP(w, r)
		case p.Dead():
			panic(http.ErrAbortHandler)
		case c.roll(c.kill):
			if c.roll(0.5) {
				next.ServeHTTP(httptest.NewRecorder(), r)
			}
			p.Kill()
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// sweepOnce lets an hour pass, fires a sweep and serves all that comes of it.
func (s *site) sweepOnce(spec string, tick int) {
	s.t.Helper()
	time.Sleep(time.Hour)
	s.Push(sweepTask(s.t, spec, tick))
	s.drain()
}

func (s *site) pages() int { return s.Chat.Counters().Commands["group_msg_get_simple"] }

func TestSweepChaos_EverythingIsArchived(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2}
	groups := 2000
	if testing.Short() {
		seeds, groups = seeds[:1], 400
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) { sweepUnderChaos(t, seed, groups) })
		})
	}
}

func sweepUnderChaos(t *testing.T, seed uint64, groups int) {
	t.Helper()
	c := &chaos{kill: 0.0025, twice: 0.2, random: rand.New(rand.NewPCG(seed, 1))}
	s := newSite(t, world.Options{
		Wrap: c.wrap, TimeLimit: 5 * time.Second, Chat: chatemu.Options{Latency: 20 * time.Millisecond, QPS: 200},
		Queue: cloudemu.QueueOptions{Retries: 12, Delay: func(int) time.Duration { return time.Second }},
		Env:   map[string]string{"CHAT_QPS": "50"},
	})
	s.workers = 3
	active := app(t, s.World, groups, groups/100, 2, func(n int) int { return 1 + (n*7)%150 })
	s.sweepOnce(`{}`, 1)
	if dead := s.Queue.Dead(); len(dead) > 0 {
		t.Fatalf("%d dead letters, the first: %s", len(dead), dead[0].Reason)
	}
	for _, stream := range active {
		if _, newest, _ := s.Chat.Bounds(stream); newest > 0 {
			s.Verify(stream)
		}
	}
	if s.killed < 3 || c.copies == 0 {
		t.Errorf("only %d processes were killed, and %d events came twice", s.killed, c.copies)
	}
	c.kill, c.twice = 0, 0
	s.sweepOnce(`{}`, 2)
	pages := s.pages()
	s.sweepOnce(`{}`, 3)
	if n := s.pages() - pages; n != 0 {
		t.Errorf("the third sweep read %d pages", n)
	}
	all := reports(t, s.World)
	last := all[len(all)-1]
	if last.Streams.Due != 0 || last.Streams.Idle != len(active) {
		t.Errorf("third sweep: %+v", last.Streams)
	}
	for _, r := range all {
		t.Logf("seed %d: %d killed; due %d, %v, unreached %d", seed, s.killed, r.Streams.Due, r.Tally.Outcomes, r.Unreached)
	}
}

// Whenever a process dies in a sweep or a lane, everything is archived in the end, at the latest by the next sweep.
func TestSweepCrash_AtAnyCallLosesNothing(t *testing.T) {
	t.Parallel()
	sweepWithCrash := func(t *testing.T, c *crash) map[string]int {
		s := newSite(t, world.Options{
			Wrap: c.wrap, TimeLimit: 3 * time.Second,
			Queue: cloudemu.QueueOptions{Delay: func(int) time.Duration { return time.Minute }},
		})
		s.workers = 2
		active := app(t, s.World, 6, 1, 1, func(n int) int { return 15 + n })
		s.sweepOnce(`{}`, 1)
		if dead := s.Queue.Dead(); len(dead) > 0 || len(s.failures) > 0 {
			t.Errorf("%s: %d dead letters, %v", c.victim, len(dead), s.failures)
		}
		for _, stream := range active {
			s.Verify(stream)
		}
		pages, calls := s.pages(), maps.Clone(c.calls)
		s.sweepOnce(`{}`, 2)
		// A sweep whose last answer was lost is delivered again, and finds nothing to do.
		if all := reports(t, s.World); len(all) < 2 || all[len(all)-1].Streams.Due != 0 || s.pages() != pages {
			t.Errorf("%s (after %v): the next sweep does something: %+v", c.victim, c.after, all)
		}
		return calls
	}
	var calls map[string]int
	bubble(t, func(t *testing.T) { calls = sweepWithCrash(t, &crash{}) })
	step := 3
	if testing.Short() {
		step = 11
	}
	for service, n := range calls {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			for at := 1; at <= n; at += step {
				for _, after := range []bool{false, true} {
					bubble(t, func(t *testing.T) { sweepWithCrash(t, &crash{service: service, at: at, after: after}) })
				}
			}
		})
	}
}

// dropLane takes the waiting batch of a lane from the queue, as a platform that loses it.
func (s *site) dropLane() {
	s.t.Helper()
	d, err := s.Queue.Next(s.t.Context())
	must(s.t, err)
	if !strings.Contains(legible(s.t, d.Payload), `"batch":`) {
		s.t.Fatalf("not a batch of a lane: %s", d.Payload)
	}
	must(s.t, s.Queue.Ack(d.ID))
}

// serveNext serves the first event that waits.
func (s *site) serveNext() {
	s.t.Helper()
	d, err := s.Queue.Next(s.t.Context())
	must(s.t, err)
	_, err = s.deliver(d)
	must(s.t, err)
	must(s.t, s.Queue.Ack(d.ID))
}

func TestLane_TheStreamsOfALostOneAreDoneByTheNextSweep(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 2 * time.Second, Env: map[string]string{"CHAT_QPS": "20"}})
		active := app(t, s.World, 30, 1, 0, func(int) int { return 5 })
		s.Push(sweepTask(t, `{}`, 1))
		s.serveNext()
		s.serveNext()
		s.dropLane()
		s.drain()
		if n := len(reports(t, s.World)); n != 0 {
			t.Fatalf("%d reports although the lane did not come to its end", n)
		}
		// Nobody knows yet that the lane is lost: a second sweep would double the load.
		calls := s.Chat.Counters().Calls
		s.Push(sweepTask(t, `{}`, 2))
		s.drain()
		if n := s.Chat.Counters().Calls - calls; n != 0 {
			t.Errorf("a sweep made %d calls while the lane seemed to be alive", n)
		}
		s.sweepOnce(`{}`, 3)
		all := reports(t, s.World)
		done := all[0].Tally.Outcomes["complete"]
		if len(all) != 2 || done < 5 || all[0].Unreached < 5 || done+all[0].Unreached != 30 || !all[0].FinishedAt.IsZero() ||
			all[1].Streams.Due != all[0].Unreached || all[1].Tally.Outcomes["complete"] != all[0].Unreached {
			t.Errorf("reports: %+v", all)
		}
		for _, stream := range active {
			s.Verify(stream)
		}
	})
}

func TestSweep_GroupsThatFailAreNamedAndStopNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		failing := "@TGS#00007"
		s := newSite(t, world.Options{Chat: chatemu.Options{Latency: 20 * time.Millisecond}})
		active := app(t, s.World, 60, 1, 0, func(int) int { return 30 })
		must(t, s.Chat.AddGroup(chatemu.Group{ID: "@TGS#live", Type: "AVChatRoom"}))
		s.Chat.SetFault(func(c chatemu.Call) *chatemu.Fault {
			if c.Command == "group_msg_get_simple" && c.Query.Stream.GroupID == failing {
				return &chatemu.Fault{ErrorCode: 10002}
			}
			return nil
		})
		var once sync.Once
		s.Chat.SetOnCall(func(c chatemu.Call) {
			if c.Command == "group_msg_get_simple" {
				once.Do(func() { must(t, s.Chat.Dissolve("@TGS#00011")) })
			}
		})
		s.sweepOnce(`{}`, 1)
		r := reports(t, s.World)[0]
		if r.Tally.Outcomes["complete"] != 58 || r.Tally.Outcomes["failed"] != 1 || r.Tally.Outcomes["unknown"] != 1 {
			t.Errorf("outcomes: %v", r.Tally.Outcomes)
		}
		named := map[string]string{}
		for _, f := range r.Failures.First {
			named[f.GroupID] = f.Outcome + " " + f.Code
		}
		if named[failing] != "failed 10002" || named["@TGS#00011"] != "unknown 10010" || len(named) != 2 || r.Skipped.First[0].GroupID != "@TGS#live" {
			t.Errorf("failures %v, skipped %+v", named, r.Skipped)
		}
		if took := r.FinishedAt.Sub(r.PlannedAt); took > time.Minute {
			t.Errorf("the lane took %v", took)
		}
		for _, stream := range active {
			if stream.GroupID != failing && stream.GroupID != "@TGS#00011" {
				s.Verify(stream)
			}
		}
		s.Chat.SetFault(nil)
		s.sweepOnce(`{}`, 2)
		if r := reports(t, s.World)[1]; r.Tally.Outcomes["complete"] != 1 || r.Streams.Due != 1 {
			t.Errorf("the next sweep: %+v", r)
		}
		s.Verify(chat.Stream{GroupID: failing})
	})
}
