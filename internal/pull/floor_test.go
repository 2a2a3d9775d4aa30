package pull_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/bits"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/pull"
)

// halvings is how many halvings lead from n to 1.
func halvings(n chat.Seq) int { return bits.Len64(uint64(n)) }

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

// silences are the readings in which nothing tells the floor.
func silences() map[string]chatemu.Quirks {
	return map[string]chatemu.Quirks{
		"silent: placeholders":     {Finished: chatemu.FinishedNever},
		"silent: left out":         {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted},
		"silent: left out, null":   {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, EmptyList: chatemu.EmptyListNull},
		"silent: counted":          {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"silent: no IsFinished":    {FinishedOmitted: true},
		"silent: cut":              {Finished: chatemu.FinishedNever, PageBytes: 1 << 10},
		"silent: cut at the top":   {Finished: chatemu.FinishedNever, PageBytes: 1 << 10, Cut: chatemu.CutNewest},
		"silent: empty for once":   {Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted, EmptyOnceEvery: 1},
		"silent: original times":   {Finished: chatemu.FinishedNever, PlaceTime: chatemu.PlaceTimeOriginal},
		"silent: recalled as hole": {Finished: chatemu.FinishedNever, RecalledIgnored: true},
	}
}

// beginning looks for where the history of a group of n messages begins, below a floor.
func (s *service) beginning(n int, floor chat.Seq, exhaustive bool) pull.Floor {
	s.Helper()
	s.must(s.chat.SetFloor(s.stream, floor))
	newest, err := s.reader.Page(s.Context(), 0, chat.PageSize)
	s.must(err)
	f, _, err := s.reader.Beginning(s.Context(), newest, pull.Void{Head: chat.Seq(n), Exhaustive: exhaustive, End: time.Now().Add(10 * time.Second)})
	s.must(err)
	return f
}

func TestFloor_IsProvedOrProbedInFewCalls(t *testing.T) {
	t.Parallel()
	const n = 100_000
	readings := silences()
	maps.Copy(readings, proofs())
	for name, quirks := range readings {
		// Steps upwards, the search, the halving and the doubling points, and the spread; an empty page is asked for twice.
		_, silent := silences()[name]
		least, most := halvings(n), 2*(64+4*halvings(n))
		if !silent { // the search and its confirmation: cut at the top, both may need two calls a probe
			most = 4 * halvings(n)
		}
		for _, floor := range []chat.Seq{99_783, 99_801, 99_900, n, n + 1} {
			each(t, fmt.Sprint(name, " ", floor), quirks, n, plain, func(s *service) {
				f := s.beginning(n, floor, false)
				if f.First != floor || f.Proved == silent || f.WalkTo != 0 || f.Probes < least || f.Probes > most || s.calls() > most+10 {
					s.Errorf("%+v after %d calls; want at most %d", f, s.calls(), most)
				}
			})
		}
	}
}

// Between "it has expired" and "it was deleted" only IsFinished 2 can tell: without it, a gap on the first page is to be
// read as it is.
func TestFloor_OnTheFirstPageNeedsProof(t *testing.T) {
	t.Parallel()
	for first, quirks := range map[chat.Seq]chatemu.Quirks{7: {}, 1: {Finished: chatemu.FinishedNever}} {
		for _, shape := range []chatemu.HoleShape{chatemu.HoleIsPlaceholder, chatemu.HoleIsOmitted} {
			for _, n := range []int{12, 205} {
				quirks.Expired = shape
				each(t, fmt.Sprintf("%+v, %d messages", quirks, n), quirks, n, plain, func(s *service) {
					if f := s.beginning(n, 7, false); f.First != first || f.Proved != (first == 7) || f.WalkTo != 0 {
						s.Errorf("%+v, want %d", f, first)
					}
				})
			}
		}
	}
}

func TestFloor_IsNotGuessedWhereEverythingIsToBeWalked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		quirks chatemu.Quirks
		want   pull.Floor // without probes
	}{
		"no proof, placeholders": {chatemu.Quirks{Finished: chatemu.FinishedNever}, pull.Floor{First: 1, WalkTo: 3000}},
		"no proof, left out":     {chatemu.Quirks{Finished: chatemu.FinishedNever, Expired: chatemu.HoleIsOmitted}, pull.Floor{First: 1, WalkTo: 3000}},
		"proof":                  {chatemu.Quirks{}, pull.Floor{First: 2500, Proved: true}},
	} {
		each(t, name, tc.quirks, 3000, plain, func(s *service) {
			f := s.beginning(3000, 2500, true)
			f.Probes = 0
			if f != tc.want || s.calls() > 4*halvings(3000) {
				s.Errorf("%+v after %d calls, want %+v", f, s.calls(), tc.want)
			}
		})
	}
}

// The service says that everything has expired up to a seq, and holds older messages all the same.
func TestFloor_ProofThatContradictsItselfIsNoProof(t *testing.T) {
	t.Parallel()
	kept := between(901, 1100) // at one of the halving points below the end of the void
	lies := chatemu.FaultIf(func(chatemu.Call) bool { return true }, chatemu.Fault{Mutate: func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"IsFinished":1`), []byte(`"IsFinished":2`), 1)
	}})
	each(t, "a void", chatemu.Quirks{}, 5000, deleted(func(seq chat.Seq) bool { return seq <= 4000 && !kept(seq) }), func(s *service) {
		s.chat.SetFault(lies)
		if f := s.beginning(5000, 1, false); f.First > 901 || f.Proved {
			s.Errorf("%+v, want at most 901", f)
		}
		if !strings.Contains(s.logs.String(), "IsFinished 2 although an older message is still there") {
			s.Error("the contradiction is not in the log")
		}
	})
	each(t, "nothing expired", chatemu.Quirks{}, 205, plain, func(s *service) {
		s.chat.SetFault(lies)
		if f := s.beginning(205, 1, false); f.First != 1 {
			s.Errorf("%+v", f)
		}
	})
}

// A void above what is archived may hold a few messages, wherever they are: what a probe meets is not called expired.
func TestFloor_IsBelowWhatProbesMeet(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]func(chat.Seq) bool{
		"nothing": between(0, 0), "a hundred": between(30_000, 30_100), "just below": between(59_970, 59_980),
	} {
		each(t, name, chatemu.Quirks{}, 60_205, deleted(func(seq chat.Seq) bool { return seq > 205 && seq <= 60_000 && !kept(seq) }), func(s *service) {
			f, err := s.reader.Floor(s.Context(), pull.Void{From: 206, Known: 305, Head: 60_205, End: time.Now().Add(10 * time.Second)})
			first := chat.Seq(60_001)
			for seq := first - 1; seq > 205; seq-- {
				if kept(seq) {
					first = seq
				}
			}
			if err != nil || f.First != first || f.Proved || f.WalkTo != 0 {
				s.Errorf("%+v, %v, want %d", f, err, first)
			}
		})
	}
}

// A service so slow that half of the time is not enough must not stop the archive: what is not known is to be walked.
func TestFloor_IsLeftToBeWalkedWhereThereIsNoTime(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{"proof": {}, "no proof": {Finished: chatemu.FinishedNever}} {
		each(t, name, quirks, 100_000, plain, func(s *service) {
			s.page = 800 * time.Millisecond
			began := time.Now()
			f := s.beginning(100_000, 90_000, false)
			if f.First > 90_000 || f.WalkTo != 100_000 || time.Since(began) > 8*time.Second {
				s.Errorf("%+v after %v of 10 s", f, time.Since(began))
			}
		})
	}
}
