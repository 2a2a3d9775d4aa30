package export_test

import (
	"fmt"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
)

// floors are readings of how the service tells that something has expired, or does not.
func floors() map[string]chatemu.Quirks {
	return map[string]chatemu.Quirks{
		"proof":                    {},
		"proof, window":            {Finished: chatemu.FinishedWindow},
		"proof, left out":          {Expired: chatemu.HoleIsOmitted},
		"proof, counted":           {Expired: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"proof, despite cut":       {Finished: chatemu.FinishedDespiteCut, PageBytes: 1 << 10},
		"proof, cut at the top":    {PageBytes: 1 << 10, Cut: chatemu.CutNewest},
		"proof, also at seq 1":     {Finished: chatemu.FinishedAtOne},
		"silence":                  {Finished: chatemu.FinishedNever},
		"silence, left out":        {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted},
		"silence, counted":         {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"silence, no IsFinished":   {FinishedOmitted: true},
		"silence, cut at the top":  {Finished: chatemu.FinishedNever, PageBytes: 1 << 10, Cut: chatemu.CutNewest},
		"silence, empty for once":  {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, EmptyOnceEvery: 1},
		"silence, original times":  {Finished: chatemu.FinishedNever, PlaceTime: chatemu.PlaceTimeOriginal},
		"silence, recalled a hole": {Finished: chatemu.FinishedNever, RecalledIgnored: true},
	}
}

// Genesis pins where the retained history begins, and why that is believed. Whoever has expired history is told.
func TestVoid_AtTheBeginningIsBelowTheArchive(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		quirks   chatemu.Quirks
		walks    bool // EXPORT_VOID=exhaustive
		floor    chat.Seq
		first    chat.Seq
		evidence string
	}{
		"proved":                    {floor: 2500, first: 2500, evidence: archive.EvidenceFinished},
		"probed":                    {quirks: chatemu.Quirks{Finished: chatemu.FinishedNever}, floor: 2500, first: 2500, evidence: archive.EvidenceProbe},
		"proved, walked otherwise":  {walks: true, floor: 2500, first: 2500, evidence: archive.EvidenceFinished},
		"walked":                    {walks: true, quirks: chatemu.Quirks{Finished: chatemu.FinishedNever}, floor: 2500, first: 1, evidence: archive.EvidenceNone},
		"walked, left out":          {walks: true, quirks: chatemu.Quirks{Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted}, floor: 2500, first: 1, evidence: archive.EvidenceNone},
		"on the first page, proved": {floor: 7, first: 7, evidence: archive.EvidenceFinished},
		"on the first page":         {quirks: chatemu.Quirks{Finished: chatemu.FinishedNever}, floor: 7, first: 1, evidence: archive.EvidenceNone},
		"none":                      {floor: 1, first: 1, evidence: archive.EvidenceNone},
	} {
		act(t, name, 0, func(s *scene) {
			s.generate(3000, plain)
			s.chat.SetQuirks(tc.quirks)
			s.expire(tc.floor)
			r := s.done(export.Complete, turn{span: 1000, change: func(e *export.Engine, _ *export.Request) { e.Limits.Exhaustive = tc.walks }})
			report := s.whole()
			g := s.genesis()
			if g.FirstLo != tc.first || g.ExpiredBelow.Seq != tc.first || g.ExpiredBelow.Evidence != tc.evidence || r.Missed != tc.first-1 || tc.first > 1 && g.ExpiredBelow.Probes == 0 || report.Totals.Expired != 0 {
				s.Errorf("the archive begins at %d, %+v; %d missed, %+v", g.FirstLo, g.ExpiredBelow, r.Missed, report.Totals)
			}
		})
	}
}

func TestVoid_WithEverythingExpiredTheArchiveBeginsBehindIt(t *testing.T) {
	t.Parallel()
	for name, quirks := range floors() {
		for _, n := range []int{1, 20, 205, 20_000} {
			act(t, fmt.Sprint(n, ", ", name), 0, func(s *scene) {
				s.generate(n, plain)
				s.expire(chat.Seq(n) + 1)
				s.chat.SetQuirks(quirks)
				if r := s.tick(); r.Calls > 64*3+4*15*2+20 {
					s.Errorf("%d calls", r.Calls)
				}
				s.exact()
				s.grow(old(25)...)
				s.tick()
				s.whole()
			})
		}
	}
}

// What expires while it is exported is archived as it was read, or as expired; the rest is whole.
func TestVoid_FloorThatRisesDuringARunCostsOnlyWhatExpired(t *testing.T) {
	t.Parallel()
	const n, start = 2200, 501
	readings := floors()
	for _, name := range []string{"proof", "proof, left out", "silence", "silence, left out"} {
		for _, at := range []int{1, 12, 50} {
			for _, floor := range []chat.Seq{700, 2000, n + 1} {
				act(t, fmt.Sprintf("%s, floor %d at page %d", name, floor, at), 0, func(s *scene) {
					s.generate(n, plain)
					s.chat.SetQuirks(readings[name])
					s.expire(start)
					pages := 0
					s.done(export.Complete, turn{span: 1000, ask: func(q chat.Query) error {
						if q.Seq > 0 {
							pages++
						}
						if pages == at {
							s.expire(floor)
						}
						return nil
					}})
					report, diff := s.verify(), s.compare()
					if diff.Missing != 0 || diff.Different != 0 || max(report.Hi, report.Lo-1) != n {
						s.Errorf("archived up to %d, %s", report.Hi, &diff)
					}
				})
			}
		}
	}
}

func TestVoid_BetweenTicksIsOneEmptyChunkWithItsEvidence(t *testing.T) {
	t.Parallel()
	for evidence, quirks := range map[string]chatemu.Quirks{
		archive.EvidenceFinished: {},
		archive.EvidenceProbe:    {Finished: chatemu.FinishedNever},
	} {
		act(t, evidence, 205, func(s *scene) {
			s.chat.SetQuirks(quirks)
			s.done(export.Complete, turn{span: 1000})
			s.generate(60_000, plain)
			s.expire(60_001)
			if r := s.done(export.Complete, turn{span: 1000}); r.Calls > 205/chat.PageSize+64+5*16+30 || r.Chunks != 2 {
				s.Errorf("%d chunks after %d calls", r.Chunks, r.Calls)
			}
			if void := s.chunk(206); void.Hi != 60_000 || void.Evidence != evidence || void.Expired != 60_000-205 {
				s.Errorf("the chunk of the void: %+v", void)
			}
			report := s.verify()
			if report.Hi != 60_205 || report.Totals.Messages != 410 || report.Finished != archive.StatusComplete {
				s.Errorf("report: %+v", report)
			}
			if m := s.manifest(206); m.Totals.Expired != 60_000-205 || m.Chunks[0].Evidence != evidence || m.ExpiredBelow.Seq != 1 {
				s.Errorf("manifest: %+v", m)
			}
		})
	}
}

func TestVoid_BelowTheLastSeqsOfAStream(t *testing.T) {
	t.Parallel()
	const first = chat.MaxSeq - 99
	for name, quirks := range floors() {
		act(t, name, 0, func(s *scene) {
			s.stream.GroupID = "last"
			s.must(s.chat.AddGroup(chatemu.Group{ID: s.stream.GroupID, FirstSeq: first}))
			s.chat.SetQuirks(quirks)
			s.generate(60, plain)
			if r := s.tick(); r.Calls > 2*(64+5*32)+100 {
				s.Errorf("%d calls", r.Calls)
			}
			if report := s.whole(); report.Lo != first {
				s.Errorf("the archive begins at %d", report.Lo)
			}
			s.generate(40, plain)
			s.tick()
			s.whole()
			if got := s.state(); got.Frontier != chat.MaxSeq+1 || got.Status != archive.StatusComplete {
				s.Errorf("state: %+v", got)
			}
			s.writesOnly(func() {
				if r := s.tick(); r.Calls > 3 {
					s.Errorf("%d calls although nothing is new", r.Calls)
				}
			})
		})
	}
}

func TestVoid_HolesInMidHistoryAreNotTakenForExpiry(t *testing.T) {
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
		kinds := []chatemu.Kind{chatemu.KindDeleted, chatemu.KindStoreFail, chatemu.KindRecalled}
		for i, length := range []chat.Seq{20, 39, 100, 200} {
			for j, lo := range []chat.Seq{2, 150, 301} { // at the beginning, inside a chunk, where one begins
				act(t, fmt.Sprintf("%s, %d at %d", name, length, lo), 0, func(s *scene) {
					s.chat.SetQuirks(quirks)
					s.generate(600, except(kinds[(i+j)%len(kinds)], between(lo, lo+length-1)))
					if name == "something expired" && lo > 2 {
						s.expire(100)
					}
					s.done(export.Complete, turn{span: 300})
					report := s.whole()
					if report.Totals.Expired != 0 || report.Totals.Sum() != int64(600-report.Lo+1) {
						s.Errorf("%+v", report.Totals)
					}
				})
			}
		}
	}
}

