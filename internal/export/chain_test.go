package export_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/verify"
)

// The winner of a race dies, and its event is a tick: the lease that the loser's chain has left must not stop it.
func TestTheLoserOfARaceTakesItsLeaseAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 600)
		next := s.begun(turn{limit: 3 * time.Second, page: slow(200 * time.Millisecond)})
		s.done(export.LostRace, turn{cont: next, before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			time.Sleep(1100 * time.Millisecond)
			r, err := s.batch(turn{
				cont: next, before: diesAfter(layout.Chunk(s.stream, next.Cursor)),
				handOver: func(export.Continuation) error { return errors.New("killed") },
			})
			if err == nil || r.Chunks != 1 {
				t.Errorf("the winner was to die after one chunk, it has %d, %v", r.Chunks, err)
			}
			return memstore.Fault{}
		})})
		s.done(export.Complete, turn{})
		s.whole()
	})
}

// The lease of the winner stays.
func TestTheLoserOfARaceLeavesTheWinnersLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 1000)
		next := s.begun(turn{limit: 3 * time.Second, page: slow(100 * time.Millisecond)})
		s.done(export.LostRace, turn{owner: "hop 1", cont: next, before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			time.Sleep(1100 * time.Millisecond)
			s.done(export.Continued, turn{owner: "hop 1", cont: next, limit: 3 * time.Second, page: slow(200 * time.Millisecond)})
			return memstore.Fault{}
		})})
		s.done(export.AlreadyRunning, turn{})
		s.finish()
		s.whole()
	})
}

// A batch that knows the group begins behind the last manifest, without a look at the chunks. One that a dead batch
// left there is listed all the same, even if there is nothing to store.
func TestAChunkBehindTheLastManifestIsListedByAShortcut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 100)
		s.done(export.Complete, turn{})
		group, err := s.client.Group(t.Context(), s.stream)
		must(t, err)
		now := time.Now().Unix()
		s.grow(chatemu.Message{Time: now}, chatemu.Message{Time: now}, chatemu.Message{Time: now})
		dead, err := s.batch(turn{owner: "event", before: diesAfter(layout.Chunk(s.stream, 101))})
		if err == nil || dead.Chunks != 1 {
			t.Fatalf("the batch was to die after one chunk, it has %d, %v", dead.Chunks, err)
		}
		must(t, s.chat.Delete(s.stream, 101)) // it looks as if it were on its way: nothing is stored
		known := &export.Known{At: time.Now(), Facts: chat.Facts{CreateTime: group.CreateTime, NextSeq: 104, LastTime: now}, ArchivedCreateTime: group.CreateTime}
		r := s.done(export.Complete, turn{owner: "event", known: known})
		report, err := verify.Stream(t.Context(), s.store, s.stream, verify.Options{SDKAppID: simAppID})
		must(t, err)
		if !report.Sound() || r.Chunks != 0 || report.Hi != 103 || report.ListedTo != 103 {
			t.Errorf("%d chunks stored, archived up to %d, listed up to %d: %v", r.Chunks, report.Hi, report.ListedTo, report.Findings)
		}
	})
}
