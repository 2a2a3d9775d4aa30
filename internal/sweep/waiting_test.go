package sweep

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/retry"
)

// busy is an app whose groups all have something new every hour. It takes a while to describe groups, and to export one.
type busy struct {
	*scene

	describe, export time.Duration

	mu   sync.Mutex
	done map[string][]time.Time // when a group's export came to its head
}

func (b *busy) GroupInfos(ctx context.Context, ids []string) ([]chat.Facts, error) {
	if err := retry.Sleep(ctx, b.describe); err != nil {
		return nil, err
	}
	infos, err := b.scene.GroupInfos(ctx, ids)
	for n := range infos {
		infos[n].NextSeq += elapsed()
		infos[n].LastTime = time.Now().Unix()
	}
	return infos, err
}

// Run exports a group; one that is named endless never comes to its head.
func (b *busy) Run(_ context.Context, req export.Request) (export.Result, error) {
	id := req.Stream.GroupID
	r, err := export.Result{Outcome: export.Complete, Frontier: 10 + elapsed()}, error(nil)
	if strings.HasPrefix(id, "endless") {
		time.Sleep(time.Until(req.Deadline))
		r = export.Result{Outcome: export.Continued, Head: 1 << 30, Frontier: 10 + elapsed(), Next: []byte("{}")}
	} else if left := time.Until(req.Deadline); left < b.export {
		time.Sleep(left)
		err = retry.ErrNoTime
	} else {
		time.Sleep(b.export)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.done[id] = append(b.done[id], time.Now())
	}
	return r, err
}

func elapsed() chat.Seq { return chat.Seq(time.Since(noon()).Hours()) }

// inBusyScene adds so many groups of each prefix to a scene.
func inBusyScene(t *testing.T, groups map[string]int, f func(b *busy)) {
	t.Helper()
	inScene(t, func(s *scene) {
		b := &busy{scene: s, done: make(map[string][]time.Time)}
		for prefix, n := range groups {
			for i := range n {
				s.groups = append(s.groups, chat.Facts{
					Stream: chat.Stream{GroupID: fmt.Sprintf("%s%04d", prefix, i)}, Type: "Public", CreateTime: time.Now().Unix(), NextSeq: 10,
				})
			}
		}
		s.Directory, s.Engine = b, b
		s.Settings.Concurrency = 1
		f(b)
	})
}

// longest returns the longest time in which nothing of a group was archived.
func (b *busy) longest(id string) time.Duration {
	longest, last := time.Duration(0), noon()
	for _, at := range append(b.done[id], time.Now()) {
		longest, last = max(longest, at.Sub(last)), at
	}
	return longest
}

// wantOneLane checks that no two lanes were at work side by side: each may use the whole quota.
func (b *busy) wantOneLane() {
	b.t.Helper()
	if b.queue.beside > 0 {
		b.t.Errorf("%d batches began beside another lane's; %v", b.queue.beside, b.queue.outcomes)
	}
}

func only(pattern string) Spec { return Spec{Include: []string{pattern}} }

// Two sweeps have nothing in common, and a tick comes every 10 minutes, while a listing takes 18.
func TestWaiting_TwoDisjointSweepsBothMakeProgress(t *testing.T) {
	t.Parallel()
	lasts := 200 * time.Hour
	if testing.Short() {
		lasts = 50 * time.Hour
	}
	inBusyScene(t, map[string]int{"a": 300, "b": 300}, func(b *busy) {
		b.describe, b.export = 3*time.Minute, 2*time.Minute
		b.play(lasts, func(at time.Duration) (Spec, time.Duration) {
			return only([]string{"a*", "b*"}[int(at/(10*time.Minute))%2]), 10 * time.Minute
		})
		for _, g := range b.groups {
			if longest := b.longest(g.GroupID); longest > 24*time.Hour {
				t.Errorf("nothing of %s was archived in %v", g.GroupID, longest)
			}
		}
		b.wantOneLane()
	})
}

func TestWaiting_ALongBackfillKeepsNobodyFromTheNightlySweep(t *testing.T) {
	t.Parallel()
	inBusyScene(t, map[string]int{"endless": 1, "g": 30}, func(b *busy) {
		b.describe, b.export = 20*time.Millisecond, time.Second
		days := 14
		if testing.Short() {
			days = 4
		}
		b.play(time.Duration(days)*24*time.Hour, func(at time.Duration) (Spec, time.Duration) {
			if int(at.Hours())%24 == 14 {
				return Spec{}, time.Hour
			}
			return only("endless*"), time.Hour
		})
		for n := range 30 {
			if longest := b.longest(fmt.Sprintf("g%04d", n)); longest > 26*time.Hour {
				t.Errorf("nothing of group %d was archived in %v", n, longest)
			}
		}
		if longest := b.longest("endless0000"); longest > time.Hour {
			t.Errorf("nothing of the backfill was archived in %v", longest)
		}
		b.wantOneLane()
	})
}