// Thousands of deleted messages look like an expired range. Whatever they are called, the messages on both sides, and
// those that probes meet, are archived.
func TestVoid_OfThousandsKeepsWhatIsAroundIt(t *testing.T) {
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
			act(t, name+reading, 0, func(s *scene) {
				s.chat.SetQuirks(quirks)
				there := 0
				for _, n := range tc.ticks {
					s.generate(n-there, except(chatemu.KindDeleted, tc.deleted))
					there = n
					s.done(export.Complete, turn{span: 1000})
				}
				s.whole()
			})
		}
	}
}

// A void is crossed, however short the chunks are.
func TestVoid_IsCrossedInShortChunks(t *testing.T) {
	play(t, 40, func(s *scene) {
		s.done(export.Complete, turn{span: 30})
		s.grow(old(20_000)...)
		s.expire(19_001)
		r := s.done(export.Complete, turn{span: 30, limit: 10 * time.Minute})
		if most := int64(1000/chat.PageSize + 200); r.Pages > most {
			s.Errorf("%d pages were read, want at most %d", r.Pages, most)
		}
	})
}

// A service so slow that one batch cannot find where the retained history begins must not stop the archive: messages
// expire meanwhile.
func TestVoid_IsWalkedWhereThereIsNoTimeToFindItsEnd(t *testing.T) {
	t.Parallel()
	for reading, quirks := range map[string]chatemu.Quirks{"proof": {}, "no proof": {Finished: chatemu.FinishedNever}} {
		for name, archived := range map[string]int{"at the beginning": 0, "behind what is archived": 40} {
			act(t, name+", "+reading, archived, func(s *scene) {
				s.chat.SetQuirks(quirks)
				s.tick()
				s.grow(old(3000)...)
				s.expire(2000)
				_, batches, failed := s.through(turn{span: 100_000, limit: 3 * time.Second, page: 150 * time.Millisecond})
				if batches > 60 || failed > 0 {
					s.Errorf("%d batches, of which %d failed", batches, failed)
				}
				diff := s.compare()
				if diff.Missing != 0 || diff.Different != 0 || diff.Extra != int64(archived) {
					s.Errorf("archive: %s; %d messages were archived before they expired", &diff, archived)
				}
				if report := s.verify(); report.ListedTo != s.newest() {
					s.Errorf("listed up to %d of %d", report.ListedTo, s.newest())
				}
			})
		}
	}
}
