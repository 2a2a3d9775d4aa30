package sweep

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
)

// tries sweeps every hour over a stream that is always answered the same, and returns in which hours it was tried.
func tries(retention time.Duration, r record, o outcome, listed func(hour int) sight) []int {
	var tried []int
	for hour := range 48 {
		p := &planner{now: noon().Add(time.Duration(hour) * time.Hour), retention: retention, rate: 1, known: map[chat.Stream]*record{r.stream(): &r}}
		s := listed(hour)
		p.plan([]sight{s})
		if len(p.items) > 0 {
			tried = append(tried, hour)
			o.Next, o.Last, o.At, o.Began = s.NextSeq, s.LastTime, p.now.Unix(), p.now.Unix()
			r.learn(o)
		}
	}
	return tried
}

func TestStandingOutcomesAreTriedAtAFallingRate(t *testing.T) {
	t.Parallel()
	archived := record{Group: "g", Type: "Public", Frontier: 10, CreateTime: 1, Since: hours(-1)}
	still := func(int) sight { return group("g", 20, hours(-1)) }
	untold := func(int) sight { return group("g", 0, hours(-1)) }
	busy := func(hour int) sight { return group("g", chat.Seq(20+hour/12), hours(hour/12)) }
	busyUntold := func(hour int) sight { return group("g", 0, hours(hour/12)) }
	slow, day := []int{0, 1, 3, 7, 13, 19, 25, 31, 37, 43}, 24*time.Hour
	for _, tc := range []struct {
		name      string
		retention time.Duration
		outcome   string
		listed    func(int) sight
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
		got := tries(tc.retention, archived, outcome{Group: "g", Outcome: tc.outcome, Frontier: 10, Calm: true}, tc.listed)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: tried in hours (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestASuccessEndsAStandingOutcome(t *testing.T) {
	t.Parallel()
	r := record{Group: "g", Frontier: 3}
	r.learn(outcome{Group: "g", Outcome: archive.StatusUnsupported, Code: "10007", Next: 7, Last: 8, At: hours(0)})
	want := record{Group: "g", Frontier: 3, Outcome: archive.StatusUnsupported, Code: "10007", Next: 7, Last: 8, Tries: 1, Tried: hours(0)}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	r.learn(outcome{Group: "g", Outcome: "complete", Frontier: 9, Next: 9, Last: 10, CreateTime: 5, Began: hours(1), At: hours(1)})
	want = record{Group: "g", Frontier: 9, CreateTime: 5, Since: hours(1) - 120}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("after a success (-want +got):\n%s", diff)
	}
}

func TestALaneThatIsRefusedEveryStreamNamesTheLikelyCause(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		groups int
		code   func(n string) string
		want   int
	}{
		{"no rights", 5, func(string) string { return "10007" }, 1},
		{"no rights, the other code", 5, func(string) string { return "10004" }, 1},
		{"another code", 5, func(string) string { return "11000" }, 0},
		{"one has rights", 5, func(id string) string {
			if id == "g3" {
				return ""
			}
			return "10007"
		}, 0},
		{"one group", 1, func(string) string { return "10007" }, 0},
	} {
		inScene(t, func(s *scene) {
			for n := range tc.groups {
				s.groups = append(s.groups, chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprint("g", n)}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10})
			}
			s.engine = func(req export.Request) (export.Result, error) {
				if code := tc.code(req.Stream.GroupID); code != "" {
					return export.Result{Outcome: archive.StatusUnsupported, Code: code}, nil
				}
				return export.Result{Outcome: export.Complete, Frontier: 10}, nil
			}
			s.planned()
			s.batch(time.Minute)
			if n := strings.Count(s.logs.String(), "CHAT_ADMIN has lost its rights"); n != tc.want {
				t.Errorf("%s: %d warnings; log: %s", tc.name, n, s.logs.String())
			}
		})
	}
}

// Nobody knows how old the rest of a stream is whose first export failed part-way.
func TestTheRestOfAFirstExportIsUrgent(t *testing.T) {
	t.Parallel()
	big := sight{Facts: chat.Facts{Stream: chat.Stream{GroupID: "big"}, Type: "Public", CreateTime: hours(-24 * 365), LastTime: hours(0), NextSeq: 1_000_000}}
	known, _ := roundTrip(t, planned(Spec{}, nil, big).records)
	for range 3 { // however many sweeps it takes
		r := known[big.Stream]
		r.learn(outcome{Group: "big", Outcome: archive.StatusFailed, Frontier: 400_000, Began: hours(-1), At: hours(-1)})
		known, _ = roundTrip(t, []*record{r})
	}
	p := planned(Spec{}, []record{*known[big.Stream], {Group: "fresh", Frontier: 10, Since: hours(-6)}}, big, group("fresh", 100, hours(0)))
	if p.items[0].Group != "big" || !p.items[0].deadline.Equal(noon()) {
		t.Errorf("first is %s, which expires at %v", p.items[0].Group, p.items[0].deadline)
	}
	if p.atRisk.Count != 1 || p.atRisk.First[0].GroupID != "big" {
		t.Errorf("at risk: %+v", p.atRisk)
	}
	// A group that is younger than the retention has no older messages.
	big.CreateTime = hours(-3)
	p = planned(Spec{}, []record{*known[big.Stream]}, big)
	if want := noon().Add(week - 3*time.Hour); !p.items[0].deadline.Equal(want) {
		t.Errorf("of a young group something expires at %v, want %v", p.items[0].deadline, want)
	}
}

// roundTrip writes what is known and reads it back. It returns the object, too.
func roundTrip(t *testing.T, records []*record) (map[chat.Stream]*record, []byte) {
	t.Helper()
	w, err := encodeKnown("20261122T120000Z-01020304", noon(), records)
	if err != nil {
		t.Fatal(err)
	}
	known, err := decodeKnown(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return known, w.Body
}