// Wherever a process dies, its event delivered again is enough for a sweep that waits to get its turn, and for the one that
// made place to be taken up by its next tick.
func TestWaiting_ACrashAtAnyWriteForgetsNobody(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, kill int, after bool) (writes int) {
		inBusyScene(t, map[string]int{"a": 18, "b": 3}, func(b *busy) {
			b.describe, b.export = time.Second, 13*time.Minute
			b.queue.kill, b.queue.after = kill, after
			ticks := []Spec{only("a*"), only("b*"), only("a*")}
			pauses := []time.Duration{10 * time.Minute, 3 * time.Hour, 4 * time.Hour}
			n := -1
			b.play(6*time.Hour, func(time.Duration) (Spec, time.Duration) {
				n++
				return ticks[n], pauses[n]
			})
			if len(b.done) != 21 || len(b.done["b0000"]) == 0 || b.done["b0000"][0].Sub(noon()) > 3*time.Hour {
				t.Errorf("killed at %d (after: %v): %d groups are archived, one of the waiting sweep's at %v; %v", kill, after, len(b.done), b.done["b0000"], b.queue.outcomes)
			}
			if kill == 0 && (b.queue.outcomes[Waiting] != 1 || b.queue.outcomes[GaveWay] != 1 || b.queue.outcomes[Complete] != 2) {
				t.Errorf("undisturbed: %v", b.queue.outcomes)
			}
			writes = b.queue.writes
		})
		return writes
	}
	step := 1
	if testing.Short() {
		step = 6
	}
	for kill, writes := 1, run(t, 0, false); kill <= writes; kill += step {
		run(t, kill, false)
		run(t, kill, true)
	}
}

// underWay makes a sweep of a task the one under way, planned as it began.
func (s *scene) underWay(began time.Duration, spec Spec, lasts time.Duration, waits ...Spec) (id string) {
	s.t.Helper()
	p := pointer{Current: current{ID: laterID("", time.Now().Add(-began)), Spec: spec, Until: time.Now().Add(lasts)}}
	p.Base = base{ID: p.Current.ID, At: time.Now().Add(-began)}
	for _, w := range waits {
		p.Waiting = append(p.Waiting, waiting{w, time.Now().Add(-7 * time.Hour)})
	}
	s.point(p)
	return p.Current.ID
}

// waits returns what waits, each by its first glob.
func (s *scene) waits() string {
	s.t.Helper()
	v := s.batchOf("")
	if err := v.loadPointer(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	var globs []string
	for _, w := range v.pointer.Waiting {
		globs = append(globs, append(w.Spec.Include, "all")[0])
	}
	return strings.Join(globs, " ")
}

func TestTick_EndsOrWaitsByWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	many := make([]Spec, maxWaiting)
	for n := range many {
		many[n] = only(fmt.Sprint("g", n))
	}
	for name, tc := range map[string]struct {
		age, lasts time.Duration
		under      Spec
		waits      []Spec
		tick       Spec
		want       Outcome
		left       string
		fails      bool
		ended      bool
	}{
		"covered":                   {lasts: time.Minute, tick: only("a"), want: AlreadyRunning},
		"the same":                  {lasts: time.Minute, under: only("a"), tick: only("a"), want: AlreadyRunning},
		"not covered":               {lasts: time.Minute, under: only("b"), tick: only("a"), want: Waiting, left: "a"},
		"not covered, again":        {lasts: time.Minute, under: only("b"), waits: []Spec{only("a")}, tick: only("a"), want: Waiting, left: "a"},
		"covered by what waits":     {lasts: time.Minute, under: only("b"), waits: []Spec{{}}, tick: only("a"), want: Waiting, left: "all"},
		"covers what waits":         {lasts: time.Minute, under: only("b"), waits: []Spec{only("a"), only("c"), only("a1")}, tick: only("a*"), want: Waiting, left: "a* c"},
		"young enough":              {age: 19 * time.Hour, lasts: time.Minute, tick: Spec{}, want: AlreadyRunning},
		"old":                       {age: 21 * time.Hour, lasts: time.Minute, tick: Spec{}, want: Waiting, left: "all"},
		"ended just now":            {lasts: time.Minute, under: only("b"), tick: only("a"), want: Complete, ended: true},
		"lost":                      {lasts: -time.Minute, under: only("b"), tick: only("b"), want: Complete},
		"lost, and another waits":   {lasts: -time.Minute, under: only("b"), waits: []Spec{only("c"), only("d")}, tick: only("a"), want: Complete, left: "a"},
		"of a broken clock":         {lasts: 3 * time.Hour, tick: only("a"), want: Complete},
		"too many wait":             {lasts: time.Minute, under: only("b"), waits: many, tick: only("a"), want: Waiting, fails: true},
		"too many, it covers them":  {lasts: time.Minute, under: only("b"), waits: many, tick: Spec{}, want: Waiting, left: "all"},
		"too many, but one is free": {lasts: time.Minute, under: only("b"), waits: many[1:], tick: only("g0"), want: Waiting, left: "g1 g2 g3 g4 g5 g6 g7 g8 g9 g10 g11 g12 g13 g14 g15 g0"},
	} {
		inScene(t, func(s *scene) {
			id := s.underWay(tc.age, tc.under, tc.lasts, tc.waits...)
			if tc.ended {
				w, err := encodeJSON(Report{})
				s.write(layout.SweepReport(id), w, err)
			}
			ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
			defer cancel()
			sum, err := s.Sweeper.Run(ctx, tc.tick, nil, s.request("tick", time.Minute))
			if tc.want == AlreadyRunning && s.gets != 1 {
				t.Errorf("%s: %d reads", name, s.gets)
			}
			if sum.Outcome != tc.want || tc.fails != (err != nil) || !tc.fails && s.waits() != tc.left {
				t.Errorf("%s: %q, %v, %q waits", name, sum.Outcome, err, s.waits())
			}
			if long := strings.Contains(s.logs.String(), "has waited for its turn for long"); long != (len(tc.waits) > 0) {
				t.Errorf("%s: warned of a long wait: %v", name, long)
			}
		})
	}
}

