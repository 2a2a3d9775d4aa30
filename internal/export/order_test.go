package export_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/verify"
)

// What a continuation promises is stored before the queue has it.
func TestAContinuationIsPublishedAfterItsChunkIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 500)
		check := func(c export.Continuation) error {
			object, err := s.store.Head(t.Context(), layout.Chunk(s.stream, c.After))
			if err != nil {
				t.Errorf("the continuation says that chunk %d is stored: %v", c.After, err)
				return nil
			}
			meta, err := archive.ParseChunkMeta(object.Metadata)
			if err != nil || meta.Hi+1 != c.Cursor {
				t.Errorf("the continuation's cursor is %d, the chunk below ends at %d, %v", c.Cursor, meta.Hi, err)
			}
			return nil
		}
		o := turn{limit: 3 * time.Second, page: slow(200 * time.Millisecond), handOver: check}
		s.done(export.Continued, o)
		batches := 1
		for len(s.published) > 0 {
			next := s.published[0]
			s.published, o.cont = nil, &next
			if r, err := s.batch(o); err != nil || r.Hop != batches {
				t.Fatalf("hop %d, want %d; %v", r.Hop, batches, err)
			}
			batches++
		}
		if batches < 3 {
			t.Errorf("the run took %d batches, want several", batches)
		}
		s.whole()
	})
}

func TestSeqsThatDidNotComeAreAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		s.chat.SetQuirks(chatemu.Quirks{EmptyOnceEvery: 1})
		s.done(export.Complete, turn{})
		if report := s.whole(); report.Totals.Absent != 0 {
			t.Errorf("%d seqs are absent, and all could be had", report.Totals.Absent)
		}
	})
}

// A message has its seq before it can be read.
func TestMessagesOnTheirWayAreLeftToTheNextTick(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{
		"shown as a hole":               {},
		"left out":                      {Late: chatemu.HoleIsOmitted},
		"shown with its time":           {PlaceTime: chatemu.PlaceTimeOriginal},
		"shown without a time":          {PlaceTime: chatemu.PlaceTimeAbsent},
		"shown, and nothing is proved":  {Finished: chatemu.FinishedNever},
		"left out, and expired, proved": {Late: chatemu.HoleIsOmitted, Finished: chatemu.FinishedWindow},
	} {
		for which, hide := range map[string]func(seq int) bool{
			"the newest":   func(i int) bool { return i == 4 },
			"all":          func(int) bool { return true },
			"in the midst": func(i int) bool { return i == 1 || i == 2 },
		} {
			for begun, before := range map[string]int{"a new archive": 0, "an archive": 130} {
				t.Run(name+", "+which+" of "+begun, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						s := newScene(t, before)
						s.chat.SetQuirks(quirks)
						s.done(export.Complete, turn{})
						for i := range 5 {
							m := chatemu.Message{Time: time.Now().Unix()}
							if hide(i) {
								m.HideFor = 90 * time.Second
							}
							s.grow(m)
						}
						s.done(export.Complete, turn{})
						time.Sleep(5 * time.Minute)
						s.done(export.Complete, turn{})
						s.whole()
					})
				})
			}
		}
	}
}

// All that is left of a group may be one message, on its way, above what has expired.
func TestAMessageOnItsWayIsNotTakenForExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 60)
		must(t, s.chat.SetFloor(s.stream, 61))
		s.grow(chatemu.Message{Time: time.Now().Unix(), HideFor: time.Minute})
		s.done(export.Complete, turn{})
		if s.exists(layout.Genesis(s.stream)) {
			t.Error("the archive's beginning was pinned while a message was on its way")
		}
		time.Sleep(5 * time.Minute)
		s.done(export.Complete, turn{})
		s.whole()
	})
}

// A tick leaves the stream to the holder of the lease, at the cost of one read.
func TestATickLeavesTheStreamToTheHolderOfTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		calls := 0
		count := turn{before: func(memstore.Call) memstore.Fault { calls++; return memstore.Fault{} }}
		s.done(export.Complete, turn{before: once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
			before := s.chat.Counters().Calls
			s.done(export.AlreadyRunning, count)
			if asked := s.chat.Counters().Calls - before; asked != 0 || calls != 1 {
				t.Errorf("a tick beside a running batch made %d calls of the service and %d of the store, want 0 and 1", asked, calls)
			}
			return memstore.Fault{}
		})})
		// A run that waits in the queue keeps the lease for as long as a continuation may take, and no longer.
		s.grow(old(400)...)
		s.done(export.Continued, turn{limit: 3 * time.Second, page: slow(200 * time.Millisecond)})
		time.Sleep(9 * time.Minute)
		s.done(export.AlreadyRunning, turn{})
		time.Sleep(2 * time.Minute)
		s.done(export.Complete, turn{})
		s.finish()
		s.whole()
	})
}

