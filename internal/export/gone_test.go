package export_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

func (s *scene) dissolve() {
	s.Helper()
	s.must(s.chat.Dissolve(s.stream.GroupID))
}

// unlisted archives what there is, and fails before it is listed.
func (s *scene) unlisted(span chat.Seq) {
	s.Helper()
	_, err := s.fails(turn{span: span, before: at(memstore.OpCreate, layout.Manifest(s.stream, 1), memstore.Fault{Lost: true})})
	if !errors.Is(err, objstore.ErrUnknown) {
		s.Fatalf("the manifest was to be lost: %v", err)
	}
}

// Ids are anybody's to invent, and nobody may delete what is left of them.
func TestGone_NothingIsKeptOfAStreamThatNeverExisted(t *testing.T) {
	play(t, 100, func(s *scene) {
		s.dissolve()
		for _, stream := range []chat.Stream{s.stream, {GroupID: "never existed"}, {GroupID: s.stream.GroupID, TopicID: "no topic"}} {
			s.stream = stream
			s.done(export.Unknown, turn{})
		}
		for entry, err := range s.store.List(t.Context(), "", "") {
			s.must(err)
			s.Errorf("left %s", entry.Key)
		}
	})
}

func TestGone_GroupKeepsWhatIsArchived(t *testing.T) {
	t.Parallel()
	act(t, "and listed", 250, func(s *scene) {
		s.tick()
		s.dissolve()
		s.stands(archive.StatusGone, "10010")
		if report := s.verify(); report.Finished != archive.StatusComplete || report.Hi != 250 {
			s.Errorf("report %+v", report)
		}
	})
	// A stale 404 hides a chunk, and no PUT will find it.
	act(t, "and not listed", 250, func(s *scene) {
		s.unlisted(100)
		s.lose(layout.State(s.stream))
		s.dissolve()
		stale := 0
		s.done(archive.StatusGone, turn{before: func(c memstore.Call) memstore.Fault {
			stale++
			return memstore.Fault{Stale: c.Op == memstore.OpHead && c.Key == layout.Chunk(s.stream, 101) && stale < 8}
		}})
		s.stands(archive.StatusGone, "10010")
		if report := s.verify(); report.Finished != archive.StatusGone || report.Hi != 250 || report.ListedTo != 250 {
			s.Errorf("archived up to %d, listed up to %d, %s", report.Hi, report.ListedTo, report.Finished)
		}
		if m := s.manifest(1); m.Status != archive.StatusGone || m.Totals.Chunks != 3 {
			s.Errorf("manifest: %+v", m)
		}
	})
}

func TestGone_GroupIsDissolvedDuringARun(t *testing.T) {
	t.Parallel()
	for _, page := range []int{2, 7, 30, 49} {
		act(t, fmt.Sprint("page ", page), 1000, func(s *scene) {
			pages := 0
			s.done(archive.StatusGone, turn{ask: func(q chat.Query) error {
				if pages++; q.Seq > 0 && pages == page+1 {
					s.dissolve()
				}
				return nil
			}})
			s.stands(archive.StatusGone, "10010")
			if report := s.verify(); report.Hi > 0 && (report.Finished != archive.StatusGone || report.ListedTo != report.Hi) {
				s.Errorf("archived up to %d, listed up to %d, %q", report.Hi, report.ListedTo, report.Finished)
			}
		})
	}
}

// What is archived of a group that is gone is listed, even if that takes longer than an invocation lasts.
func TestGone_ListingTakesAsManyBatchesAsItNeeds(t *testing.T) {
	play(t, 60, func(s *scene) {
		s.unlisted(1)
		s.dissolve()
		last, batches, failed := s.through(turn{limit: 2 * time.Second, request: 100 * time.Millisecond})
		if last.Outcome != archive.StatusGone || batches < 4 || batches > 20 || failed > 0 {
			s.Errorf("%q after %d batches, of which %d failed, want several, but not many, and none that failed", last.Outcome, batches, failed)
		}
		if report := s.verify(); report.ListedTo != 60 {
			s.Errorf("listed up to %d, want 60", report.ListedTo)
		}
	})
}

func TestGone_GroupWithoutHistoryIsUnsupported(t *testing.T) {
	t.Parallel()
	for reading, code := range map[chatemu.AVChatRoom]string{
		chatemu.AVChatRoomParameter: "10004", chatemu.AVChatRoomPermission: "10007",
		chatemu.AVChatRoomEmpty: "", // or the service answers as if nothing had ever been said
	} {
		act(t, "code "+code, 0, func(s *scene) {
			s.chat.SetQuirks(chatemu.Quirks{AVChatRoom: reading})
			s.stream = chat.Stream{GroupID: "live"}
			s.must(s.chat.AddGroup(chatemu.Group{ID: "live", Type: "AVChatRoom"}))
			if code != "" {
				s.stands(archive.StatusUnsupported, code)
				return
			}
			s.writesOnly(func() { s.done(export.Complete, turn{}) })
		})
	}
}
