package export_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// stands proves that ticks end with a verdict and a success, again and again, that the state tells it, and that no
// other object changes.
func stands(t *testing.T, w *world.World, s chat.Stream, status, code string) {
	t.Helper()
	standsUnder(t, w, s, nil, status, code)
}

// standsUnder is stands while the store does not work as it should.
func standsUnder(t *testing.T, w *world.World, s chat.Stream, fault cosemu.FaultFunc, status, code string) {
	t.Helper()
	advice := map[string]string{ // what an operator must read
		archive.StatusDamaged: "nothing was overwritten, look at it with verify", archive.StatusGone: "what was archived is kept",
		archive.StatusRecreated: "give the new group another COS_PREFIX", archive.StatusMismatch: "COS_PREFIX",
	}
	before := snapshot(t, w)
	for range 2 {
		w.COS.SetFault(fault)
		out, err := invoke(t, w, w.Instance(), s)
		w.COS.SetFault(nil)
		if err != nil || out.Outcome != status {
			t.Errorf("the invocation ended with outcome %q, error %v, want %q and success", out.Outcome, err, status)
		}
		got := state(t, w, s)
		if got.Status != status || got.Error == nil || got.Error.Code != code || got.Error.Text == "" || !strings.Contains(got.Error.Text, advice[status]) || got.Lease != nil {
			t.Errorf("state %+v, error %+v, want status %q, code %q and no lease", got, got.Error, status, code)
		}
	}
	unchanged(t, w, before)
	if queued, underway := w.Queue.Len(); queued+underway > 0 {
		t.Error("something was handed on")
	}
}

func TestARecreatedGroupIsNotMixedWithTheOldOne(t *testing.T) {
	t.Parallel()
	const was = 1_600_000_000
	noInfo := chatemu.FaultIf(func(c chatemu.Call) bool { return c.Command == "get_group_info" }, chatemu.Fault{ErrorCode: 10007})
	for name, tc := range map[string]struct {
		created     int64 // of the new group
		messages    int   // in the new group; the old one had 100
		first, then chatemu.FaultFunc
	}{
		"no message yet":                        {created: was + 1, messages: 0},
		"fewer messages":                        {created: was + 1, messages: 30},
		"as many messages":                      {created: was + 1, messages: 100},
		"more messages":                         {created: was + 1, messages: 300},
		"same time, no message yet":             {created: was, messages: 0},
		"same time, fewer messages":             {created: was, messages: 30},
		"same time, two messages fewer":         {created: was, messages: 98},
		"unknown at first, fewer messages":      {created: was + 1, messages: 30, first: noInfo},
		"unknown later, fewer messages":         {created: was + 1, messages: 30, then: noInfo},
		"never known, fewer messages":           {created: was + 1, messages: 30, first: noInfo, then: noInfo},
		"unknown at first, then no message yet": {created: was + 1, messages: 0, first: noInfo},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, chatemu.Quirks{})
			s := chat.Stream{GroupID: "g"}
			must(t, w.Chat.AddGroup(chatemu.Group{ID: "g", CreateTime: was}))
			must(t, w.Chat.Append(s, old(100)...))
			w.Chat.SetFault(tc.first)
			w.Tick(s)
			must(t, w.Chat.Recreate(chatemu.Group{ID: "g", CreateTime: tc.created}))
			must(t, w.Chat.Append(s, old(tc.messages)...))
			w.Chat.SetFault(tc.then)
			stands(t, w, s, archive.StatusRecreated, "recreated")
		})
	}
}

func TestAGroupRecreatedBetweenTwoBatchesOfARun(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{TimeLimit: time.Second, Env: map[string]string{"EXPORT_SPAN": "200"}})
	s := addGroup(t, w, "g", 1, 5000, plain)
	h := w.Instance()
	out, err := invoke(t, w, h, s)
	if err != nil || out.Outcome != "continued" {
		t.Fatalf("the first batch ended with %+v, %v", out, err)
	}
	must(t, w.Chat.Recreate(chatemu.Group{ID: "g"}))
	must(t, w.Chat.Append(s, old(20)...))
	before := snapshot(t, w)
	if _, failures := w.Drain(h); len(failures) > 0 {
		t.Errorf("failures: %v", failures)
	}
	unchanged(t, w, before)
	if got := state(t, w, s); got.Status != archive.StatusRecreated {
		t.Errorf("state %+v", got)
	}
}

