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

// results are what n batches of the base sweep's lane wrote, each the outcome of one stream.
func (s *scene) results(n int, ended bool) {
	s.t.Helper()
	for batch := range n {
		l := newLines()
		l.add(resultLine{Done: &record{Stream: chat.Stream{GroupID: fmt.Sprint("g", batch)}, Frontier: 10, CreateTime: 1, Since: 9}})
		w, err := l.close(header{envelope: envelope{format, baseID}, Last: ended && batch == n-1, Lane: progress{Batches: batch + 1}})
		s.write(layout.SweepResult(baseID, batch), w, err)
	}
	lane := laneWorks
	if ended {
		lane = laneEnded
	}
	s.hint(lane)
}

// hint says how far the base sweep's lane is: at its end, or at work for a minute.
func (s *scene) hint(lane laneState) {
	s.t.Helper()
	p := pointer{Base: base{ID: baseID, Lane: lane}, Current: current{ID: baseID}}
	if lane != laneEnded {
		p.Current.Until = time.Now().Add(time.Minute)
	}
	s.point(p)
}

// Whatever the pointer tells of the lane is a hint.
func TestMemory_AHintThatIsWrongHidesNoResult(t *testing.T) {
	t.Parallel()
	for _, hint := range []laneState{laneStarted, laneEnded, "new word"} {
		inScene(t, func(s *scene) {
			s.based(baseID)
			s.results(9, false)
			s.hint(hint)
			time.Sleep(time.Hour)
			sum, err := s.sweep(nil, "later", time.Minute)
			if known := s.known(sum.Sweep); err != nil || len(known) != 9 {
				t.Errorf("%q: %q, %v, %d known", hint, sum.Outcome, err, len(known))
			}
		})
	}
}

func TestMemory_MoreResultsThanABatchCanReadDoNotStopSweeps(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.slow = 400 * time.Millisecond
		s.based(baseID)
		s.results(600, true)
		for n := range 600 {
			s.groups = append(s.groups, idleGroup(fmt.Sprint("g", n)))
		}
		sum, err := s.sweep(nil, "tick", 40*time.Second)
		for n := 0; err == nil && sum.Outcome == Continued && n < 3; n++ {
			sum, err = s.sweep(&s.sweeps[len(s.sweeps)-1], "next", 40*time.Second)
		}
		if err != nil || sum.Outcome != Planned || sum.Streams.Idle < 30 || sum.Streams.Idle+sum.Streams.Due != 600 {
			t.Errorf("%q, %v, %+v", sum.Outcome, err, sum.Streams)
		}
		if !strings.Contains(s.logs.String(), "there is no time to read all results") {
			t.Errorf("not a word in the log: %s", s.logs.String())
		}
	})
}

// idleGroup is what the directory says of a group of which everything is archived up to the seq 9.
func idleGroup(id string) chat.Facts {
	return chat.Facts{Stream: chat.Stream{GroupID: id}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10}
}

// A long stream keeps the lane busy for many batches; the others are told by the first.
func TestMemory_WhatALaneDidIsKnownToTheNextSweep(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		const streams = 300
		for n := range streams {
			s.groups = append(s.groups, idleGroup(fmt.Sprint("g", n)))
		}
		s.groups[7].NextSeq = 100_000
		var late, first atomic.Bool
		s.engine = func(req export.Request) (export.Result, error) {
			if req.Stream.GroupID == "g7" {
				time.Sleep(time.Until(req.Deadline))
				if late.Load() {
					return export.Result{Outcome: export.Complete, Frontier: 100_000}, nil
				}
				return export.Result{Outcome: export.Continued, Head: 99_999, Frontier: 5, Next: []byte("{}")}, nil
			}
			if req.Stream.GroupID == "g8" && first.CompareAndSwap(false, true) {
				return export.Result{Outcome: archive.StatusDamaged, Code: "x", Frontier: 3}, nil
			}
			return export.Result{Outcome: export.Complete, Frontier: 10}, nil
		}
		s.planned()
		last := s.batch(10 * time.Second)
		for last.Outcome == Continued {
			late.Store(last.Batch == 20)
			last = s.batch(10 * time.Second)
		}
		time.Sleep(10 * time.Minute)
		s.gets = 0
		sum, err := s.sweep(nil, "tick", time.Minute)
		if err != nil || sum.Streams.Idle != streams-1 || sum.Streams.Resting != 1 || s.gets > last.Batch+6 {
			t.Errorf("after %d batches: %+v, %v, %d reads", last.Batch+1, sum.Streams, err, s.gets)
		}
	})
}

