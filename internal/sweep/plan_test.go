package sweep

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// noon is when these sweeps plan; hours counts from then.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func hours(h int) int64 { return noon().Add(time.Duration(h) * time.Hour).Unix() }

const week = 7 * 24 * time.Hour

// decided is a planner that has decided, with what it remembers.
type decided struct {
	*planner

	records []record
}

// planned lets a planner decide about streams of which something may be known.
func planned(t testing.TB, spec Spec, known []record, seen ...sightLine) decided {
	t.Helper()
	return decide(t, &planner{now: noon(), spec: spec, retention: week, rate: 100}, known, seen...)
}

func decide(t testing.TB, p *planner, known []record, seen ...sightLine) decided {
	t.Helper()
	s := newSnapshot()
	for i := range seen {
		s.take(&seen[i])
	}
	s.complete()
	p.blind = s.blind
	d := decided{planner: p}
	for r, err := range p.plan(s, inOrder(known)) {
		if err != nil {
			t.Fatal(err)
		}
		d.records = append(d.records, r)
	}
	return d
}

// inOrder yields records as the pieces of what is known have them.
func inOrder(records []record) iter.Seq2[record, error] {
	sorted := slices.SortedFunc(slices.Values(records), func(a, b record) int { return compare(a.Stream, b.Stream) })
	return func(yield func(record, error) bool) {
		for _, r := range sorted {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func group(id string, next chat.Seq, last int64) sightLine {
	return sightLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: id}, Type: "Public", CreateTime: 1, LastTime: last, NextSeq: next}}
}

