package sweep

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/retry"
)

// longGroups are groups that one batch does not archive, the first the most urgent of all and the longest.
func longGroups(n int) []chat.Facts {
	groups := make([]chat.Facts, n)
	for i := range groups {
		groups[i] = chat.Facts{
			Stream: chat.Stream{GroupID: fmt.Sprint("g", i)}, Type: "Public", NextSeq: 100_000, LastTime: time.Now().Unix(),
			CreateTime: time.Now().Add(-time.Duration(150-10*i) * time.Hour).Unix(),
		}
	}
	groups[0].NextSeq = 1_000_000
	return groups
}

func TestQueue_TheMostUrgentLongStreamIsServedInEveryBatch(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.groups = longGroups(8)
		var mu sync.Mutex
		var served []string
		at := make(map[string]chat.Seq)
		s.engine = func(req export.Request) (export.Result, error) {
			mu.Lock()
			id := req.Stream.GroupID
			served = append(served, id)
			at[id] += 10_000
			frontier := at[id]
			mu.Unlock()
			time.Sleep(time.Until(req.Deadline))
			return export.Result{Outcome: export.Continued, Head: 999_999, Frontier: frontier, Next: fmt.Appendf(nil, `{"cursor":%d}`, frontier)}, nil
		}
		s.planned()
		for n := range 12 {
			served = nil
			s.batch(time.Minute)
			if !slices.Contains(served, "g0") {
				t.Errorf("batch %d served %v", n, served)
			}
		}
	})
}

// A stream that gets nowhere in a whole batch must not hold the first place of the queue for ever.
func TestQueue_ALongStreamThatGetsNowhereLetsOthersGoFirst(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		s.groups = longGroups(6)
		var mu sync.Mutex
		served := make(map[string]int)
		s.engine = func(req export.Request) (export.Result, error) {
			mu.Lock()
			id := req.Stream.GroupID
			served[id]++
			mu.Unlock()
			time.Sleep(time.Until(req.Deadline))
			if id == "g0" {
				return export.Result{Outcome: "failed", Code: "no_progress"}, retry.ErrNoTime
			}
			return export.Result{Outcome: export.Continued, Head: 99_999, Frontier: 5, Next: []byte(`{"cursor":5}`)}, nil
		}
		s.planned()
		for range 6 {
			s.batch(time.Minute)
		}
		if served["g0"] > 2 || served["g1"] < 5 {
			t.Errorf("served %v", served)
		}
	})
}

func TestQueue_AResultDoesNotRepeatThePlan(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		for n := range 6000 {
			g := chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprint("g", n)}, Type: "Public", CreateTime: time.Now().Add(-50 * time.Hour).Unix(), LastTime: time.Now().Unix(), NextSeq: 5000}
			if n%1000 == 999 { // less urgent, and short
				g.CreateTime, g.NextSeq = time.Now().Unix(), 5
			}
			s.groups = append(s.groups, g)
		}
		var mu sync.Mutex
		short := 0
		s.engine = func(req export.Request) (export.Result, error) {
			if req.Known.NextSeq == 5 {
				mu.Lock()
				short++
				mu.Unlock()
			}
			time.Sleep(500 * time.Millisecond)
			return export.Result{Outcome: export.Complete, Frontier: req.Known.NextSeq}, nil
		}
		sum := s.planned()
		last := s.batch(time.Minute)
		_, done, opens := s.result(sum.Sweep, 0)
		if len(opens) > 2*pieceItems || len(done) < 150 {
			t.Errorf("%d done, %d open", len(done), len(opens))
		}
		for last.Outcome == Continued {
			last = s.batch(10 * time.Minute)
		}
		header, _, _ := s.result(sum.Sweep, last.Batch)
		if !header.Last || header.Lane.Tally.Outcomes[string(export.Complete)] != 6000 || short != 6 {
			t.Errorf("the lane's end: %+v, %d short ones", header, short)
		}
	})
}

// A piece of the plan that is not there ends the plan: what it would have had is due again in the next sweep.
func TestQueue_APlanThatLacksAPieceEndsEarly(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		for n := range pieceItems + 10 {
			s.groups = append(s.groups, chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprintf("g%04d", n)}, Type: "Public", NextSeq: 5, LastTime: time.Now().Unix() - 3600, CreateTime: 1})
		}
		if _, err := s.sweep(nil, "tick", 10*time.Minute); err != nil || len(s.lanes) != 1 {
			t.Fatalf("%d lanes, %v", len(s.lanes), err)
		}
		s.store.Lose(layout.SweepPlanPiece(s.lanes[0].ID, 1))
		served := 0
		s.engine = func(export.Request) (export.Result, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			served++
			return export.Result{Outcome: export.Complete, Frontier: 5}, nil
		}
		sum, err := s.sweep(&s.lanes[0], "lane", 10*time.Minute)
		if err != nil || sum.Outcome != Complete || served != pieceItems {
			t.Errorf("the lane ends with %q, %v, and has served %d streams of %d", sum.Outcome, err, served, pieceItems)
		}
	})
}
