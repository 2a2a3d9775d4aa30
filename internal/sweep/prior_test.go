package sweep

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
)

const baseID = "20261101T000000Z-00000000"

// results are what n batches of the base sweep's only lane wrote, each the outcome of one stream, as versions did that
// repeated nothing.
func (s *scene) results(n int, ended bool) {
	s.t.Helper()
	for batch := range n {
		h := resultHeader{envelope: envelope{format, baseID}, Batch: batch, Last: ended && batch == n-1, Until: time.Now().Add(time.Duration(batch-n+1)*time.Minute + 5*time.Minute)}
		done := []outcome{{Group: fmt.Sprint("g", batch), Outcome: "complete", Frontier: 10, Began: 1, At: 2}}
		w, err := encodeResult(h, done, nil)
		s.write(layout.SweepResult(baseID, batch), w, err)
	}
}

func TestATickReadsFewResultsOfALaneThatIsAlive(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 1000, 1025} {
		inScene(t, func(s *scene) {
			s.based(baseID)
			s.results(n, false)
			sum, err := s.sweep(nil, "tick", time.Minute)
			if alive := sum.Outcome == AlreadyRunning; err != nil || alive != (n > 0) || s.gets > 3+2*11 {
				t.Errorf("%d results: %q, %v, %d reads", n, sum.Outcome, err, s.gets)
			}
		})
	}
}

func TestMoreResultsThanABatchCanReadDoNotStopSweeps(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.slow = 30 * time.Millisecond
		s.based(baseID)
		s.results(2500, true)
		for n := range 2500 {
			s.groups = append(s.groups, chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprint("g", n)}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10})
		}
		sum, err := s.sweep(nil, "tick", 40*time.Second)
		for n := 0; err == nil && sum.Outcome == Continued && n < 3; n++ {
			sum, err = s.sweep(&s.sweeps[len(s.sweeps)-1], "next", 40*time.Second)
		}
		if err != nil || sum.Outcome != Planned || sum.Streams.Idle < 500 || sum.Streams.Idle+sum.Streams.Due != 2500 {
			t.Errorf("%q, %v, %+v", sum.Outcome, err, sum.Streams)
		}
		if !strings.Contains(s.logs.String(), "there is no time to read all results") {
			t.Errorf("not a word in the log: %s", s.logs.String())
		}
	})
}

// However many batches a lane has, what became of its streams is in few objects.
func TestResultsRepeatWhatThoseBeforeThemTell(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		const streams = 300
		for n := range streams {
			s.groups = append(s.groups, chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprint("g", n)}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10})
		}
		s.groups[7].NextSeq = 100_000 // keeps the lane busy
		var late, first atomic.Bool
		s.engine = func(req export.Request) (export.Result, error) {
			if req.Stream.GroupID == "g7" {
				time.Sleep(time.Until(req.Deadline))
				if late.Load() {
					return export.Result{Outcome: export.Complete, Frontier: 100_000}, nil
				}
				return export.Result{Outcome: export.Continued, Head: 99_999, Frontier: 5, Next: []byte(`{"cursor":5}`)}, nil
			}
			if req.Stream.GroupID == "g8" && first.CompareAndSwap(false, true) {
				return export.Result{Outcome: archive.StatusDamaged, Code: "x", Frontier: 3}, nil
			}
			return export.Result{Outcome: export.Complete, Frontier: 10}, nil
		}
		s.planned()
		last := s.batch(10 * time.Second)
		for last.Outcome == Continued {
			late.Store(last.Batch == 60)
			last = s.batch(10 * time.Second)
		}
		time.Sleep(10 * time.Minute)
		s.gets = 0
		sum, err := s.sweep(nil, "tick", time.Minute)
		if err != nil || sum.Streams.Idle != streams-1 || sum.Streams.Resting != 1 || s.gets > 20 {
			t.Errorf("after %d batches: %+v, %v, %d reads", last.Batch+1, sum.Streams, err, s.gets)
		}
	})
}

// What is held twice is read once, and a lane that ended many streams repeats no more of them than it should.
func TestResultsDoNotGrowWithTheLane(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		for n := range 3 * maxRepeated {
			s.groups = append(s.groups, chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprint("g", n)}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10})
		}
		s.engine = func(export.Request) (export.Result, error) {
			time.Sleep(20 * time.Millisecond)
			return export.Result{Outcome: export.Complete, Frontier: 10}, nil
		}
		planned := s.planned()
		for last := s.batch(4 * time.Second); last.Outcome == Continued; {
			last = s.batch(4 * time.Second)
		}
		last := *s.lanes[len(s.lanes)-1].Batch
		for batch := range last + 1 {
			header, done, _, err := decodeResult(s.read(layout.SweepResult(planned.Sweep, batch)))
			if err != nil || header.Repeats > 0 && len(done) > maxRepeated {
				t.Errorf("result %d: %d outcomes, repeats %d, %v", batch, len(done), header.Repeats, err)
			}
		}
		s.gets = 0
		sum, err := s.sweep(nil, "tick", time.Minute)
		if err != nil || sum.Streams.Idle != 3*maxRepeated || s.gets > 20 {
			t.Errorf("after %d batches: %+v, %v, %d reads", last+1, sum.Streams, err, s.gets)
		}
	})
}

