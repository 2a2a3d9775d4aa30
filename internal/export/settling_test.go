package export_test

import (
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
)

// young is a message of this moment.
func young() chatemu.Message { return chatemu.Message{Time: time.Now().Unix()} }

// hidden is one that cannot be seen yet.
func hidden(d time.Duration) chatemu.Message {
	m := young()
	m.HideFor = d
	return m
}

// A message has its seq before it can be read. However its place shows until then, the head stays below it, and a later
// tick takes it.
func TestSettling_MessagesOnTheirWayAreTakenByALaterTick(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{
		"placeholder":                 {},
		"left out":                    {Late: chatemu.HoleIsOmitted},
		"left out, counted":           {Late: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
		"left out, pages cut":         {Late: chatemu.HoleIsOmitted, PageBytes: 1 << 10},
		"shown with its time":         {PlaceTime: chatemu.PlaceTimeOriginal},
		"shown without a time":        {PlaceTime: chatemu.PlaceTimeAbsent},
		"shown, nothing is proved":    {Finished: chatemu.FinishedNever},
		"left out, expiry by windows": {Late: chatemu.HoleIsOmitted, Finished: chatemu.FinishedWindow},
	} {
		for _, tc := range []struct {
			what   string
			begun  bool // an archive of the old messages exists
			old, n int
			hidden func(i chat.Seq) bool // of the n new messages
			head   chat.Seq              // of the first tick
		}{
			{"the newest", false, 30, 1, between(0, 0), 30},
			{"the newest of five", true, 130, 5, between(4, 4), 134},
			{"one among the newest", false, 30, 6, between(1, 1), 31},
			{"two in the midst", true, 130, 5, between(1, 2), 131},
			{"several", false, 30, 12, func(i chat.Seq) bool { return i == 3 || i == 4 || i == 9 }, 33},
			{"all", true, 130, 5, between(0, 4), 130},
			{"far below the newest", false, 30, 40, between(0, 0), 30},
			{"one of a long history", false, 500, 25, between(4, 4), 504},
			{"the first of a group", false, 0, 3, between(0, 0), 0},
			{"all of a group", false, 0, 5, between(0, 4), 0},
			{"one of a new group", false, 0, 5, between(2, 2), 2},
		} {
			act(t, tc.what+", "+name, tc.old, func(s *scene) {
				s.chat.SetQuirks(quirks)
				if tc.begun {
					s.tick()
				}
				for i := range tc.n {
					if tc.hidden(chat.Seq(i)) {
						s.grow(hidden(90 * time.Second))
					} else {
						s.grow(young())
					}
				}
				s.tick()
				// Where a hidden newest message is left out, the one below it is the newest, and old or young as it is.
				if got := s.state(); max(got.Frontier, 1) != tc.head+1 || got.Status != archive.StatusComplete {
					s.Errorf("first tick: state %+v, want a frontier of %d", got, tc.head+1)
				}
				time.Sleep(5 * time.Minute)
				s.tick()
				if report := s.whole(); report.Totals.Placeholders+report.Totals.Absent != 0 {
					s.Errorf("later tick: %+v", report.Totals)
				}
			})
		}
	}
}

// A hole that stays is archived as such once the newest message is old, or 40 newer ones have come.
func TestSettling_HoleIsFinalAfterAWhile(t *testing.T) {
	t.Parallel()
	for name, newest := range map[string]func() chatemu.Message{
		"the newest message is old": func() chatemu.Message { return old(1)[0] },
		"40 newer ones have come":   young,
	} {
		act(t, name, 30, func(s *scene) {
			deleted := young()
			deleted.Kind = chatemu.KindDeleted
			s.grow(deleted)
			for range 39 {
				s.grow(young())
			}
			s.tick()
			if got := s.state().Frontier; got != 31 {
				s.Errorf("the frontier is %d while the hole may be on its way, want 31", got)
			}
			s.grow(newest())
			s.tick()
			s.whole()
		})
	}
}

// What was recalled was there: it is no hole.
func TestSettling_RecalledIsNoHole(t *testing.T) {
	play(t, 0, func(s *scene) {
		for range 20 {
			s.grow(young())
		}
		s.must(s.chat.Recall(s.stream, 7, 20))
		s.tick()
		s.whole()
	})
}

// All that is left of a group may be one message, on its way, above what has expired.
func TestSettling_MessageOnItsWayIsNotTakenForExpired(t *testing.T) {
	play(t, 60, func(s *scene) {
		s.expire(61)
		s.grow(hidden(time.Minute))
		s.tick()
		if s.exists(layout.Genesis(s.stream)) {
			s.Error("the archive's beginning was pinned while a message was on its way")
		}
		time.Sleep(5 * time.Minute)
		s.tick()
		s.whole()
	})
}

// A message may arrive between the page that finds the head and the look for what is missing below it.
func TestSettling_MessageThatArrivesMeanwhileIsNotAHole(t *testing.T) {
	play(t, 130, func(s *scene) {
		s.tick()
		s.grow(hidden(1500*time.Millisecond), young())
		s.done(export.Complete, turn{page: time.Second})
		time.Sleep(5 * time.Minute)
		s.tick()
		s.whole()
	})
}

// daily lets one message come, and a tick a minute after it, while seven days are retained.
func (s *scene) daily(m chatemu.Message) {
	s.Helper()
	m.Time = time.Now().Unix()
	s.grow(m)
	s.expire(max(1, s.newest()-6))
	time.Sleep(time.Minute)
	s.tick()
	time.Sleep(24*time.Hour - time.Minute)
}

// Whenever a tick comes, the newest message is young. What may be on its way at one tick no longer is at the next, or a
// hole would hold back all that is above it until that expires.
func TestSettling_HoleIsNotHeldOpenForEver(t *testing.T) {
	play(t, 50, func(s *scene) {
		s.tick()
		s.daily(chatemu.Message{Kind: chatemu.KindDeleted})
		for range 60 {
			s.daily(chatemu.Message{})
		}
		if totals := s.verify().Totals; totals.Messages < 50+59 {
			s.Errorf("%d messages are archived of 110, %+v", totals.Messages, totals)
		}
	})
}

func TestSettling_ArchiveBeginsThoughTheNewestMessageIsAlwaysYoung(t *testing.T) {
	play(t, 100, func(s *scene) {
		for range 10 {
			s.daily(chatemu.Message{})
		}
		if totals := s.verify().Totals; totals.Messages < 14 { // those of the week before the second tick, and since
			s.Errorf("after 10 daily ticks, %d messages are archived", totals.Messages)
		}
	})
}

// Neither the group nor its newest message tells how new that is.
func TestSettling_HoleBelowAMessageOfUnknownAgeIsNotHeldOpenForEver(t *testing.T) {
	play(t, 100, func(s *scene) {
		s.chat.SetFault(failing(getGroupInfo, chatemu.Fault{ErrorCode: 10007}))
		s.tick()
		s.grow(old(30)...)
		s.must(s.chat.Delete(s.stream, 105, 130))
		for minute := range 5 {
			if r := s.tick(); minute < 2 && r.Frontier != 105 {
				s.Errorf("after %d minutes, the frontier is %d; 105 may still be on its way", minute, r.Frontier)
			}
			time.Sleep(time.Minute)
		}
		if report := s.verify(); report.Totals.Messages != 128 || report.Hi != 130 {
			s.Errorf("archived up to %d of 130: %+v", report.Hi, report.Totals)
		}
	})
}

// A newest seq that is below the one seen before is another group's, or of one whose newest messages were deleted:
// nothing is concluded from what was seen.
func TestSettling_WhatWasSeenOfAnotherGroupSettlesNothing(t *testing.T) {
	play(t, 0, func(s *scene) {
		s.grow(young(), hidden(time.Hour), young(), young())
		s.must(s.chat.Delete(s.stream, 1))
		s.tick() // has seen 4, and archived nothing
		s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID}))
		time.Sleep(time.Hour)
		s.grow(young(), hidden(time.Minute), young())
		s.tick()
		time.Sleep(3 * time.Minute)
		s.tick()
		if report := s.verify(); report.Totals.Messages != 3 {
			s.Errorf("archived %+v, want three messages", report.Totals)
		}
	})
}

// The newest page is empty for a moment, so that the group is asked first. What comes before the page is asked again is
// newer than the group told.
func TestSettling_OldTimeOfTheGroupSettlesNothingThatCameSince(t *testing.T) {
	play(t, 100, func(s *scene) {
		s.tick()
		time.Sleep(time.Hour)
		s.chat.SetQuirks(chatemu.Quirks{EmptyOnceEvery: 100})
		newestPages := 0
		s.done(export.Complete, turn{ask: func(q chat.Query) error {
			if q.Seq > 0 {
				return nil
			}
			if newestPages++; newestPages == 2 {
				deleted := young()
				deleted.Kind = chatemu.KindDeleted
				s.grow(young(), hidden(time.Minute), young(), deleted)
			}
			return nil
		}})
		if newestPages < 2 {
			s.Fatal("the newest page was asked for once: this shows nothing")
		}
		time.Sleep(time.Hour)
		s.tick()
		s.whole()
	})
}
