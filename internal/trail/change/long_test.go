package change_test

import (
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// A look at a large chunk is handed on as often as it takes, asks for little more than its pages, and lets new messages pass.
func TestLook_AtALargeChunkIsHandedOn(t *testing.T) {
	t.Parallel()
	n := 20_000
	if testing.Short() {
		n = 8_000
	}
	bubble(t, func(t *testing.T, w *world.World) {
		w.Env["EXPORT_SPAN"] = "100000"
		sent := time.Now().Unix()
		must(t, w.Chat.Generate(group, n, func(chat.Seq) chatemu.Message { return chatemu.Message{From: "a", Time: sent} }))
		time.Sleep(5 * time.Minute)
		w.Tick(group)
		for seq := chat.Seq(100); seq < chat.Seq(n); seq += 1000 {
			must(t, w.Chat.Modify(group, seq, text("other words")))
		}
		time.Sleep(look)
		w.Env["CHAT_QPS"] = "10" // 200 pages in an invocation
		say(t, w, 3)
		before := w.Chat.Counters().Calls
		invocations := w.Tick(group)
		all := receipts(t, w, 1)
		if len(all) < 2 || all[len(all)-1].Hi != chat.Seq(n) || len(told(all)) != n/1000 {
			t.Errorf("%d receipts, %d differences in %d invocations", len(all), len(told(all)), invocations)
		}
		var same int64
		for _, r := range all {
			same += r.Counts[archive.ChangeSame]
		}
		if same != int64(n-n/1000) {
			t.Errorf("%d of %d are the same", same, n)
		}
		calls, pages := w.Chat.Counters().Calls-before, n/chat.PageSize
		if most := pages*105/100 + 20 + 3*invocations; calls > most { // each invocation reads the newest page
			t.Errorf("%d calls for %d pages in %d invocations", calls, pages, invocations)
		}
		t.Logf("%d calls, %d pages, %d invocations, %d receipts", calls, pages, invocations, len(all))
	})
}
