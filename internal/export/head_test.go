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

func TestHead_OfARunIsFrozen(t *testing.T) {
	play(t, 1000, func(s *scene) {
		o := part()
		o.ask = func(q chat.Query) error {
			if q.Seq > 0 && q.Seq%100 == 0 {
				s.grow(old(1)...)
			}
			return nil
		}
		_, batches, _ := s.through(o)
		report := s.verify()
		if report.Hi != 1000 || report.Finished != archive.StatusComplete || batches < 3 {
			s.Errorf("after %d batches archived up to %d, %q, want up to the head of the first batch", batches, report.Hi, report.Finished)
		}
		if m := s.manifest(1); m.Head != 1000 || m.Hi != 1000 {
			s.Errorf("the manifest has hi %d and head %d", m.Hi, m.Head)
		}
		s.tick()
		s.whole()
	})
}

// What was above the frontier when a run began may be gone before the run comes to it.
func TestHead_IsLoweredWhereTheNewestMessagesHaveVanished(t *testing.T) {
	t.Parallel()
	for name, vanish := range map[string]func(s *scene){
		"the newest was deleted": func(s *scene) {
			s.chat.SetQuirks(chatemu.Quirks{Holes: chatemu.HoleIsOmitted})
			s.must(s.chat.Delete(s.stream, 600))
		},
		"all have expired": func(s *scene) {
			s.chat.SetQuirks(chatemu.Quirks{Expired: chatemu.HoleIsOmitted})
			s.expire(601)
		},
	} {
		act(t, name, 600, func(s *scene) {
			next := s.begun(part())
			vanish(s)
			s.done(export.Complete, turn{cont: next})
			if report := s.verify(); report.ListedTo != report.Hi {
				s.Errorf("archived up to %d, listed up to %d", report.Hi, report.ListedTo)
			}
		})
	}
}

func TestHead_DeletedNewestMessagesAreNothingNew(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{
		"placeholders":      {},
		"left out":          {Holes: chatemu.HoleIsOmitted},
		"left out, counted": {Holes: chatemu.HoleIsOmitted, Counting: chatemu.CountMessages},
	} {
		for _, from := range []chat.Seq{100, 95, 81, 40, 1} { // deleted from here on
			act(t, name, 100, func(s *scene) {
				s.chat.SetQuirks(quirks)
				s.tick()
				for seq := from; seq <= 100; seq++ {
					s.must(s.chat.Delete(s.stream, seq))
				}
				s.writesOnly(func() { s.tick() })
				if got := s.state(); got.Status != archive.StatusComplete || got.Frontier != 101 {
					s.Errorf("deleted from %d: state %+v", from, got)
				}
				s.grow(old(3)...)
				s.tick()
				if report := s.verify(); report.Hi != 103 || report.Totals.Messages != 103 {
					s.Errorf("deleted from %d: archived up to %d, %+v", from, report.Hi, report.Totals)
				}
			})
		}
	}
}

// A group of which the service tells nothing is exported all the same: its messages expire meanwhile.
func TestHead_GroupWithoutInformationIsExported(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]chatemu.Fault{
		"no permission": {ErrorCode: 10007}, "an unknown code": {ErrorCode: 99999}, "an internal error": {ErrorCode: 10002}, "a gateway's page": {HTML: true, Status: 502},
	} {
		act(t, name, 200, func(s *scene) {
			s.chat.SetFault(failing(getGroupInfo, fault))
			s.done(export.Complete, turn{limit: time.Minute})
			s.grow(old(100)...)
			s.done(export.Complete, turn{limit: time.Minute})
			s.whole()
		})
	}
}

func TestHead_RecreatedGroupIsNotMixedWithTheOldOne(t *testing.T) {
	t.Parallel()
	const was = 1_600_000_000
	noInfo := failing(getGroupInfo, chatemu.Fault{ErrorCode: 10007})
	for name, tc := range map[string]struct {
		created     int64 // of the new group
		messages    int   // in the new group; the old one had 100
		first, then chatemu.FaultFunc
		gone        bool // a tick came between the two
	}{
		"no message yet":                        {created: was + 1, messages: 0},
		"fewer messages":                        {created: was + 1, messages: 30},
		"as many messages":                      {created: was + 1, messages: 100},
		"more messages":                         {created: was + 1, messages: 300},
		"more messages, and was seen gone":      {created: was + 1, messages: 300, gone: true},
		"time unknown, two messages fewer":      {created: was, messages: 98, then: noInfo},
		"unknown at first, fewer messages":      {created: was + 1, messages: 30, first: noInfo},
		"unknown later, fewer messages":         {created: was + 1, messages: 30, then: noInfo},
		"never known, fewer messages":           {created: was + 1, messages: 30, first: noInfo, then: noInfo},
		"unknown at first, then no message yet": {created: was + 1, messages: 0, first: noInfo},
	} {
		act(t, name, 0, func(s *scene) {
			s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID, CreateTime: was}))
			s.grow(old(100)...)
			s.chat.SetFault(tc.first)
			s.tick()
			if tc.gone {
				s.must(s.chat.Dissolve(s.stream.GroupID))
				s.done(archive.StatusGone, turn{})
			}
			s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID, CreateTime: tc.created}))
			s.grow(old(tc.messages)...)
			s.chat.SetFault(tc.then)
			s.stands(archive.StatusRecreated, "recreated")
		})
	}
}

func TestHead_GroupRecreatedBetweenTwoBatchesOfARun(t *testing.T) {
	play(t, 1000, func(s *scene) {
		next := s.begun(part())
		s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID}))
		s.grow(old(20)...)
		s.writesOnly(func() { s.done(archive.StatusRecreated, turn{cont: next}) })
	})
}

// Seqs of a group do not go back: where it is the archived one by its time of creation, an archive that reaches above them
// was not made of what it sent.
func TestHead_ArchiveThatIsAheadOfAnUnchangedGroupIsDamaged(t *testing.T) {
	t.Parallel()
	const was = 1_600_000_000
	for name, invent := range map[string]func(s *scene){
		"a chunk was invented": func(s *scene) {
			s.copy(layout.Chunk(s.stream, 51), layout.Chunk(s.stream, 101), map[string]string{"lo": "101", "hi": "150"})
		},
		"the service has no message": func(s *scene) { s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID, CreateTime: was})) },
		"the service has fewer": func(s *scene) {
			s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID, CreateTime: was}))
			s.grow(old(98)...)
		},
	} {
		act(t, name, 0, func(s *scene) {
			s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID, CreateTime: was}))
			s.grow(old(100)...)
			s.tick()
			invent(s)
			s.stands(archive.StatusDamaged, "frontier_ahead")
		})
	}
}