func TestPlan_WhatIsDecidedAboutAStream(t *testing.T) {
	t.Parallel()
	archived := record{Stream: chat.Stream{GroupID: "g"}, Type: "Public", Frontier: 10, CreateTime: 1, Since: hours(-3)}
	with := func(change func(*record)) []record {
		r := archived
		change(&r)
		return []record{r}
	}
	wait := Spec{MinNew: 5, MaxAge: Duration(4 * time.Hour)}
	for _, tc := range []struct {
		name  string
		spec  Spec
		known []record
		see   sightLine
		want  Streams
	}{
		{"never seen, no message", Spec{}, nil, group("g", 1, 0), Streams{Empty: 1}},
		{"never seen", Spec{}, nil, group("g", 2, hours(-1)), Streams{Due: 1}},
		{"no number, never a message", Spec{}, nil, group("g", 0, 0), Streams{Empty: 1}},
		{"no number, a message", Spec{}, nil, group("g", 0, hours(-1)), Streams{Due: 1}},
		{"nothing new", Spec{}, []record{archived}, group("g", 10, hours(-9)), Streams{Idle: 1}},
		{"no number, nothing since", Spec{}, []record{archived}, group("g", 0, hours(-9)), Streams{Idle: 1}},
		{"no number, something since", Spec{}, []record{archived}, group("g", 0, hours(-1)), Streams{Due: 1}},
		{"one new", Spec{}, []record{archived}, group("g", 11, hours(-1)), Streams{Due: 1}},
		{"fewer than archived", Spec{}, []record{archived}, group("g", 5, hours(-1)), Streams{Due: 1}},
		{"another group", Spec{}, with(func(r *record) { r.CreateTime = 7 }), group("g", 10, hours(-9)), Streams{Due: 1}},
		{"few and young", wait, []record{archived}, group("g", 11, hours(-1)), Streams{Waiting: 1}},
		{"enough", wait, []record{archived}, group("g", 15, hours(-1)), Streams{Due: 1}},
		{"old enough", wait, with(func(r *record) { r.Since = hours(-4) }), group("g", 11, hours(-1)), Streams{Due: 1}},
		{"by age alone", Spec{MaxAge: Duration(time.Hour)}, []record{archived}, group("g", 11, hours(-1)), Streams{Due: 1}},
		{"never beyond half of the retention", Spec{MinNew: 100, MaxAge: Duration(1000 * time.Hour)}, with(func(r *record) { r.Since = hours(-84) }), group("g", 11, hours(-1)), Streams{Due: 1}},
		{"failed before", wait, with(func(r *record) { r.Outcome = archive.StatusFailed }), group("g", 11, hours(-1)), Streams{Due: 1}},
		{"the newest were deleted", Spec{}, with(func(r *record) { r.Next, r.Tries, r.Tried = 12, 1, hours(0)-60 }), group("g", 12, hours(-9)), Streams{Idle: 1}},
		{"and are looked for again", Spec{}, with(func(r *record) { r.Next, r.Tries, r.Tried = 12, 1, hours(-1) }), group("g", 12, hours(-9)), Streams{Due: 1}},
		{"more after the deleted", Spec{}, with(func(r *record) { r.Next, r.Tries, r.Tried = 12, 1, hours(0)-60 }), group("g", 13, hours(0)), Streams{Due: 1}},
		{"damaged a moment ago", Spec{}, with(func(r *record) { r.Outcome, r.Tries, r.Tried = archive.StatusDamaged, 1, hours(0)-60 }), group("g", 12, hours(-1)), Streams{Resting: 1}},
		{"damaged an hour ago", Spec{}, with(func(r *record) { r.Outcome, r.Tries, r.Tried = archive.StatusDamaged, 1, hours(-1) }), group("g", 12, hours(-1)), Streams{Due: 1}},
		{"damaged three times", Spec{}, with(func(r *record) { r.Outcome, r.Tries, r.Tried = archive.StatusDamaged, 3, hours(-3) }), group("g", 12, hours(-1)), Streams{Resting: 1}},
		{"gone, archived", Spec{}, []record{archived}, sightLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: "g"}}, Gone: true, Code: "10010"}, Streams{Due: 1}},
		{"gone, never archived", Spec{}, nil, sightLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: "g"}}, Gone: true, Code: "10010"}, Streams{Gone: 1}},
		{"not to be looked at", Spec{}, []record{archived}, sightLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: "g"}}, Code: "10007"}, Streams{Due: 1}},
	} {
		p := planned(t, tc.spec, tc.known, tc.see)
		if diff := cmp.Diff(tc.want, p.streams); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestUnlisted_KnownStreamsAreGoneOrOutside(t *testing.T) {
	t.Parallel()
	known := func() []record {
		return []record{
			{Stream: chat.Stream{GroupID: "a"}, Type: "Public", Frontier: 10},
			{Stream: chat.Stream{GroupID: "b"}, Type: "Private", Frontier: 10},
			{Stream: chat.Stream{GroupID: "c", TopicID: "t"}, Type: "Community", Frontier: 10},
			{Stream: chat.Stream{GroupID: "d"}, Type: "Public", Frontier: 10, Outcome: archive.StatusGone, Tries: forgetAfter, Tried: hours(-1000)},
		}
	}
	p := planned(t, Spec{Types: []string{"Community", "Public"}, Exclude: []string{"x*"}}, known())
	if p.streams.Due != 2 || p.streams.Gone != 1 || len(p.records) != 3 {
		t.Errorf("%+v, %d remembered; want a and c due, b kept, d forgotten", p.streams, len(p.records))
	}
}

// The engine needs no list: what is known of a stream is enough to look at it.
func TestUnlisted_KnownStreamsAreExportedThoughTheirListFails(t *testing.T) {
	t.Parallel()
	known := []record{
		{Stream: chat.Stream{GroupID: "c", TopicID: "t"}, Type: "Community", Frontier: 10, Since: hours(-24 * 6)},
		{Stream: chat.Stream{GroupID: "c", TopicID: "failed"}, Type: "Community", Outcome: archive.StatusFailed, Since: hours(-1)},
		{Stream: chat.Stream{GroupID: "c", TopicID: "deleted"}, Type: "Community", Frontier: 10, Outcome: archive.StatusGone, Tries: 1, Tried: hours(0) - 60},
		{Stream: chat.Stream{GroupID: "d", TopicID: "t"}, Type: "Community", Frontier: 10, Outcome: archive.StatusGone, Tries: forgetAfter, Tried: hours(-1000)},
		{Stream: chat.Stream{GroupID: "w"}, Type: "Work", Outcome: archive.StatusFailed},
		{Stream: chat.Stream{GroupID: "old"}, Outcome: archive.StatusFailed},
		{Stream: chat.Stream{GroupID: "p"}, Type: "Public", Outcome: archive.StatusFailed},
	}
	blind := sightLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: "c"}, Type: "Community", CreateTime: 1, NextSeq: 1}, TopicsCode: "60008"}
	p := decide(t, &planner{now: noon(), retention: week, rate: 100, unlisted: []string{"Private"}}, known, blind)
	if diff := cmp.Diff(Streams{Due: 4, Resting: 1, Gone: 2, Empty: 1}, p.streams); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, i := range p.items {
		n := slices.IndexFunc(known, func(r record) bool { return r.Stream == i.Stream })
		if i.Seen != (news{}) || i.Frontier != known[n].Frontier {
			t.Errorf("%+v", i)
		}
		if i.TopicID == "t" && i.deadline != hours(24) {
			t.Errorf("it expires at %v", i.deadline)
		}
	}
	if len(p.records) != 5 {
		t.Errorf("%d remembered", len(p.records))
	}
}

