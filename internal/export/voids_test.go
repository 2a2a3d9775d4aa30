package export_test

import (
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/verify"
)

// pageCalls runs a hook before the n-th page of history is answered, the newest page not counted.
func pageCalls(n int64, hook func()) func(chatemu.Call) {
	var pages atomic.Int64
	return func(c chatemu.Call) {
		if c.Command == "group_msg_get_simple" && c.Query.HasSeq && pages.Add(1) == n {
			hook()
		}
	}
}

// What expires while it is exported is archived as it was read, or as expired; the rest is whole.
func TestAFloorThatRisesDuringARunCostsOnlyWhatExpired(t *testing.T) {
	t.Parallel()
	const n, start = 2200, 501
	for name, quirks := range map[string]chatemu.Quirks{
		"proof":             {},
		"proof, left out":   {Expired: chatemu.HoleIsOmitted},
		"no proof":          {Finished: chatemu.FinishedNever},
		"silence, left out": {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quirks, "EXPORT_SPAN=1000")
			for i, at := range []int64{1, 12, 50} {
				for _, floor := range []chat.Seq{700, 2000, n + 1} {
					s := expired(t, w, fmt.Sprintf("g%d-%d", i, floor), n, start, plain)
					w.Chat.SetOnCall(pageCalls(at, func() { must(t, w.Chat.SetFloor(s, floor)) }))
					w.Tick(s)
					w.Chat.SetOnCall(nil)
					report := sound(t, w, s)
					diff, err := verify.Compare(t.Context(), w.Store, s, retained(t, w, s))
					must(t, err)
					if diff.Missing != 0 || diff.Different != 0 || max(report.Hi, report.Lo-1) != n {
						t.Errorf("floor %d at page %d: archived up to %d, %s", floor, at, report.Hi, &diff)
					}
				}
			}
		})
	}
}

// sound verifies an archive without comparing it with what the service holds.
func sound(t *testing.T, w *world.World, s chat.Stream) verify.Report {
	t.Helper()
	report, err := verify.Stream(t.Context(), w.Store, s, verify.Options{SDKAppID: world.SDKAppID})
	must(t, err)
	for _, f := range report.Findings {
		t.Errorf("verify %s: %s", s, f)
	}
	return report
}

func TestWhatExpiredBetweenTicksIsOneEmptyChunkWithItsEvidence(t *testing.T) {
	t.Parallel()
	for evidence, quirks := range map[string]chatemu.Quirks{
		archive.EvidenceFinished: {},
		archive.EvidenceProbe:    {Finished: chatemu.FinishedNever},
	} {
		t.Run(evidence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quirks, "EXPORT_SPAN=1000")
			s := addGroup(t, w, "g", 1, 205, plain)
			w.Tick(s)
			must(t, w.Chat.Generate(s, 60_000, plain))
			must(t, w.Chat.SetFloor(s, 60_001))
			made := callsOf(t, w, s)
			if most := 205/chat.PageSize + 64 + 5*halvings(60_205) + 30; made > most {
				t.Errorf("%d calls, want at most %d", made, most)
			}
			chain := chunks(t, w, s)
			if len(chain) != 3 || chain[1].Lo != 206 || chain[1].Hi != 60_000 || chain[1].Evidence != evidence || chain[1].Expired != 60_000-205 {
				t.Fatalf("chunks: %+v", chain)
			}
			report := sound(t, w, s)
			if report.Hi != 60_205 || report.Totals.Messages != 410 || report.Finished != archive.StatusComplete {
				t.Errorf("report: %+v", report)
			}
			if m := manifest(t, w, s, 206); m.Totals.Expired != 60_000-205 || m.Chunks[0].Evidence != evidence || m.ExpiredBelow.Seq != 1 {
				t.Errorf("manifest: %+v", m)
			}
		})
	}
}

