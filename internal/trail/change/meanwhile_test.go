package change_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// meanwhile lets something happen before a page is asked for, counted from when it was set to 1.
type meanwhile struct {
	pages atomic.Int64
	do    atomic.Pointer[func(page int64)]
}

func (m *meanwhile) wrap(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if do := m.do.Load(); service == "chat" && strings.HasSuffix(r.URL.Path, "/group_msg_get_simple") && do != nil {
			(*do)(m.pages.Add(1))
		}
		next.ServeHTTP(w, r)
	})
}

// at lets something happen before the page with this number.
func (m *meanwhile) at(page int64, f func()) {
	do := func(n int64) {
		if n == page {
			f()
		}
	}
	m.do.Store(&do)
}

// A floor that moves while a chunk is looked at makes nothing deleted that has expired, at whichever page; what was deleted
// above it is still told.
func TestLook_WhatExpiresMeanwhileIsNotDeleted(t *testing.T) {
	t.Parallel()
	for page := int64(1); page <= 9; page++ {
		var m meanwhile
		bubbleOf(t, world.Options{Wrap: m.wrap}, func(t *testing.T, w *world.World) {
			w.Env["EXPORT_SPAN"], w.Env["CHAT_CONCURRENCY"] = "1000", "1"
			say(t, w, 100)
			w.Tick(group)
			time.Sleep(8 * 24 * time.Hour)
			must(t, w.Chat.SetFloor(group, 7))
			must(t, w.Chat.Delete(group, 90))
			m.at(page, func() { must(t, w.Chat.SetFloor(group, 50)) })
			for range 2 {
				w.Tick(group)
				time.Sleep(time.Hour)
			}
			all := receipts(t, w, 1)
			if diff := cmp.Diff([]string{"90 deleted"}, told(all)); diff != "" {
				t.Errorf("moved before page %d: differences (-want +got):\n%s", page, diff)
			}
			var expired int64
			for _, r := range all {
				expired += r.Counts[archive.ChangeExpired]
			}
			if expired != 49 && expired != 6 {
				t.Errorf("moved before page %d: %d have expired", page, expired)
			}
		})
	}
}

// Where older messages are still there, nothing has expired: what does not come was deleted, however old it is.
func TestLook_WhatIsMissingAboveWhatIsThereWasDeleted(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{"": {}, "no word of what has expired": {FinishedOmitted: true}} {
		bubble(t, func(t *testing.T, w *world.World) {
			w.Chat.SetQuirks(quirks)
			say(t, w, 100)
			w.Tick(group)
			time.Sleep(time.Hour)
			w.Env["EXPORT_LOOK"] = "24h"
			time.Sleep(24 * time.Hour)
			must(t, w.Chat.Delete(group, 41))
			w.Env["CHAT_RETENTION_DAYS"] = "2" // the plan stores them for longer
			time.Sleep(48 * time.Hour)
			w.Env["EXPORT_LOOK"] = look.String()
			w.Tick(group)
			if diff := cmp.Diff([]string{"41 deleted"}, told(receipts(t, w, 1))); diff != "" {
				t.Errorf("%s: differences (-want +got):\n%s", name, diff)
			}
		})
	}
}

// A chunk that had no message tells nothing of what has expired behind it.
func TestLook_AChunkWithoutMessagesHidesNotWhatHasExpired(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 100)
		for seq := chat.Seq(21); seq <= 60; seq++ {
			must(t, w.Chat.Delete(group, seq))
		}
		must(t, w.Chat.Delete(group, 1))
		w.Env["EXPORT_SPAN"] = "20"
		w.Tick(group)
		time.Sleep(look)
		w.Env["CHAT_QPS"] = "1" // one chunk
		w.Tick(group)
		time.Sleep(5 * 24 * time.Hour)
		must(t, w.Chat.SetFloor(group, 81))
		w.Tick(group)
		for _, r := range receipts(t, w, 1) {
			if len(r.lines) > 0 {
				t.Errorf("differences %+v", r.lines)
			}
		}
	})
}

// A group that is recreated while its chunks are looked at gets no receipt that tells of its successor.
func TestLook_AtAGroupThatIsRecreatedMeanwhileStops(t *testing.T) {
	t.Parallel()
	for page := int64(2); page <= 7; page++ {
		var m meanwhile
		bubbleOf(t, world.Options{Wrap: m.wrap}, func(t *testing.T, w *world.World) {
			w.Env["CHAT_CONCURRENCY"] = "1"
			say(t, w, 100)
			w.Tick(group)
			time.Sleep(look)
			m.at(page, func() {
				must(t, w.Chat.Recreate(chatemu.Group{ID: group.GroupID, CreateTime: 1}))
				messages := make([]chatemu.Message, 120)
				for i := range messages {
					messages[i] = chatemu.Message{From: "b", Time: time.Now().Unix() - 300 + int64(i), Body: text("another")}
				}
				must(t, w.Chat.Append(group, messages...))
			})
			for range 2 {
				w.Tick(group)
				time.Sleep(time.Hour)
			}
			if all := receipts(t, w, 1); len(told(all)) > 0 {
				t.Errorf("recreated before page %d: %v", page, told(all))
			}
			if status := stateOf(t, w).Status; status != archive.StatusRecreated {
				t.Errorf("recreated before page %d: status %s", page, status)
			}
		})
	}
}

// A look that takes several batches lets messages pass that are sent meanwhile.
func TestLook_LetsNewMessagesPass(t *testing.T) {
	t.Parallel()
	var m meanwhile
	bubbleOf(t, world.Options{Wrap: m.wrap}, func(t *testing.T, w *world.World) {
		w.Env["EXPORT_SPAN"] = "100000"
		const n = 1000
		say(t, w, n)
		w.Tick(group)
		time.Sleep(look)
		w.Env["CHAT_QPS"], w.Env["CHAT_CONCURRENCY"] = "1", "1" // some 20 pages in an invocation
		m.at(10, func() {
			must(t, w.Chat.Append(group, chatemu.Message{From: "a", Time: time.Now().Unix() - 300, Body: text("news")}))
		})
		w.COS.ResetCounts()
		invocations := w.Tick(group)
		var order []string
		for _, key := range written(w) {
			root, _, _ := strings.Cut(key, "/")
			order = append(order, root)
		}
		if diff := cmp.Diff([]string{"change", "data", "manifest", "change"}, order[:min(4, len(order))]); diff != "" || invocations < 3 {
			t.Errorf("written in %d invocations (-want +got):\n%s", invocations, diff)
		}
	})
}