func TestAGroupThatIsGoneBeforeItsFirstTick(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{})
	s := addGroup(t, w, "g", 1, 100, plain)
	must(t, w.Chat.Dissolve("g"))
	stands(t, w, s, archive.StatusGone, "10010")
	stands(t, w, chat.Stream{GroupID: "never existed"}, archive.StatusGone, "10010")
	if all := snapshot(t, w); len(all) != 0 {
		t.Errorf("objects: %v", all)
	}
}

func TestAGroupThatIsGoneBetweenTicksKeepsWhatIsArchived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{}, "EXPORT_SPAN=100")
	listed := addGroup(t, w, "listed", 1, 250, plain)
	w.Tick(listed)
	must(t, w.Chat.Dissolve("listed"))
	stands(t, w, listed, archive.StatusGone, "10010")
	if report := sound(t, w, listed); report.Finished != archive.StatusComplete || report.Hi != 250 {
		t.Errorf("report %+v", report)
	}

	// Chunks that no manifest lists yet: the run died before it could write one.
	unlisted := addGroup(t, w, "unlisted", 1, 250, plain)
	w.COS.SetFault(func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == cosemu.OpPut && r.Key == layout.Manifest(unlisted, 1) {
			return &cosemu.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	})
	if _, err := invoke(t, w, w.Instance(), unlisted); err == nil {
		t.Error("the batch that could not write its manifest succeeded")
	}
	w.COS.SetFault(nil)
	must(t, w.Chat.Dissolve("unlisted"))
	if _, err := invoke(t, w, w.Instance(), unlisted); err != nil {
		t.Error(err)
	}
	if m := manifest(t, w, unlisted, 1); m.Status != archive.StatusGone || m.Hi != 250 || m.Totals.Chunks != 3 {
		t.Errorf("manifest: %+v", m)
	}
	stands(t, w, unlisted, archive.StatusGone, "10010")
	if report := sound(t, w, unlisted); report.Finished != archive.StatusGone || report.ListedTo != 250 {
		t.Errorf("report %+v", report)
	}
}

func TestAGroupThatIsDissolvedDuringARun(t *testing.T) {
	t.Parallel()
	for _, page := range []int64{1, 2, 7, 30, 49} {
		t.Run(fmt.Sprint("page ", page), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, chatemu.Quirks{}, "EXPORT_SPAN=100")
			s := addGroup(t, w, "g", 1, 1000, plain)
			w.Chat.SetOnCall(pageCalls(page, func() { must(t, w.Chat.Dissolve("g")) }))
			out, err := invoke(t, w, w.Instance(), s)
			if err != nil || out.Outcome != archive.StatusGone {
				t.Errorf("the invocation ended with %+v, %v", out, err)
			}
			got := state(t, w, s)
			if got.Status != archive.StatusGone || got.Error == nil || got.Error.Code != "10010" {
				t.Errorf("state %+v", got)
			}
			if report := sound(t, w, s); report.Hi > 0 && (report.Finished != archive.StatusGone || report.ListedTo != report.Hi) {
				t.Errorf("archived up to %d, listed up to %d, %q", report.Hi, report.ListedTo, report.Finished)
			}
			stands(t, w, s, archive.StatusGone, "10010")
		})
	}
}

func TestAGroupThatComesBackAfterItWasGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, chatemu.Quirks{})
	s := addGroup(t, w, "g", 1, 100, plain)
	w.Tick(s)
	must(t, w.Chat.Dissolve("g"))
	w.Tick(s)
	must(t, w.Chat.Recreate(chatemu.Group{ID: "g", CreateTime: time.Now().Unix()}))
	must(t, w.Chat.Append(s, old(500)...))
	stands(t, w, s, archive.StatusRecreated, "recreated")
}

func TestGroupsWithoutHistoryAreUnsupported(t *testing.T) {
	t.Parallel()
	for reading, code := range map[chatemu.AVChatRoom]string{
		chatemu.AVChatRoomParameter: "10004", chatemu.AVChatRoomPermission: "10007",
	} {
		w := newWorld(t, chatemu.Quirks{AVChatRoom: reading})
		must(t, w.Chat.AddGroup(chatemu.Group{ID: "live", Type: "AVChatRoom"}))
		stands(t, w, chat.Stream{GroupID: "live"}, archive.StatusUnsupported, code)
	}
	// Or the service answers as if nothing had ever been said.
	w := newWorld(t, chatemu.Quirks{AVChatRoom: chatemu.AVChatRoomEmpty})
	must(t, w.Chat.AddGroup(chatemu.Group{ID: "live", Type: "AVChatRoom"}))
	w.Tick(chat.Stream{GroupID: "live"})
	if all := snapshot(t, w); len(all) != 0 {
		t.Errorf("objects: %v", all)
	}
}
