package export_test

import (
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
)

// daily lets one message come, and a tick a minute after it, while seven days are retained.
func (s *scene) daily(m chatemu.Message) export.Result {
	s.t.Helper()
	m.Time = time.Now().Unix()
	s.grow(m)
	_, newest, err := s.chat.Bounds(s.stream)
	must(s.t, err)
	must(s.t, s.chat.SetFloor(s.stream, max(1, newest-6)))
	time.Sleep(time.Minute)
	result := s.done(export.Complete, turn{})
	time.Sleep(24*time.Hour - time.Minute)
	return result
}

// Whenever a tick comes, the newest message is young. What may be on its way at one tick no longer is at the next, or a
// hole would hold back all that is above it until that expires.
func TestAHoleIsNotHeldOpenForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 50)
		s.done(export.Complete, turn{})
		s.daily(chatemu.Message{Kind: chatemu.KindDeleted})
		for range 60 {
			s.daily(chatemu.Message{})
		}
		if totals := s.verify().Totals; totals.Messages < 50+59 {
			t.Errorf("%d messages are archived of 110, %+v", totals.Messages, totals)
		}
	})
}

func TestAnArchiveBeginsThoughTheNewestMessageIsAlwaysYoung(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 100)
		for range 10 {
			s.daily(chatemu.Message{})
		}
		if totals := s.verify().Totals; totals.Messages < 14 { // those of the week before the second tick, and since
			t.Errorf("after 10 daily ticks, %d messages are archived", totals.Messages)
		}
	})
}

// Neither the group nor its newest message tells how new that is.
func TestAHoleBelowAMessageOfUnknownAgeIsNotHeldOpenForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 100)
		s.chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool { return c.Command == "get_group_info" }, chatemu.Fault{ErrorCode: 10007}))
		s.done(export.Complete, turn{})
		s.grow(old(30)...)
		must(t, s.chat.Delete(s.stream, 105, 130))
		for minute := range 5 {
			if r := s.done(export.Complete, turn{}); minute < 2 && r.Frontier != 105 {
				t.Errorf("after %d minutes, the frontier is %d; 105 may still be on its way", minute, r.Frontier)
			}
			time.Sleep(time.Minute)
		}
		if report := s.verify(); report.Totals.Messages != 128 || report.Hi != 130 {
			t.Errorf("archived up to %d of 130: %+v", report.Hi, report.Totals)
		}
	})
}

// A newest seq that is below the one seen before is another group's, or of one whose newest messages were deleted:
// nothing is concluded from what was seen.
func TestWhatWasSeenOfAnotherGroupSettlesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 0)
		young := func() chatemu.Message { return chatemu.Message{Time: time.Now().Unix()} }
		late := young()
		late.HideFor = time.Hour
		s.grow(young(), late, young(), young())
		must(t, s.chat.Delete(s.stream, 1))
		s.done(export.Complete, turn{}) // has seen 4, and archived nothing
		must(t, s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID}))
		time.Sleep(time.Hour)
		late = young()
		late.HideFor = time.Minute
		s.grow(young(), late, young())
		s.done(export.Complete, turn{})
		time.Sleep(3 * time.Minute)
		s.done(export.Complete, turn{})
		if report := s.verify(); report.Totals.Messages != 3 {
			t.Errorf("archived %+v, want three messages", report.Totals)
		}
	})
}

// A void is crossed, however short the chunks are.
func TestAVoidIsCrossedInShortChunks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 40)
		s.done(export.Complete, turn{span: 30})
		s.grow(old(20_000)...)
		must(t, s.chat.SetFloor(s.stream, 19_001))
		r := s.done(export.Complete, turn{span: 30, limit: 10 * time.Minute})
		if most := int64(1000/chat.PageSize + 200); r.Pages > most {
			t.Errorf("%d pages were read, want at most %d", r.Pages, most)
		}
	})
}

// A group of which the service tells nothing is exported all the same: its messages expire meanwhile.
func TestAGroupWithoutInformationIsExported(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]chatemu.Fault{
		"no permission": {ErrorCode: 10007}, "an unknown code": {ErrorCode: 99999}, "an internal error": {ErrorCode: 10002}, "a gateway's page": {HTML: true, Status: 502},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 200)
				s.chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool { return c.Command == "get_group_info" }, fault))
				s.done(export.Complete, turn{limit: time.Minute})
				s.grow(old(100)...)
				s.done(export.Complete, turn{limit: time.Minute})
				s.whole()
			})
		})
	}
}

// The newest page is empty for a moment, so that the group is asked first. What comes before the page is asked again is
// newer than the group told.
func TestAnOldTimeOfTheGroupSettlesNothingThatCameSince(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 100)
		s.done(export.Complete, turn{})
		time.Sleep(time.Hour)
		s.chat.SetQuirks(chatemu.Quirks{EmptyOnceEvery: 100})
		newestPages := 0
		s.done(export.Complete, turn{page: func(q chat.Query) error {
			if q.Seq == 0 {
				newestPages++
			}
			if newestPages == 2 && q.Seq == 0 {
				young := chatemu.Message{Time: time.Now().Unix()}
				hidden, deleted := young, young
				hidden.HideFor, deleted.Kind = time.Minute, chatemu.KindDeleted
				s.grow(young, hidden, young, deleted)
			}
			return nil
		}})
		if newestPages < 2 {
			t.Fatal("the newest page was asked for once: this shows nothing")
		}
		time.Sleep(time.Hour)
		s.done(export.Complete, turn{})
		s.whole()
	})
}
