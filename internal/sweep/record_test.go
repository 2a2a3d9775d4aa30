package sweep

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
)

// tries sweeps every hour over a stream that is always answered the same, and returns in which hours it was tried.
func tries(t testing.TB, retention time.Duration, r record, got export.Result, listed func(hour int) sightLine) []int {
	var tried []int
	for hour := range 48 {
		seen := listed(hour)
		p := decide(t, &planner{now: noon().Add(time.Duration(hour) * time.Hour), retention: retention, rate: 1}, []record{r}, seen)
		if r = p.records[0]; len(p.items) > 0 {
			tried = append(tried, hour)
			r.learn(news{Next: seen.NextSeq, Last: seen.LastTime}, got, p.now, p.now)
		}
	}
	return tried
}

func TestAgain_StandingOutcomesAreTriedAtAFallingRate(t *testing.T) {
	t.Parallel()
	archived := record{Stream: chat.Stream{GroupID: "g"}, Type: "Public", Frontier: 10, CreateTime: 1, Since: hours(-1)}
	still := func(int) sightLine { return group("g", 20, hours(-1)) }
	untold := func(int) sightLine { return group("g", 0, hours(-1)) }
	busy := func(hour int) sightLine { return group("g", chat.Seq(20+hour/12), hours(hour/12)) }
	busyUntold := func(hour int) sightLine { return group("g", 0, hours(hour/12)) }
	slow, day := []int{0, 1, 3, 7, 13, 19, 25, 31, 37, 43}, 24*time.Hour
	for _, tc := range []struct {
		name      string
		retention time.Duration
		outcome   export.Outcome
		listed    func(int) sightLine
		want      []int
	}{
		{"unsupported", week, archive.StatusUnsupported, still, slow},
		{"gone, no number", week, archive.StatusGone, untold, slow},
		{"damaged", week, archive.StatusDamaged, still, slow},
		{"a day's retention", day, archive.StatusMismatch, still, []int{0, 1, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45}},
		{"unsupported, and new messages", week, archive.StatusUnsupported, busy, []int{0, 1, 3, 7, 12, 18, 24, 30, 36, 42}},
		{"gone, and new messages", week, archive.StatusGone, busyUntold, []int{0, 1, 3, 7, 12, 18, 24, 30, 36, 42}},
		{"damaged, and new messages", week, archive.StatusDamaged, busy, slow},
		{"the newest deleted", week, "complete", still, []int{0, 1, 3, 7, 15, 31}},
	} {
		got := tries(t, tc.retention, archived, export.Result{Outcome: tc.outcome, Frontier: 10}, tc.listed)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: tried in hours (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestAgain_ASuccessEndsAStandingOutcome(t *testing.T) {
	t.Parallel()
	r := record{Stream: chat.Stream{GroupID: "g"}, Frontier: 3}
	r.learn(news{Next: 7, Last: 8}, export.Result{Outcome: archive.StatusUnsupported, Code: "10007"}, noon(), noon())
	want := record{Stream: chat.Stream{GroupID: "g"}, Frontier: 3, Outcome: archive.StatusUnsupported, Code: "10007", Next: 7, Last: 8, Tries: 1, Tried: hours(0)}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	r.learn(news{Next: 9, Last: 10}, export.Result{Outcome: export.Complete, Frontier: 9, CreateTime: 5}, noon().Add(time.Hour), noon().Add(time.Hour))
	want = record{Stream: chat.Stream{GroupID: "g"}, Frontier: 9, CreateTime: 5, Since: hours(1) - 120}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("after a success (-want +got):\n%s", diff)
	}
}

// Nobody knows how old the rest of a stream is whose first export failed part-way.
func TestUrgency_TheRestOfAFirstExport(t *testing.T) {
	t.Parallel()
	big := group("big", 1_000_000, hours(0))
	big.CreateTime = hours(-24 * 365)
	r := planned(t, Spec{}, nil, big).records[0]
	for range 3 { // however many sweeps it takes
		r.learn(news{}, export.Result{Outcome: archive.StatusFailed, Frontier: 400_000}, noon().Add(-time.Hour), noon().Add(-time.Hour))
	}
	p := planned(t, Spec{}, []record{r, {Stream: chat.Stream{GroupID: "fresh"}, Frontier: 10, Since: hours(-6)}}, big, group("fresh", 100, hours(0)))
	if p.items[0].GroupID != "big" || p.items[0].deadline != hours(0) {
		t.Errorf("first is %s, which expires at %v", p.items[0].GroupID, p.items[0].deadline)
	}
	if p.atRisk.Count != 1 || p.atRisk.First[0].GroupID != "big" {
		t.Errorf("at risk: %+v", p.atRisk)
	}
	// A group that is younger than the retention has no older messages.
	big.CreateTime = hours(-3)
	p = planned(t, Spec{}, []record{r}, big)
	if want := noon().Add(week - 3*time.Hour).Unix(); p.items[0].deadline != want {
		t.Errorf("of a young group something expires at %v, want %v", p.items[0].deadline, want)
	}
}

func TestKnown_IsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		records := []record{
			{Stream: chat.Stream{GroupID: "<&>"}, Outcome: "gone", Code: "10010", Since: hours(-1), Tries: 1, Tried: 9},
			{Stream: chat.Stream{GroupID: "@TGS#1"}, Type: "Public", Frontier: 7, CreateTime: 5, Since: hours(0)},
			{Stream: chat.Stream{GroupID: "@TGS#2", TopicID: "t"}, Frontier: 9, Since: hours(-4), Next: 12, Tries: 2, Tried: 8},
			{Stream: chat.Stream{GroupID: "failed part-way"}, Frontier: 9, Outcome: "failed", Tries: 1, Tried: 9},
		}
		for n := range 2 * knownRecords {
			records = append(records, record{Stream: chat.Stream{GroupID: fmt.Sprintf("g%06d", n)}, Frontier: 7})
		}
		s.based(baseID, records...)
		if diff := cmp.Diff(records, s.known(baseID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := len(s.keys()); n != 1+3 {
			t.Errorf("it is written as %v", s.keys())
		}
		// A piece that is broken, or is not there, costs its own streams.
		s.corrupt[layout.SweepKnown(baseID, 0)] = true
		if n := len(s.known(baseID)); n != len(records)-knownRecords {
			t.Errorf("without the first piece %d are known", n)
		}
		s.store.Lose(layout.SweepKnown(baseID, 2))
		if n := len(s.known(baseID)); n != knownRecords {
			t.Errorf("without the first and the last piece %d are known", n)
		}
	})
}

// Two deliveries that knew unlike much may have written pieces that do not fit together.
func TestKnown_IsMergedInOrder(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		for piece, groups := range [][]string{{"a", "c"}, {"b", "c", "d"}} {
			l := newLines()
			for _, id := range groups {
				l.add(record{Stream: chat.Stream{GroupID: id}, Frontier: 7})
			}
			w, err := l.close(header{envelope: envelope{format, baseID}, Last: piece == 1})
			s.write(layout.SweepKnown(baseID, piece), w, err)
		}
		want := []record{{Stream: chat.Stream{GroupID: "a"}, Frontier: 7}, {Stream: chat.Stream{GroupID: "c"}, Frontier: 7}, {Stream: chat.Stream{GroupID: "d"}, Frontier: 7}}
		if diff := cmp.Diff(want, s.known(baseID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
