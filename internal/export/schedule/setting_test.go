package schedule_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

// climate is a mix of disturbances, some of which come more often, and how many per cent of the messages refer to files.
type climate struct {
	kinds []string
	files []int
	looks []bool
}

func climates() map[string]climate {
	failures := []string{"crash before", "crash after", "crash after", "answer lost", "refused", "retried", "late", "outage", "slow", "stale"}
	chains := []string{"duplicate", "duplicate", "duplicate", "tick", "same tick", "sweep"}
	world := []string{"grow", "grow", "expire", "delete", "gap", "gap", "lose state", "tick", "sweep"}
	none, never := []int{0}, []bool{false}
	changes := []string{"edit", "edit", "edit", "recall", "delete", "withhold", "withhold", "arrive", "heal", "spoil"}
	return map[string]climate{
		"failures":          {failures, none, never},
		"several chains":    {slices.Concat(chains, []string{"crash after", "slow", "lose state", "stale"}), none, never},
		"a world that goes": {slices.Concat(world, []string{"crash after", "dissolve"}), none, never},
		"files": {
			slices.Concat(failures, []string{"no files", "no files", "receipt lost", "receipt and crash", "duplicate", "duplicate", "tick", "grow", "lose state", "dissolve"}),
			[]int{8, 4},
			never,
		},
		"looks": {
			slices.Concat(failures, changes, changes, []string{"look", "look", "look", "look", "expire", "expire", "grow", "receipt lost", "receipt and crash", "duplicate", "tick", "lose state", "dissolve"}),
			[]int{0, 0, 0, 4},
			[]bool{true},
		},
		"everything": {
			slices.Concat(failures, chains, world, changes, []string{"look", "look", "drop", "dissolve", "no files"}), []int{0, 0, 5}, []bool{false, true},
		},
	}
}

// setting is what a schedule is made from.
type setting struct {
	Seed         uint64 // of the order and the pace of calls
	Begun        int    // messages that an undisturbed tick archived before; 0: the stream has no archive yet
	Messages     int    // the rest
	Floor        chat.Seq
	Span         [2]chat.Seq // of the two versions that are deployed
	Concurrency  [2]int
	Limit        time.Duration // of an invocation
	Pace         time.Duration // of a call
	Sticky       int           // per cent of the steps that go to the batch that went last
	Skew         time.Duration // of the store's clock
	Hide         bool          // some new messages cannot be seen for a while
	Files        int           // per cent of the messages refer to some
	Look         bool          // chunks are looked at again
	Off          int           // the version that follows no trails, from 1; 0: both do
	Bad          int           // per cent of the messages cannot be read
	Quirks       chatemu.Quirks
	Disturbances []disturbance
}

func (s setting) String() string {
	return fmt.Sprintf("seed %d: %d messages after %d from %d, spans %v, concurrency %v, limit %v, pace %v, sticky %d, skew %v, hide %t, files %d, look %t, off %d, bad %d, quirks %+v\n%v",
		s.Seed, s.Messages, s.Begun, s.Floor, s.Span, s.Concurrency, s.Limit, s.Pace, s.Sticky, s.Skew, s.Hide, s.Files, s.Look, s.Off, s.Bad, s.Quirks, s.Disturbances)
}

// uniform draws a number below n; rapid's own ranges favour small ones.
func uniform(n int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		v := 0
		for range 10 {
			v *= 2
			if rapid.Bool().Draw(t, "bit") {
				v++
			}
		}
		return v % n
	})
}

func oneOf[T any](t *rapid.T, label string, values ...T) T {
	return values[uniform(len(values)).Draw(t, label)]
}

func drawSetting(t *rapid.T, w climate) setting {
	s := setting{
		Seed:        rapid.Uint64().Draw(t, "seed"),
		Messages:    oneOf(t, "messages", 300, 400, 500, 120, 200, 60, 21, 0),
		Begun:       oneOf(t, "begun", 0, 40, 40, 100, 40),
		Concurrency: [2]int{oneOf(t, "concurrency", 1, 1, 2, 3), oneOf(t, "other concurrency", 1, 1, 2, 3)},
		Limit:       oneOf(t, "limit", 3*time.Second, 10*time.Second, 2*time.Second),
		Sticky:      oneOf(t, "sticky", 80, 0, 95, 50),
		Skew:        time.Duration(oneOf(t, "skew", 0, 1, -1, 90, -90)) * time.Second,
		Hide:        rapid.Bool().Draw(t, "hide"),
		Bad:         oneOf(t, "bad", 0, 0, 0, 1, 5, 40),
	}
	spans := []chat.Seq{50, 30, 100, 17, 1000}
	s.Span = [2]chat.Seq{oneOf(t, "span", spans...), oneOf(t, "other span", spans...)}
	odd := oneOf(t, "odd", false, false, false, true)
	// The calls for which an invocation has time: a few pages' worth, so that runs take several batches.
	calls := oneOf(t, "calls", 18, 22, 14, 30)
	switch {
	case odd:
		calls = oneOf(t, "calls", 150, 200, 400)
	case s.Begun == 0: // some of these have no time to find the beginning
		calls = oneOf(t, "calls", 30, 40, 60, 150)
	}
	if s.Files = oneOf(t, "files", w.files...); s.Files > 0 { // one is three calls, and a receipt five more
		s.Off = oneOf(t, "off", 0, 0, 1, 2)
		s.Limit = oneOf(t, "limit for files", 10*time.Second, 30*time.Second)
		calls = max(calls, oneOf(t, "calls of files", 40, 60, 100))
	}
	if s.Look = oneOf(t, "look", w.looks...); s.Look && s.Files == 0 { // one is five calls beside its pages
		s.Off = oneOf(t, "off", 0, 0, 1, 2)
		calls = max(calls, oneOf(t, "calls of looks", 30, 40, 60))
	}
	if s.Bad > 0 { // a single one of them may take 10 calls, and waits between them
		calls = max(calls, oneOf(t, "more calls", 60, 100, 150))
		if odd || s.Bad > 5 || s.Look { // or some batches have no time for what is at the frontier
			s.Limit = 30 * time.Second
		}
	}
	s.Pace = s.Limit / time.Duration(calls)
	if rapid.Bool().Draw(t, "expired") {
		s.Floor = chat.Seq(uniform(s.Begun+s.Messages+1).Draw(t, "floor")) + 1
	}
	if odd {
		axes := append(chatemu.Readings(), chatemu.Violations()...)
		s.Quirks = chatemu.Sample(axes, rapid.Uint64().Draw(t, "quirks"), 1)[0]
		s.Quirks.InvalidUTF8Every = 0 // would only make the comparison harder
		if s.Bad > 0 {                // what comes with a message that was not asked for must not spoil its answer
			s.Quirks.BelowWindow, s.Quirks.AboveWindow, s.Quirks.Overlap = false, false, 0
			s.Quirks.Counting = chatemu.CountSeqs
		}
	}
	d := rapid.Custom(func(t *rapid.T) disturbance {
		return disturbance{After: rapid.IntRange(0, 40).Draw(t, "after"), Kind: oneOf(t, "kind", w.kinds...), Pick: uniform(1000).Draw(t, "pick")}
	})
	s.Disturbances = rapid.SliceOfN(d, 0, 30).Draw(t, "disturbances")
	return s
}
