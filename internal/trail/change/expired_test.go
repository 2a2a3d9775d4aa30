package change_test

import (
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// What has expired before its look is never called deleted, whichever way the service shows it, and costs little.
func TestLook_WhatHasExpiredIsNotDeleted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		quirks chatemu.Quirks
		floor  chat.Seq
	}{
		"a chunk":                    {floor: 41},
		"part of one":                {floor: 50},
		"all":                        {floor: 101},
		"all, omitted":               {floor: 101, quirks: chatemu.Quirks{Expired: chatemu.HoleIsOmitted}},
		"part of one, omitted":       {floor: 50, quirks: chatemu.Quirks{Expired: chatemu.HoleIsOmitted}},
		"a chunk, and no word of it": {floor: 41, quirks: chatemu.Quirks{Expired: chatemu.HoleIsOmitted, FinishedOmitted: true}},
		"part, and no word of it":    {floor: 50, quirks: chatemu.Quirks{FinishedOmitted: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world.World) {
				w.Chat.SetQuirks(c.quirks)
				say(t, w, 100)
				w.Tick(group)
				time.Sleep(8 * 24 * time.Hour) // no tick came in time
				must(t, w.Chat.SetFloor(group, c.floor))
				before := w.Chat.Counters().Calls
				w.Tick(group)
				var expired int64
				for _, r := range receipts(t, w, 1) {
					expired += r.Counts[archive.ChangeExpired]
					if len(r.lines) > 0 {
						t.Errorf("differences %+v", r.lines)
					}
				}
				if expired != int64(c.floor)-1 {
					t.Errorf("%d have expired, want %d", expired, c.floor-1)
				}
				if calls := w.Chat.Counters().Calls - before; calls > 40 {
					t.Errorf("%d calls", calls)
				}
			})
		})
	}
}

// Looks that are switched on after a year account for all of it at once.
func TestLook_AYearThatHasExpiredIsOneReceipt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		chunks := 1200
		if testing.Short() {
			chunks = 300
		}
		w.Env["EXPORT_LOOK"], w.Env["EXPORT_SPAN"] = "off", "20"
		sent := time.Now().Unix()
		must(t, w.Chat.Generate(group, 20*chunks, func(chat.Seq) chatemu.Message { return chatemu.Message{From: "a", Time: sent} }))
		time.Sleep(5 * time.Minute)
		w.Tick(group)
		time.Sleep(30 * 24 * time.Hour)
		last := chat.Seq(20 * chunks)
		must(t, w.Chat.SetFloor(group, last+1))
		say(t, w, 5)
		w.Env["EXPORT_LOOK"] = look.String()
		w.COS.ResetCounts()
		before, puts := w.Chat.Counters().Calls, w.COS.Counts()["put"]
		w.Tick(group)
		body, _, err := w.Store.Get(t.Context(), layout.Change(group, 1))
		must(t, err)
		if len(body) > 1000 {
			t.Errorf("the receipt has %d bytes", len(body))
		}
		all := receipts(t, w, 1)
		if len(all) == 0 || all[0].Hi != last || all[0].Counts[archive.ChangeExpired] != int64(last) {
			t.Fatalf("receipts %+v", all)
		}
		if calls, writes := w.Chat.Counters().Calls-before, w.COS.Counts()["put"]-puts; calls > 40 || writes > 10 {
			t.Errorf("%d calls and %d writes", calls, writes)
		}
	})
}

// Where the seqs were given anew, nothing is written: what comes is no version of what is archived.
func TestLook_AtARecreatedGroupWritesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 30)
		w.Tick(group)
		must(t, w.Chat.Recreate(chatemu.Group{ID: group.GroupID, CreateTime: 1}))
		say(t, w, 40)
		w.Chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool { return c.Command == "get_group_info" }, chatemu.Fault{ErrorCode: 10007}))
		time.Sleep(look)
		w.Tick(group)
		if all := receipts(t, w, 1); len(all) > 0 {
			t.Errorf("receipts %+v", all)
		}
		body, _, err := w.Store.Get(t.Context(), layout.State(group))
		must(t, err)
		state, err := archive.ParseState(body)
		must(t, err)
		if state.Status != archive.StatusRecreated {
			t.Errorf("status is %s", state.Status)
		}
	})
}
