package export_test

import (
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
)

// A run's head is frozen when it begins. What was above the frontier by then may be gone before the run comes to it.
func TestARunEndsThoughItsNewestMessagesHaveVanished(t *testing.T) {
	t.Parallel()
	for name, vanish := range map[string]func(s *scene){
		"the newest was deleted": func(s *scene) {
			s.chat.SetQuirks(chatemu.Quirks{Holes: chatemu.HoleIsOmitted})
			must(s.t, s.chat.Delete(s.stream, 600))
		},
		"all have expired": func(s *scene) {
			s.chat.SetQuirks(chatemu.Quirks{Expired: chatemu.HoleIsOmitted})
			must(s.t, s.chat.SetFloor(s.stream, 601))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 600)
				next := s.begun(turn{limit: 3 * time.Second, page: slow(200 * time.Millisecond)})
				vanish(s)
				s.done(export.Complete, turn{cont: next})
				if report := s.verify(); !report.Sound() || report.ListedTo != report.Hi {
					t.Errorf("archived up to %d, listed up to %d: %v", report.Hi, report.ListedTo, report.Findings)
				}
			})
		})
	}
}

// A service so slow that one batch cannot find where the retained history begins must not stop the archive: messages
// expire meanwhile.
func TestAVoidIsWalkedWhereThereIsNoTimeToFindItsEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		archived, messages int
		floor              chat.Seq
		quirks             chatemu.Quirks
	}{
		"at the beginning":           {messages: 3000, floor: 2000},
		"at the beginning, no proof": {messages: 3000, floor: 2000, quirks: chatemu.Quirks{Finished: chatemu.FinishedNever}},
		"behind what is archived":    {archived: 40, messages: 3000, floor: 2000},
		"behind, no proof":           {archived: 40, messages: 3000, floor: 2000, quirks: chatemu.Quirks{Finished: chatemu.FinishedNever}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, tc.archived)
				s.chat.SetQuirks(tc.quirks)
				if tc.archived > 0 {
					s.done(export.Complete, turn{})
				}
				s.grow(old(tc.messages)...)
				must(t, s.chat.SetFloor(s.stream, tc.floor))
				event := turn{owner: "event", span: 100_000, limit: 3 * time.Second, page: slow(150 * time.Millisecond)}
				batches := 0
				for result := (export.Result{}); result.Outcome != export.Complete; batches++ {
					if batches == 60 {
						t.Fatalf("%d batches, and the frontier is %d; genesis: %t", batches, result.Frontier, s.exists(layout.Genesis(s.stream)))
					}
					var err error
					if result, err = s.batch(event); err != nil {
						t.Errorf("batch %d: %v", batches, err)
					}
					if result.Outcome == export.Continued {
						event.cont = &s.published[len(s.published)-1]
					}
				}
				diff, newest := s.compare()
				if diff.Missing != 0 || diff.Different != 0 || diff.Extra != int64(tc.archived) {
					t.Errorf("archive: %s; %d messages were archived before they expired", &diff, tc.archived)
				}
				if report := s.verify(); !report.Sound() || report.ListedTo != newest {
					t.Errorf("listed up to %d of %d: %v", report.ListedTo, newest, report.Findings)
				}
			})
		})
	}
}