func TestTheLastSeqsOfAStreamAreArchived(t *testing.T) {
	t.Parallel()
	const first = chat.MaxSeq - 99
	readings := maps.Collect(maps.All(proofs()))
	maps.Insert(readings, maps.All(silences()))
	for name, quirks := range readings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quirks)
			s := addGroup(t, w, "g", first, 60, plain)
			if made, most := callsOf(t, w, s), 2*(64+5*32)+100; made > most {
				t.Errorf("%d calls, want at most %d", made, most)
			}
			if report := proved(t, w, s); report.Lo != first {
				t.Errorf("the archive begins at %d", report.Lo)
			}
			must(t, w.Chat.Generate(s, 40, plain))
			w.Tick(s)
			if report := proved(t, w, s); report.Hi != chat.MaxSeq || report.Finished != archive.StatusComplete {
				t.Errorf("archived up to %d, %q", report.Hi, report.Finished)
			}
			if got := state(t, w, s); got.Frontier != chat.MaxSeq+1 || got.Status != archive.StatusComplete {
				t.Errorf("state: %+v", got)
			}
			before := snapshot(t, w)
			if made := callsOf(t, w, s); made > 3 {
				t.Errorf("%d calls although nothing is new", made)
			}
			unchanged(t, w, before)
		})
	}
}

func TestHolesInMidHistoryAreNotTakenForExpiry(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{
		"placeholders":      {},
		"left out":          {Holes: chatemu.HoleIsOmitted},
		"silent":            {Holes: chatemu.HoleIsOmitted, Finished: chatemu.FinishedNever},
		"no IsFinished":     {FinishedOmitted: true},
		"recalled left out": {RecalledIgnored: true, RecalledDefault: chatemu.RecalledIsOmitted},
		"counted":           {Holes: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"something expired": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quirks, "EXPORT_SPAN=300")
			kinds := []chatemu.Kind{chatemu.KindDeleted, chatemu.KindStoreFail, chatemu.KindRecalled}
			for i, length := range []chat.Seq{20, 39, 100, 200} {
				for j, lo := range []chat.Seq{2, 150, 301} { // at the beginning, inside a chunk, where one begins
					kind := kinds[(i+j)%len(kinds)]
					s := addGroup(t, w, fmt.Sprintf("%d-%d", length, lo), 1, 600, except(kind, between(lo, lo+length-1)))
					if name == "something expired" && lo > 2 {
						must(t, w.Chat.SetFloor(s, 100))
					}
					w.Tick(s)
					report := proved(t, w, s)
					if report.Totals.Expired != 0 || report.Totals.Sum() != int64(600-report.Lo+1) {
						t.Errorf("%d holes of kind %d at %d: %+v", length, kind, lo, report.Totals)
					}
				}
			}
		})
	}
}

// Thousands of deleted messages look like an expired range. Whatever they are called, the messages on both sides, and
// those that probes meet, are archived.
func TestVoidsOfThousandsKeepWhatIsAroundThem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deleted func(chat.Seq) bool
		ticks   []int // messages that are there at each tick
	}{
		"at the beginning":             {between(1, 2400), []int{3400}},
		"at the beginning but for one": {func(seq chat.Seq) bool { return seq < 2400 && seq != 1 }, []int{3400}},
		"in mid-history":               {between(501, 2900), []int{3400}},
		"where a chunk begins":         {between(1001, 2900), []int{3400}},
		"at the frontier":              {between(501, 2900), []int{500, 3400}},
		"at the frontier, some kept": {func(seq chat.Seq) bool {
			return seq > 500 && seq <= 2900 && (seq < 1500 || seq > 1600) && (seq < 2870 || seq > 2880)
		}, []int{500, 3400}},
		"up to the newest": {between(501, 3399), []int{500, 3399, 3400}},
	} {
		for reading, quirks := range map[string]chatemu.Quirks{
			"": {}, ", left out": {Holes: chatemu.HoleIsOmitted}, ", silent": {Finished: chatemu.FinishedNever},
		} {
			t.Run(name+reading, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, quirks, "EXPORT_SPAN=1000")
				s := addGroup(t, w, "g", 1, tc.ticks[0], except(chatemu.KindDeleted, tc.deleted))
				w.Tick(s)
				for i, n := range tc.ticks[1:] {
					must(t, w.Chat.Generate(s, n-tc.ticks[i], except(chatemu.KindDeleted, tc.deleted)))
					w.Tick(s)
				}
				if report := proved(t, w, s); report.Hi != 3400 || report.Finished != archive.StatusComplete {
					t.Errorf("archived up to %d, %q", report.Hi, report.Finished)
				}
			})
		}
	}
}
