package sweep

import (
	"fmt"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

// keys returns all that the store holds of sweeps.
func (s *scene) keys() []string {
	s.t.Helper()
	var keys []string
	for entry, err := range s.store.List(s.t.Context(), "", "") {
		if err != nil {
			s.t.Fatal(err)
		}
		keys = append(keys, entry.Key)
	}
	return keys
}

func TestContinuation_ThatNamesNoBatchWritesNothing(t *testing.T) {
	t.Parallel()
	id := func(id string) string { return `{"id":"` + id + `"}` }
	for _, raw := range []string{
		`x`, `[]`, `{"id":7}`, `{"batch":1}`, `{"id":"20261101T000000Z-00000000","batch":-1}`, `{"id":"20261101T000000Z-00000000","batch":1e30}`,
		id(""), id("../../data/gid=x"), id("20261122T120000Z"), id("20261122T120000Z-0102030405"), id("20261122T121001Z-01020304"), id("99991231T235959Z-00000000"),
	} {
		inScene(t, func(s *scene) {
			s.groups = longGroups(3)
			sum, err := s.Sweeper.Run(t.Context(), Spec{}, []byte(raw), s.request("forged", time.Minute))
			if err != nil || sum.Outcome != Lost || len(s.keys()) > 0 || len(s.lanes) > 0 {
				t.Errorf("%s: %q, %v, wrote %v", raw, sum.Outcome, err, s.keys())
			}
		})
	}
	// Clocks differ a little.
	inScene(t, func(s *scene) {
		s.groups = longGroups(3)
		if sum, err := s.sweep(&Continuation{ID: archive.NewRunID(time.Now().Add(5 * time.Minute))}, "next", time.Minute); err != nil || sum.Outcome != Planned {
			t.Errorf("%q, %v", sum.Outcome, err)
		}
	})
}

// A clock that was ahead once must not end all sweeps of several parts that come later; and what it knew is kept.
func TestPointer_ASweepOfATimeToComeIsNotTheLatestForEver(t *testing.T) {
	t.Parallel()
	const future = "20991231T235959Z-00000000"
	inScene(t, func(s *scene) {
		s.based(future, record{Stream: chat.Stream{GroupID: "g00001"}, Type: "Public", Frontier: 10, CreateTime: 1, Since: time.Now().Unix() - 100})
		s.Caller = chatapi.NewCaller(retry.NewLimiter(10))
		for n := range 3000 {
			s.groups = append(s.groups, chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprintf("g%05d", n)}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10})
		}
		sum, err := s.sweep(nil, "tick", 3*time.Second)
		parts := 0
		for err == nil && sum.Outcome == Continued && parts < 20 {
			parts++
			sum, err = s.sweep(&s.sweeps[len(s.sweeps)-1], "next", 3*time.Second)
		}
		if err != nil || sum.Outcome != Planned || parts == 0 || sum.Streams.Idle != 1 {
			t.Errorf("after %d parts: %q, %v, %+v", parts, sum.Outcome, err, sum.Streams)
		}
	})
}

func TestPointer_NamesNoSweepThatHasNotBegun(t *testing.T) {
	t.Parallel()
	const now, later, future = "20261122T120000Z-01020304", "20261122T120900Z-00000000", "20261122T121100Z-00000000"
	for id, want := range map[string]string{"": "", "../x": "", now: now, later: later, future: ""} {
		inScene(t, func(s *scene) {
			s.point(pointer{Current: current{ID: id}, Base: base{ID: id}})
			p, err := s.shelf().pointer(s.t.Context())
			if kept := validID(id); err != nil || p.Current.ID != want || (p.Base.ID == id) != (kept || id == "") {
				t.Errorf("%q: %+v, %v", id, p, err)
			}
		})
	}
}