// A lane that shows itself while the plan is made does not make the sweep forget what it began with.
func TestWhatIsKnownIsReadWhoeverIsAlive(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.based(baseID,
			&record{Group: "dissolved", Type: "Public", Frontier: 10, CreateTime: 1, Since: time.Now().Unix() - 100},
			&record{Group: "idle", Type: "Public", Frontier: 10, CreateTime: 1, Since: time.Now().Unix() - 100},
		)
		s.results(3, false)
		id := archive.NewRunID(time.Now())
		w, err := encodeInfo(infoHeader{envelope: envelope{format, id}, At: time.Now(), Next: place{Done: true}},
			[]infoLine{{Facts: chat.Facts{Stream: chat.Stream{GroupID: "idle"}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10}}})
		s.write(layout.SweepInfo(id, 0), w, err)
		sum, err := s.sweep(&Continuation{ID: id, Part: 1}, "tick", time.Minute)
		known, _ := decodeKnown(s.read(layout.SweepKnown(id, 0)))
		if err != nil || sum.Streams.Idle != 1 || known[chat.Stream{GroupID: "dissolved"}] == nil || known[chat.Stream{GroupID: "g2"}] == nil {
			t.Errorf("%+v, %v, %d known", sum.Streams, err, len(known))
		}
	})
}

// Everything that sweeps remember is a hint: what is broken is done without.
func TestBrokenHintsStopNoSweep(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		layout.SweepLatest(), layout.SweepKnown(baseID, 0), layout.SweepPlan(baseID), layout.SweepResult(baseID, 0), layout.SweepResult(baseID, 1), layout.SweepResult(baseID, 2),
	} {
		inScene(t, func(s *scene) {
			s.based(baseID, &record{Group: "idle", Type: "Public", Frontier: 10, CreateTime: 1, Since: time.Now().Unix() - 100})
			s.results(3, false)
			time.Sleep(time.Hour) // the lane is lost
			s.corrupt[key] = true
			s.groups = []chat.Facts{{Stream: chat.Stream{GroupID: "idle"}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10}}
			sum, err := s.sweep(nil, "tick", time.Minute)
			known, _ := decodeKnown(s.read(layout.SweepKnown(sum.Sweep, 0)))
			// g1 is in the second result alone.
			kept := known[chat.Stream{GroupID: "g1"}] != nil
			if err != nil || sum.Streams.Idle+sum.Streams.Due < 1 || kept == (key == layout.SweepLatest() || key == layout.SweepResult(baseID, 1)) {
				t.Errorf("without %s: %q, %+v, %v, %d known", key, sum.Outcome, sum.Streams, err, len(known))
			}
		})
	}
}

// Behind the newest result, which is broken, are some that were stepped over on the way to it.
func TestABrokenNewestResultHidesNoOther(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 10; n++ {
		inScene(t, func(s *scene) {
			s.based(baseID)
			s.results(n, false)
			time.Sleep(time.Hour)
			s.corrupt[layout.SweepResult(baseID, n-1)] = true
			s.groups = []chat.Facts{{Stream: chat.Stream{GroupID: "idle"}, Type: "Public", CreateTime: 1, NextSeq: 1}}
			sum, err := s.sweep(nil, "tick", time.Minute)
			known, _ := decodeKnown(s.read(layout.SweepKnown(sum.Sweep, 0)))
			if err != nil || len(known) != n-1 {
				t.Errorf("%d results: %d streams are known, %v", n, len(known), err)
			}
		})
	}
}

func TestABrokenPlanIsNotTakenUp(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		w, err := encodeJSON(pointer{envelope: envelope{Format: format}, Current: current{ID: baseID}})
		s.write(layout.SweepLatest(), w, err)
		w, err = encodeJSON(planObject{envelope: envelope{format, baseID}})
		s.write(layout.SweepPlan(baseID), w, err)
		s.corrupt[layout.SweepPlan(baseID)] = true
		if sum, err := s.sweep(nil, "tick", time.Minute); err != nil || sum.Outcome != Complete {
			t.Errorf("%q, %v", sum.Outcome, err)
		}
	})
}
