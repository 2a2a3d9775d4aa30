package change_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

const look = 72 * time.Hour

var group = chat.Stream{GroupID: "@TGS#looks"}

// bubble is a virtual world whose function looks at chunks after 72 hours.
func bubble(t *testing.T, f func(t *testing.T, w *world.World)) {
	t.Helper()
	bubbleOf(t, world.Options{}, f)
}

func bubbleOf(t *testing.T, o world.Options, f func(t *testing.T, w *world.World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Virtual, o.Env = true, map[string]string{"EXPORT_LOOK": look.String(), "EXPORT_SPAN": "40"}
		w := world.New(t, o)
		must(t, w.Chat.AddGroup(chatemu.Group{ID: group.GroupID}))
		f(t, w)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// say appends n messages that are sent now.
func say(t *testing.T, w *world.World, n int) {
	t.Helper()
	messages := make([]chatemu.Message, n)
	for i := range messages {
		messages[i] = chatemu.Message{From: "a", Time: time.Now().Unix(), Body: text(fmt.Sprint("words ", i))}
	}
	must(t, w.Chat.Append(group, messages...))
	time.Sleep(5 * time.Minute) // nothing is on its way any more
}

func text(words string) json.RawMessage { return chatemu.MsgBody(chatemu.TextElem(words)) }

type receipt struct {
	archive.ReceiptMeta

	lines []archive.ChangeLine
}

// proved verifies the archive: what looks have written bears being compared with its chunks, which a test may have damaged.
func proved(t *testing.T, w *world.World) {
	t.Helper()
	report, err := verify.Stream(t.Context(), w.Store, group, verify.Options{})
	must(t, err)
	for _, f := range report.Findings {
		if !strings.HasPrefix(f.Key, layout.DataPrefix) {
			t.Errorf("verify: %s", f)
		}
	}
}

// receipts reads the trail from a seq on.
func receipts(t *testing.T, w *world.World, from chat.Seq) (all []receipt) {
	t.Helper()
	for lo := from; ; {
		body, _, err := w.Store.Get(t.Context(), layout.Change(group, lo))
		if errors.Is(err, objstore.ErrNotExist) {
			proved(t, w)
			return all
		}
		must(t, err)
		r := receipt{}
		r.ReceiptMeta, err = archive.ReadChangeReceipt(bytes.NewReader(body), func(l archive.ChangeLine) error {
			l.Now = bytes.Clone(l.Now)
			r.lines = append(r.lines, l)
			return nil
		})
		must(t, err)
		all = append(all, r)
		lo = r.Hi + 1
	}
}

// told is what receipts say, one line a difference.
func told(all []receipt) (out []string) {
	for _, r := range all {
		for _, l := range r.lines {
			out = append(out, fmt.Sprint(l.Seq, " ", l.Kind))
		}
	}
	return out
}

func TestLook_FindsWhatHappenedAfterwards(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world.World) {
		say(t, w, 100)
		must(t, w.Chat.Withhold(group, 1000, 61))
		w.Tick(group)
		must(t, w.Chat.Modify(group, 7, text("other words")))
		must(t, w.Chat.Recall(group, 33))
		must(t, w.Chat.Delete(group, 90))
		must(t, w.Chat.Withhold(group, 0, 61))
		w.Tick(group)
		if all := receipts(t, w, 1); len(all) > 0 {
			t.Fatalf("looked before its time: %+v", all[0].ReceiptMeta)
		}
		time.Sleep(look)
		before := w.Chat.Counters().Calls
		w.Tick(group)
		all := receipts(t, w, 1)
		if diff := cmp.Diff([]string{"7 edited", "33 recalled", "61 found", "90 deleted"}, told(all)); diff != "" {
			t.Errorf("differences (-want +got):\n%s", diff)
		}
		if all[0].Lo != 1 || all[len(all)-1].Hi != 100 {
			t.Errorf("looked at [%d, %d]", all[0].Lo, all[len(all)-1].Hi)
		}
		if !strings.Contains(string(all[0].lines[0].Now), "other words") {
			t.Errorf("the new version is %s", all[0].lines[0].Now)
		}
		if calls := w.Chat.Counters().Calls - before; calls > 5+3 {
			t.Errorf("%d calls", calls)
		}
		calls, requests := w.Chat.Counters().Calls, total(w)
		w.Tick(group)
		idle, one := w.Chat.Counters().Calls-calls, total(w)-requests
		time.Sleep(look)
		w.Tick(group)
		if got := w.Chat.Counters().Calls - calls - idle; got != idle {
			t.Errorf("an idle tick makes %d calls, later %d", idle, got)
		}
		if got := total(w) - requests - one; got != one {
			t.Errorf("an idle tick makes %d requests, later %d", one, got)
		}
	})
}

func total(w *world.World) (n int) {
	for _, count := range w.COS.Counts() {
		n += count
	}
	return n
}
