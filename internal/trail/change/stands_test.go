package change_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

func stateOf(t *testing.T, w *world.World) archive.State {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), layout.State(group))
	must(t, err)
	state, err := archive.ParseState(body)
	must(t, err)
	return state
}

func TestLook_GoesOnWhereItWasSwitchedOff(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 5)
		w.Tick(group)
		time.Sleep(look)
		w.Tick(group)
		w.Env["EXPORT_LOOK"] = "off"
		say(t, w, 5)
		w.Tick(group)
		must(t, w.Chat.Recall(group, 3, 7))
		time.Sleep(look)
		w.Tick(group)
		if all := receipts(t, w, 1); len(all) != 1 {
			t.Errorf("switched off: %+v", all)
		}
		w.Env["EXPORT_LOOK"] = look.String()
		w.Tick(group)
		if diff := cmp.Diff([]string{"7 recalled"}, told(receipts(t, w, 1))); diff != "" {
			t.Errorf("switched on again (-want +got):\n%s", diff)
		}
	})
}

// A stream that is gone has nothing to look at: its run ends, at once and for good.
func TestLook_AtAGoneStreamIsNone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 100)
		w.Tick(group)
		must(t, w.Chat.Dissolve(group.GroupID))
		time.Sleep(look)
		for range 2 {
			if n := w.Tick(group); n != 1 {
				t.Errorf("%d invocations", n)
			}
			time.Sleep(time.Hour)
		}
		if all := receipts(t, w, 1); len(all) > 0 {
			t.Errorf("receipts %+v", all)
		}
		if state := stateOf(t, w); state.Status != archive.StatusGone || state.Look != nil && state.Look.Code != "" {
			t.Errorf("state %+v", state)
		}
	})
}

// What the service withheld is absent, and warned of; the look finds it when it is there.
func TestLook_FindsARunThatWasWithheld(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 200)
		var withheld []chat.Seq
		for seq := chat.Seq(70); seq <= 130; seq++ {
			withheld = append(withheld, seq)
		}
		must(t, w.Chat.Withhold(group, 1000, withheld...))
		w.Tick(group)
		if !strings.Contains(w.Logs.String(), `"ranges":"70-130"`) {
			t.Error("no warning names the 61 that did not come")
		}
		must(t, w.Chat.Withhold(group, 0, withheld...))
		time.Sleep(look)
		w.Tick(group)
		var found []chat.Seq
		for _, r := range receipts(t, w, 1) {
			for _, l := range r.lines {
				if l.Kind != archive.ChangeFound || l.Was != "" {
					t.Errorf("seq %d is %s, was %q", l.Seq, l.Kind, l.Was)
				}
				found = append(found, l.Seq)
			}
		}
		if !slices.Equal(found, withheld) {
			t.Errorf("found %v", found)
		}
	})
}

// Four messages that are others prove nothing: they are told as edited.
func TestLook_FewMessagesDoNotProveARecreatedGroup(t *testing.T) {
	t.Parallel()
	for _, n := range []int{4, 5} {
		bubble(t, func(t *testing.T, w *world.World) {
			say(t, w, n)
			w.Tick(group)
			must(t, w.Chat.Recreate(chatemu.Group{ID: group.GroupID, CreateTime: 1}))
			w.Chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool { return c.Command == "get_group_info" }, chatemu.Fault{ErrorCode: 10007}))
			say(t, w, n+30)
			time.Sleep(look)
			w.Tick(group)
			edited := 0
			for _, r := range receipts(t, w, 1) {
				edited += int(r.Counts[archive.ChangeEdited])
			}
			status := stateOf(t, w).Status
			if recreated := status == archive.StatusRecreated; recreated != (n == 5) || edited != map[int]int{4: 4, 5: 0}[n] {
				t.Errorf("%d messages: status %s, %d edited", n, status, edited)
			}
		})
	}
}