// A lane that shows itself while the plan is made does not make the sweep forget what it began with.
func TestMemory_WhatIsKnownIsReadWhoeverIsAlive(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.based(baseID,
			record{Stream: chat.Stream{GroupID: "dissolved"}, Type: "Public", Frontier: 10, CreateTime: 1, Since: time.Now().Unix() - 100},
			record{Stream: chat.Stream{GroupID: "idle"}, Type: "Public", Frontier: 10, CreateTime: 1, Since: time.Now().Unix() - 100},
		)
		s.results(3, false)
		id := archive.NewRunID(time.Now())
		l := newLines()
		l.add(sightLine{Facts: idleGroup("idle")})
		w, err := l.close(header{envelope: envelope{format, id}, At: time.Now(), Listed: listed{Next: place{Done: true}}})
		s.write(layout.SweepInfo(id, 0), w, err)
		sum, err := s.sweep(&Continuation{ID: id}, "tick", time.Minute)
		if err != nil || sum.Streams.Idle != 1 || !s.knows(id, "dissolved") || !s.knows(id, "g2") {
			t.Errorf("%+v, %v, %+v", sum.Streams, err, s.known(id))
		}
	})
}

// Everything that sweeps remember is a hint: what is broken is done without.
func TestMemory_BrokenHintsStopNoSweep(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		layout.SweepLatest(), layout.SweepKnown(baseID, 0), layout.SweepPlan(baseID),
	} {
		inScene(t, func(s *scene) {
			s.based(baseID, record{Stream: chat.Stream{GroupID: "idle"}, Type: "Public", Frontier: 10, CreateTime: 1, Since: time.Now().Unix() - 100})
			s.results(3, false)
			time.Sleep(time.Hour) // the lane is lost
			s.corrupt[key] = true
			s.groups = []chat.Facts{idleGroup("idle")}
			sum, err := s.sweep(nil, "tick", time.Minute)
			if err != nil || sum.Streams.Idle+sum.Streams.Due < 1 || s.knows(sum.Sweep, "g1") == (key == layout.SweepLatest()) {
				t.Errorf("without %s: %q, %+v, %v", key, sum.Outcome, sum.Streams, err)
			}
		})
	}
}

// A result that is broken hides none before or behind it.
func TestMemory_ABrokenResultHidesNoOther(t *testing.T) {
	t.Parallel()
	for broken := range 5 {
		inScene(t, func(s *scene) {
			s.based(baseID)
			s.results(5, false)
			time.Sleep(time.Hour)
			s.corrupt[layout.SweepResult(baseID, broken)] = true
			s.groups = []chat.Facts{{Stream: chat.Stream{GroupID: "empty"}, Type: "Public", CreateTime: 1, NextSeq: 1}}
			sum, err := s.sweep(nil, "tick", time.Minute)
			if known := s.known(sum.Sweep); err != nil || len(known) != 4 {
				t.Errorf("without result %d: %d streams are known, %v", broken, len(known), err)
			}
		})
	}
}

// However little time is left once the parts are read: the next batch would have no more.
func TestPlan_IsMadeByABatchThatListsNothing(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		id := archive.NewRunID(time.Now())
		for part := range 2 {
			w, err := newLines().close(header{envelope: envelope{format, id}, At: time.Now(), Listed: listed{Next: place{Done: part == 1}}})
			s.write(layout.SweepInfo(id, part), w, err)
		}
		s.slow = 13 * time.Second
		sum, err := s.sweep(&Continuation{ID: id}, "next", 2*time.Minute)
		if err != nil || sum.Outcome != Complete {
			t.Errorf("%q, %v", sum.Outcome, err)
		}
	})
}
