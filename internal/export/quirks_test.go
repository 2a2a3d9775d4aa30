package export_test

import (
	"fmt"
	"math/bits"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
)

type history struct {
	name    string
	message func(chat.Seq) chatemu.Message
	floor   func(n chat.Seq) chat.Seq // of n messages; nil: nothing has expired
}

func histories() []history {
	varied := chatemu.Varied
	some := func(kind chatemu.Kind) func(chat.Seq) chatemu.Message { // all but some at both ends
		return except(kind, func(seq chat.Seq) bool { return seq%100 > 4 && seq%100 < 60 })
	}
	return []history{
		{name: "varied", message: varied},
		{name: "half expired", message: varied, floor: func(n chat.Seq) chat.Seq { return n/2 + 1 }},
		{name: "recalled", message: some(chatemu.KindRecalled)},
		{name: "deleted", message: some(chatemu.KindDeleted)},
		{name: "one left", message: plain, floor: func(n chat.Seq) chat.Seq { return n }},
		{name: "never stored", message: some(chatemu.KindStoreFail)},
		{name: "first deleted", message: except(chatemu.KindDeleted, between(1, 3))},
		{name: "system only", message: except(chatemu.KindSystem, func(chat.Seq) bool { return true })},
		{name: "a page expired", message: varied, floor: func(n chat.Seq) chat.Seq { return min(n, 21) }},
		{name: "all expired", message: plain, floor: func(n chat.Seq) chat.Seq { return n + 1 }},
	}
}

func sizes() []int { return []int{0, 1, 19, 20, 21, 40, 205} }

// combination is one way in which the service may behave.
type combination struct {
	name   string
	quirks chatemu.Quirks
	groups []plan
}

type plan struct {
	history history
	size    int
}

// combinations are every value of every axis alone, for every size and some other histories by turns, and n samples of
// the whole space, for some of the groups each.
func combinations(n int) []combination {
	all, number := histories(), 0
	var list []combination
	axes := append(chatemu.Readings(), chatemu.Violations()...)
	alone := func(name string, q chatemu.Quirks) {
		c := combination{name: name, quirks: q}
		for i, size := range sizes() {
			c.groups = append(c.groups, plan{all[0], size})
			if i%2 == 1 {
				number++
				c.groups = append(c.groups, plan{all[1+number%(len(all)-1)], sizes()[(number+number/len(all))%len(sizes())]})
			}
		}
		list = append(list, c)
	}
	alone("as documented", chatemu.Quirks{})
	for name, q := range chatemu.Each(axes) {
		alone(name, q)
	}
	for i, q := range chatemu.Sample(axes, 20261122, n) {
		c := combination{name: fmt.Sprintf("sample %d: %+v", i, q), quirks: q}
		for range 2 {
			number++
			c.groups = append(c.groups, plan{all[number%len(all)], sizes()[(number*3+number/len(all))%len(sizes())]})
		}
		list = append(list, c)
	}
	return list
}

// Whatever the service does where its documentation is silent or wrong, exactly the retained messages are archived,
// once each, and in a bounded number of calls.
func TestQuirks_EveryCombinationGivesExactlyWhatIsRetained(t *testing.T) {
	t.Parallel()
	samples := 300
	if testing.Short() {
		samples = 20
	}
	for _, c := range combinations(samples) {
		for _, g := range c.groups {
			act(t, fmt.Sprintf("%s, %d messages, %s", c.name, g.size, g.history.name), 0, func(s *scene) {
				s.generate(g.size, g.history.message)
				if g.history.floor != nil && g.size > 0 {
					s.expire(g.history.floor(chat.Seq(g.size)))
				}
				s.chat.SetQuirks(c.quirks)
				r := s.done(export.Complete, turn{change: func(e *export.Engine, _ *export.Request) { e.Limits.Concurrency = 4 }})
				s.exact()
				if most := c.bound(s); r.Calls > int64(most) {
					s.Errorf("%d calls, want at most %d", r.Calls, most)
				}
			})
		}
	}
}

// bound is the number of calls that a first export without faults may make: 2 * pages + ranges + C.
//
// pages is the fewest that show everything from the first seq that the archive covers; the segments, which are pulled
// side by side, need not end where those do. ranges are those that no page shows: each is asked for by itself, and once
// more where the service did not say that a page was whole. C are the calls that do not depend on the length: the newest
// page and its top, the group's information, the first page and the one below its first message; and where something has
// expired, the search for the floor with its confirmation, each of them at most one probe for every halving of the
// stream.
func (c *combination) bound(s *scene) int {
	s.Helper()
	floor, newest, err := s.chat.Bounds(s.stream)
	s.must(err)
	lo := chat.Seq(1)
	if s.exists(layout.Genesis(s.stream)) {
		lo = s.genesis().FirstLo
	}
	pages, runs := c.pages(s, lo, newest)
	constant := 5
	if floor > 1 {
		search := 2 * (1 + bits.Len64(uint64(newest)))
		if c.cutAtTop() {
			search *= 2 // each probe is followed by one for the very top
		}
		constant += search
	}
	if runs > 0 {
		constant += 20 // the newest message may be below as many that are left out
	}
	most := 2*pages + 2*runs + constant
	if c.quirks.EmptyOnceEvery > 0 {
		most *= 2 // every page may have to be asked for twice
	}
	if c.cutAtTop() && c.quirks.Counting == chatemu.CountMessages {
		most *= 5 // pages that reach far down are halved until they show their top
	}
	return most
}

func (c *combination) cutAtTop() bool {
	return c.quirks.PageBytes > 0 && c.quirks.Cut == chatemu.CutNewest
}

// pages counts the fewest pages that show [lo, hi], and the ranges in it that no page shows.
func (c *combination) pages(s *scene, lo, hi chat.Seq) (pages, runs int) {
	s.Helper()
	truth, _, err := s.chat.Truth(s.stream)
	s.must(err)
	sizes := make(map[chat.Seq]int)
	floor, _, err := s.chat.Bounds(s.stream)
	s.must(err)
	if c.quirks.Expired == chatemu.HoleIsPlaceholder {
		for seq := lo; seq < floor; seq++ {
			sizes[seq] = 120 // a placeholder's
		}
	}
	for r := range truth {
		if r.JSON != nil {
			sizes[r.Seq] = len(r.JSON)
		}
	}
	room, bytes := 0, 0
	for seq := hi; seq >= lo; seq-- {
		size, shown := sizes[seq]
		if _, above := sizes[seq+1]; !shown && (above || seq == hi) {
			runs++
		}
		if room == 0 || c.quirks.PageBytes > 0 && bytes+size > c.quirks.PageBytes {
			pages, room, bytes = pages+1, chat.PageSize, 0
		}
		room, bytes = room-1, bytes+size
	}
	return pages, runs
}
