package export_test

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
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
			w := newWorld(t, quirks)
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
			w := newWorld(t, quirks)
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

func TestWithEverythingExpiredTheArchiveBeginsBehindIt(t *testing.T) {
	t.Parallel()
	readings := proofs()
	for name, quirks := range silences() {
		if !quirks.FinishedOmitted || quirks.Expired == chatemu.HoleIsPlaceholder {
			readings["silent: "+name] = quirks
		}
	}
	for name, quirks := range readings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quirks)
			for _, n := range []int{1, 20, 205, 20_000} {
				s := expired(t, w, fmt.Sprint("of", n), n, chat.Seq(n)+1, plain)
				if made, most := callsOf(t, w, s), 64*3+4*halvings(20_000)*2+20; made > most {
					t.Errorf("%d expired messages: %d calls, want at most %d", n, made, most)
				}
				proved(t, w, s)
				must(t, w.Chat.Append(s, old(25)...))
				w.Tick(s)
				if report := proved(t, w, s); report.Hi != chat.Seq(n)+25 || report.Finished != archive.StatusComplete {
					t.Errorf("%d expired messages and 25 more: archived up to %d, %q", n, report.Hi, report.Finished)
				}
			}
		})
	}
}

// Between "it has expired" and "it was deleted" only IsFinished 2 can tell: without it, a gap on the first page is
// archived as it is.
func TestAFloorOnTheFirstPageNeedsProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{})
	for i, tc := range []struct {
		quirks   chatemu.Quirks
		first    chat.Seq
		evidence string
	}{
		{chatemu.Quirks{}, 7, archive.EvidenceFinished},
		{chatemu.Quirks{Expired: chatemu.HoleIsOmitted}, 7, archive.EvidenceFinished},
		{chatemu.Quirks{Finished: chatemu.FinishedNever}, 1, archive.EvidenceNone},
		{chatemu.Quirks{Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted}, 1, archive.EvidenceNone},
	} {
		for _, n := range []int{12, 205} {
			w.Chat.SetQuirks(tc.quirks)
			s := expired(t, w, fmt.Sprintf("g%d-%d", i, n), n, 7, plain)
			w.Tick(s)
			proved(t, w, s)
			if g := genesis(t, w, s); g.FirstLo != tc.first || g.ExpiredBelow.Seq != tc.first || g.ExpiredBelow.Evidence != tc.evidence {
				t.Errorf("%+v, %d messages: the archive begins at %d, %+v", tc.quirks, n, g.FirstLo, g.ExpiredBelow)
			}
		}
	}
}

func TestAnExhaustiveExportWalksWhatNothingProves(t *testing.T) {
	t.Parallel()
	const n, floor = 3000, 2500
	lucky := between(1111, 1113) // far from every probe
	for name, tc := range map[string]struct {
		quirks  chatemu.Quirks
		message func(chat.Seq) chatemu.Message
		first   chat.Seq
		floor   chat.Seq
	}{
		"no proof, placeholders": {chatemu.Quirks{Finished: chatemu.FinishedNever}, plain, 1, floor},
		"no proof, left out":     {chatemu.Quirks{Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted}, plain, 1, floor},
		"proof":                  {chatemu.Quirks{}, plain, floor, floor},
		"deleted but for three": {chatemu.Quirks{}, except(chatemu.KindDeleted, func(seq chat.Seq) bool {
			return seq < floor && !lucky(seq)
		}), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.quirks, "EXPORT_VOID=exhaustive")
			s := expired(t, w, "g", n, tc.floor, tc.message)
			made := callsOf(t, w, s)
			report := proved(t, w, s)
			if report.Lo != tc.first || report.Totals.Expired != 0 {
				t.Errorf("the archive begins at %d and has %d expired seqs", report.Lo, report.Totals.Expired)
			}
			if most := 3*n/chat.PageSize + 4*halvings(n); made > most {
				t.Errorf("%d calls, want at most %d", made, most)
			}
		})
	}
}

// The service says that everything has expired up to a seq, and holds older messages all the same.
func TestAProofThatContradictsItselfIsNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{})
	w.Chat.SetFault(func(c chatemu.Call) *chatemu.Fault {
		if c.Command != "group_msg_get_simple" {
			return nil
		}
		return &chatemu.Fault{Mutate: func(body []byte) []byte {
			return bytes.Replace(body, []byte(`"IsFinished":1`), []byte(`"IsFinished":2`), 1)
		}}
	})
	kept := between(901, 1100) // at one of the halving points below the end of the void
	s := addGroup(t, w, "g", 1, 5000, except(chatemu.KindDeleted, func(seq chat.Seq) bool { return seq <= 4000 && !kept(seq) }))
	w.Tick(s)
	proved(t, w, s)
	if g := genesis(t, w, s); g.FirstLo > 901 || g.ExpiredBelow.Evidence == archive.EvidenceFinished {
		t.Errorf("the archive begins at %d, %+v", g.FirstLo, g.ExpiredBelow)
	}
	if !strings.Contains(w.Logs.String(), "IsFinished 2 although an older message is still there") {
		t.Error("the contradiction is not in the log")
	}
	whole := w.Group("nothing expired", 205)
	w.Tick(whole)
	if report := proved(t, w, whole); report.Lo != 1 {
		t.Errorf("the archive of a group that lost nothing begins at %d", report.Lo)
	}
}