// Without EXPORT_MEDIA a new version has no files.
func TestLook_WithoutMediaKeepsNoFiles(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 5)
		w.Tick(group)
		file := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(1, 100)})
		must(t, w.Chat.Modify(group, 2, chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: file.URL(), Size: file.Size()}))))
		time.Sleep(look)
		w.Tick(group)
		all := receipts(t, w, 1)
		if len(all) != 1 || len(all[0].lines) != 1 || all[0].lines[0].Media != nil || file.Count() > 0 {
			t.Errorf("receipts %+v, fetched %d times", all, file.Count())
		}
	})
}

// Many new files take many batches. What was found before time was up is kept, and none of them is given up for the others' sake.
func TestLook_ManySlowFilesAreHandedOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		w.Env["EXPORT_MEDIA"], w.Env["MEDIA_MAX_BYTES"] = "on", "503316480" // one by one
		const edits = 12
		say(t, w, 30)
		w.Tick(group)
		for n := range uint64(edits) {
			file := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(n, 10_000), SlowBody: 5 * time.Second})
			must(t, w.Chat.Modify(group, 2+2*chat.Seq(n), chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: file.URL(), Size: file.Size()}))))
		}
		time.Sleep(look)
		invocations := w.Tick(group)
		stored := 0
		for _, r := range receipts(t, w, 1) {
			for _, l := range r.lines {
				for _, m := range l.Media {
					if m.State != archive.MediaStored {
						t.Errorf("the file of seq %d is %s (%s)", l.Seq, m.State, m.Code)
					}
					stored++
				}
			}
		}
		if stored != edits || invocations > 6 {
			t.Errorf("%d files in %d invocations", stored, invocations)
		}
	})
}

// A role that may not write receipts fails no run.
func TestLook_StandsStillWhereTheRoleMayNotWrite(t *testing.T) {
	t.Parallel()
	refused := true
	o := world.Options{}
	o.COS.Fault = func(r *cosemu.Request) *cosemu.Fault {
		if refused && r.Op == cosemu.OpPut && strings.HasPrefix(r.Key, layout.ChangePrefixRoot) {
			return &cosemu.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	}
	bubbleOf(t, o, func(t *testing.T, w *world.World) {
		say(t, w, 10)
		w.Tick(group)
		must(t, w.Chat.Recall(group, 3))
		time.Sleep(look)
		w.Tick(group)
		state := stateOf(t, w)
		if state.Status != archive.StatusComplete || state.Look == nil || state.Look.Frontier != 1 || state.Look.Code == "" || state.Look.At.IsZero() {
			t.Errorf("state %+v, look %+v", state, state.Look)
		}
		if !strings.Contains(w.Logs.String(), "the trail stands still") {
			t.Error("no warning")
		}
		refused = false
		time.Sleep(15 * time.Minute)
		w.Tick(group)
		if diff := cmp.Diff([]string{"3 recalled"}, told(receipts(t, w, 1))); diff != "" {
			t.Errorf("with the right (-want +got):\n%s", diff)
		}
		if state := stateOf(t, w); state.Look.Code != "" {
			t.Errorf("look %+v", state.Look)
		}
	})
}

// What a batch has time for goes to messages and files first.
func TestLook_ComesBehindMessagesAndFiles(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		w.Env["EXPORT_MEDIA"] = "on"
		say(t, w, 100)
		w.Tick(group)
		time.Sleep(look)
		file := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(1, 100)})
		must(t, w.Chat.Append(group, chatemu.Message{From: "a", Time: time.Now().Unix(), Body: chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: file.URL(), Size: file.Size()}))}))
		say(t, w, 100)
		w.COS.ResetCounts()
		w.Tick(group)
		var order []string
		for _, key := range written(w) {
			if root, _, _ := strings.Cut(key, "/"); len(order) == 0 || order[len(order)-1] != root {
				order = append(order, root)
			}
		}
		if diff := cmp.Diff([]string{"data", "manifest", "blob", "media", "change"}, order); diff != "" {
			t.Errorf("written (-want +got):\n%s", diff)
		}
	})
}

// written are the keys that were written, in order, but for the state.
func written(w *world.World) (keys []string) {
	for _, r := range w.COS.Log() {
		if r.Op == cosemu.OpPut && r.Status == http.StatusOK && !strings.HasPrefix(r.Key, layout.StatePrefix) {
			keys = append(keys, r.Key)
		}
	}
	return keys
}