// Without progress nothing is published, however often the event is delivered.
func TestABatchWithoutProgressPublishesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		failure := errors.New("the service is down")
		down := turn{owner: "event", page: func(q chat.Query) error {
			if q.Seq == 0 || q.Seq == 20 {
				return nil // the newest page and the first one, so that there is a frontier
			}
			return failure
		}}
		s.begun(down) // the first page is progress
		time.Sleep(time.Hour)
		for range 5 {
			if r, err := s.batch(down); !errors.Is(err, failure) || len(s.published) != 0 {
				t.Fatalf("the batch ends with %q, %v, and %d continuations", r.Outcome, err, len(s.published))
			}
			time.Sleep(time.Minute)
		}
		late := turn{owner: "event", limit: 3 * time.Second, page: slow(4 * time.Second)}
		if r, err := s.batch(late); err == nil || len(s.published) != 0 {
			t.Fatalf("out of time, the batch ends with %q and %d continuations", r.Outcome, len(s.published))
		}
		s.done(export.Complete, turn{owner: "event"})
		s.whole()
	})
}

// Nothing new: nothing is written but the state.
func TestATickWithNothingNewWritesNoManifest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		s.done(export.Complete, turn{})
		for _, lose := range []bool{false, true} {
			if lose {
				s.store.Lose(layout.State(s.stream))
			}
			s.done(export.Complete, turn{before: func(c memstore.Call) memstore.Fault {
				if c.Op == memstore.OpCreate {
					t.Errorf("state lost %t: %s is created", lose, c.Key)
				}
				return memstore.Fault{}
			}})
		}
		s.whole()
	})
}

// A hint that is behind costs one read for each manifest that it misses, not one for each chunk.
func TestManifestsThatTheHintMissesAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 100)
		s.done(export.Complete, turn{})
		behind, _, err := s.store.Get(t.Context(), layout.State(s.stream))
		must(t, err)
		s.grow(old(1000)...)
		r := s.done(export.Complete, turn{})
		s.grow(old(20)...)
		_, err = s.store.Overwrite(t.Context(), layout.State(s.stream), objstore.Write{Body: behind})
		must(t, err)
		heads := 0
		s.done(export.Complete, turn{
			cont: &export.Continuation{Cursor: r.Frontier, After: 1051, Head: 1120, Run: r.Run, Hop: 1},
			before: func(c memstore.Call) memstore.Fault {
				if c.Op == memstore.OpHead {
					heads++
				}
				return memstore.Fault{}
			},
		})
		if heads > 2 {
			t.Errorf("%d chunks were looked up, want the one below the cursor and the one at it", heads)
		}
		s.whole()
	})
}

// A stale 404 hides a chunk, and no PUT will find it, since the group is gone: what it left is listed all the same.
func TestEverythingThatAGoneGroupLeftIsListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 200)
		_, err := s.batch(turn{before: func(c memstore.Call) memstore.Fault {
			return memstore.Fault{Lost: c.Op == memstore.OpCreate && c.Key == layout.Manifest(s.stream, 1)}
		}})
		if err == nil || s.exists(layout.Manifest(s.stream, 1)) {
			t.Fatalf("the manifest was to fail: %v", err)
		}
		s.store.Lose(layout.State(s.stream))
		must(t, s.chat.Dissolve(s.stream.GroupID))
		stale := 0
		s.done(archive.StatusGone, turn{before: func(c memstore.Call) memstore.Fault {
			stale++
			return memstore.Fault{Stale: c.Op == memstore.OpHead && c.Key == layout.Chunk(s.stream, 101) && stale < 8}
		}})
		report, err := verify.Stream(t.Context(), s.store, s.stream, verify.Options{SDKAppID: simAppID})
		must(t, err)
		if !report.Sound() || report.Hi != 200 || report.ListedTo != 200 || report.Finished != archive.StatusGone {
			t.Errorf("archived up to %d, listed up to %d, %s: %v", report.Hi, report.ListedTo, report.Finished, report.Findings)
		}
	})
}

// A message may arrive between the page that finds the head and the look for what is missing below it.
func TestAMessageThatArrivesWhileTheHeadIsSettledIsNotAHole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 130)
		s.done(export.Complete, turn{})
		now := time.Now().Unix()
		s.grow(chatemu.Message{Time: now, HideFor: 1500 * time.Millisecond}, chatemu.Message{Time: now})
		s.done(export.Complete, turn{page: slow(time.Second)})
		time.Sleep(5 * time.Minute)
		s.done(export.Complete, turn{})
		s.whole()
	})
}