// Whoever hands over may have read the pointer before the tick wrote it.
func TestWaiting_ANoteThatIsWrittenOverIsWrittenAgain(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.underWay(0, only("b"), 10*time.Minute)
		before, _, err := s.store.Get(s.t.Context(), layout.SweepLatest())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() {
			w, err := encodeJSON(pointer{})
			w.Body = before
			s.write(layout.SweepLatest(), w, err)
		})
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		defer cancel()
		sum, err := s.Sweeper.Run(ctx, only("a"), nil, s.request("tick", time.Minute))
		if err != nil || sum.Outcome != Waiting || s.waits() != "a" {
			t.Errorf("%q, %v, %q waits", sum.Outcome, err, s.waits())
		}
	})
}

// Two timers fire in one second, and both find nothing under way.
func TestWaiting_OfTwoSweepsThatBeginAtOnceNoneIsLost(t *testing.T) {
	t.Parallel()
	inBusyScene(t, map[string]int{"a": 300, "b": 300}, func(b *busy) {
		b.describe, b.export = 3*time.Minute, time.Second
		n := 0
		b.play(5*time.Hour, func(time.Duration) (Spec, time.Duration) {
			if n++; n == 1 {
				return only("a*"), 0
			}
			return only("b*"), 5 * time.Hour
		})
		if len(b.done) != 600 || b.queue.outcomes[Complete] != 2 {
			t.Errorf("%d groups are archived; %v", len(b.done), b.queue.outcomes)
		}
	})
}

// The later one of two may be over before the other comes to its first hand-over.
func TestWaiting_ASweepThatWasOvertakenByOneThatHasEndedBeginsAnew(t *testing.T) {
	t.Parallel()
	inBusyScene(t, map[string]int{"a": 300}, func(b *busy) {
		b.describe, b.export = 3*time.Minute, time.Second
		time.AfterFunc(time.Minute, func() { b.point(pointer{Current: current{ID: laterID("", time.Now()), Spec: only("b*")}}) })
		b.play(5*time.Hour, func(time.Duration) (Spec, time.Duration) { return only("a*"), 5 * time.Hour })
		if len(b.done) != 300 || b.queue.outcomes[Waiting] != 1 || b.queue.outcomes[Complete] != 1 {
			t.Errorf("%d groups are archived; %v", len(b.done), b.queue.outcomes)
		}
	})
}

// A tick that read the pointer before a hand-over may write the sweep before into it again.
func TestContinuation_TakesThePlaceThatItsSweepHad(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.groups = longGroups(3)
		s.underWay(time.Hour, only("b"), time.Hour, only("a"), Spec{})
		id := laterID("", time.Now())
		if sum, err := s.sweep(&Continuation{ID: id}, "next", time.Minute); err != nil || sum.Outcome != Planned || s.waits() != "" {
			t.Errorf("%q, %v, %q waits", sum.Outcome, err, s.waits())
		}
		if _, err := s.sweep(&Continuation{ID: baseID}, "earlier", time.Minute); err != nil {
			t.Error(err)
		}
		v := s.batchOf(id)
		if err := v.loadPointer(s.t.Context()); err != nil || v.pointer.Current.ID != id {
			t.Errorf("%+v, %v", v.pointer, err)
		}
	})
}
