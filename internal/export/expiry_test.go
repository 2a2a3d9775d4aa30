package export_test

import (
	"fmt"
	"math/bits"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// expired adds a group of n messages of which everything below floor has expired.
func expired(t testing.TB, w *world.World, id string, n int, floor chat.Seq, f func(chat.Seq) chatemu.Message) chat.Stream {
	t.Helper()
	s := addGroup(t, w, id, 1, n, f)
	must(t, w.Chat.SetFloor(s, floor))
	return s
}

// halvings is how many halvings lead from n to 1.
func halvings(n chat.Seq) int { return bits.Len64(uint64(n)) }

// callsOf returns how many calls a tick made for its one stream.
func callsOf(t testing.TB, w *world.World, s chat.Stream) int {
	t.Helper()
	mark := len(w.Logs.String())
	w.Tick(s)
	return calls(w, mark)[s.GroupID]
}

// proofs are the readings in which IsFinished 2 tells the floor.
func proofs() map[string]chatemu.Quirks {
	return map[string]chatemu.Quirks{
		"placeholders, below":  {},
		"placeholders, window": {Finished: chatemu.FinishedWindow},
		"left out, below":      {Expired: chatemu.HoleIsOmitted},
		"left out, counted":    {Expired: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"despite cut":          {Finished: chatemu.FinishedDespiteCut, PageBytes: 1 << 10},
		"cut at the top":       {PageBytes: 1 << 10, Cut: chatemu.CutNewest},
		"also at seq 1":        {Finished: chatemu.FinishedAtOne},
	}
}

func TestIsFinished2ProvesTheFloorInFewCalls(t *testing.T) {
	t.Parallel()
	for name, quirks := range proofs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, world.Options{Chat: chatemu.Options{Quirks: quirks}})
			for _, floor := range []chat.Seq{99_801, 99_900, 100_000} {
				s := expired(t, w, fmt.Sprint("floor", floor), 100_000, floor, plain)
				made := callsOf(t, w, s)
				proved(t, w, s)
				g := genesis(t, w, s)
				if g.FirstLo != floor || g.ExpiredBelow.Seq != floor || g.ExpiredBelow.Evidence != archive.EvidenceFinished {
					t.Errorf("floor %d: the archive begins at %d, %+v", floor, g.FirstLo, g.ExpiredBelow)
				}
				// The search, its confirmation (cut at the top, both may need two calls a probe), and the pages: one of 1 KB
				// holds four messages at least.
				search := 4 * halvings(100_000)
				if g.ExpiredBelow.Probes < halvings(100_000) || g.ExpiredBelow.Probes > search {
					t.Errorf("floor %d: genesis tells of %d probes", floor, g.ExpiredBelow.Probes)
				}
				if most := search + 2*(int(100_000-floor)/4+1) + 10; made > most {
					t.Errorf("floor %d: %d calls, want at most %d", floor, made, most)
				}
			}
		})
	}
}

// silences are the readings in which nothing tells the floor.
func silences() map[string]chatemu.Quirks {
	return map[string]chatemu.Quirks{
		"placeholders":     {Finished: chatemu.FinishedNever},
		"left out":         {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted},
		"left out, null":   {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, EmptyList: chatemu.EmptyListNull},
		"counted":          {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"no IsFinished":    {FinishedOmitted: true},
		"cut":              {Finished: chatemu.FinishedNever, PageBytes: 1 << 10},
		"cut at the top":   {Finished: chatemu.FinishedNever, PageBytes: 1 << 10, Cut: chatemu.CutNewest},
		"empty for once":   {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, EmptyOnceEvery: 1},
		"original times":   {Finished: chatemu.FinishedNever, PlaceTime: chatemu.PlaceTimeOriginal},
		"recalled as hole": {Finished: chatemu.FinishedNever, RecalledIgnored: true},
	}
}

func TestWithoutProofTheFloorIsFoundByProbing(t *testing.T) {
	t.Parallel()
	for name, quirks := range silences() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, world.Options{Chat: chatemu.Options{Quirks: quirks}})
			for _, floor := range []chat.Seq{99_783, 99_900, 100_000} {
				s := expired(t, w, fmt.Sprint("floor", floor), 100_000, floor, plain)
				made := callsOf(t, w, s)
				proved(t, w, s)
				g := genesis(t, w, s)
				if g.FirstLo != floor || g.ExpiredBelow.Seq != floor || g.ExpiredBelow.Evidence != archive.EvidenceProbe {
					t.Errorf("floor %d: the archive begins at %d, %+v", floor, g.FirstLo, g.ExpiredBelow)
				}
				// Steps upwards, the search, the halving and the doubling points, and the spread; an empty page is asked for
				// twice.
				search := 2 * (64 + 4*halvings(100_000))
				if most := search + 3*(int(100_000-floor)/4+1) + 10; made > most {
					t.Errorf("floor %d: %d calls, want at most %d", floor, made, most)
				}
			}
		})
	}
}