func TestCommunity_OwnMessagesAreSeenBesideTopics(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		next chat.Seq
		last int64
		due  int
	}{{1, 0, 1}, {2, 9, 2}, {1, 9, 2}, {0, 9, 2}} {
		own := chat.Facts{Stream: chat.Stream{GroupID: "c"}, Type: "Community", NextSeq: tc.next, LastTime: tc.last}
		topic := chat.Facts{Stream: chat.Stream{GroupID: "c", TopicID: "t"}, NextSeq: 5}
		p := planned(t, Spec{}, nil, sightLine{Facts: own, Topics: []sightLine{{Facts: topic}}})
		if p.streams != (Streams{Due: tc.due}) {
			t.Errorf("NextMsgSeq %d, LastMsgTime %d: %+v", tc.next, tc.last, p.streams)
		}
	}
}

// A sweep lists from 11:00 on and plans at 12:00. What was sent at 11:30 was not seen.
func TestIdle_SinceTheSweepBegan(t *testing.T) {
	t.Parallel()
	eleven := noon().Add(-time.Hour)
	known := []record{{Stream: chat.Stream{GroupID: "g"}, Type: "Public", Frontier: 10, CreateTime: 1, Since: hours(-2)}}
	for _, next := range []chat.Seq{0, 10} {
		p := decide(t, &planner{now: noon(), since: eleven, retention: week, rate: 100}, known, group("g", next, hours(-3)))
		if p.streams.Idle != 1 || p.records[0].Since != eleven.Unix()-120 {
			t.Errorf("next %d: %+v, %+v", next, p.streams, p.records)
		}
		again := planned(t, Spec{}, p.records, group("g", 0, noon().Add(-30*time.Minute).Unix()))
		if again.streams.Due != 1 {
			t.Errorf("next %d: a message of 11:30 makes the stream %+v", next, again.streams)
		}
	}
}

func TestUrgency_TheMostEndangeredComeFirst(t *testing.T) {
	t.Parallel()
	known := []record{
		{Stream: chat.Stream{GroupID: "since yesterday"}, Frontier: 5, Since: hours(-24)},
		{Stream: chat.Stream{GroupID: "expires soon"}, Frontier: 5, Since: hours(-24*7 + 5)},
		{Stream: chat.Stream{GroupID: "expires soon, long"}, Frontier: 5, Since: hours(-24*7 + 5)},
		{Stream: chat.Stream{GroupID: "all expired"}, Frontier: 5, Since: hours(-24 * 30)},
	}
	fresh := group("created an hour ago", 4, hours(0))
	fresh.CreateTime = hours(-1)
	p := planned(t, Spec{}, known,
		group("since yesterday", 9, hours(0)), group("expires soon, long", 9000, hours(0)), group("expires soon", 9, hours(0)),
		group("all expired", 9, hours(-24*8)), group("never archived", 50, hours(0)), fresh,
	)
	var order []string
	for _, i := range p.items {
		order = append(order, i.GroupID)
	}
	want := []string{"never archived", "expires soon", "expires soon, long", "since yesterday", "created an hour ago", "all expired"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestUrgency_WhatIsReachedTooLateIsAtRisk(t *testing.T) {
	t.Parallel()
	known := []record{{Stream: chat.Stream{GroupID: "soon"}, Frontier: 1, Since: hours(-24*7 + 1)}, {Stream: chat.Stream{GroupID: "later"}, Frontier: 1, Since: hours(-24)}}
	first := group("first", 8_000_001, hours(0)) // 400,000 pages at 80 a second
	p := planned(t, Spec{}, known, first, group("soon", 100, hours(0)), group("later", 100, hours(0)))
	names := map[string]int64{}
	for _, n := range p.atRisk.First {
		names[n.GroupID] = n.Seqs
	}
	if diff := cmp.Diff(map[string]int64{"first": 8_000_000, "soon": 99}, names); diff != "" {
		t.Errorf("at risk (-want +got):\n%s", diff)
	}
}

func TestPlan_IsTheSameTwice(t *testing.T) {
	t.Parallel()
	var seen []sightLine
	for n := range 500 {
		seen = append(seen, group(fmt.Sprint("g", n), chat.Seq(1+n%17), hours(-n)))
	}
	one := planned(t, Spec{}, nil, seen...)
	slices.Reverse(seen)
	two := planned(t, Spec{}, nil, seen...)
	if diff := cmp.Diff(one.items, two.items, cmp.AllowUnexported(item{})); diff != "" {
		t.Error(diff)
	}
}
