package plan_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/plan"
)

type figures struct {
	Messages    int64
	Calls       int64
	Minutes     float64
	GBSeconds   float64 `json:"gb_seconds"`
	Chunks      int64
	COSRequests int64 `json:"cos_requests"`
	Bytes       int64
	Links       int64
	FileBytes   int64 `json:"file_bytes"`
	LookCalls   int64 `json:"look_calls"`
	AtRisk      bool  `json:"at_risk"`
}

type result struct {
	Streams []struct {
		figures

		From, To int64
	}
	Total figures
}

func run(t *testing.T, env map[string]string, args ...string) (clitest.Result, result) {
	t.Helper()
	r := clitest.Run(t, plan.Command(clitest.Env(env)), append(args, "--json")...)
	var got result
	if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil {
		t.Fatalf("%v in %s%s", err, r.Stdout, r.Stderr)
	}
	return r, got
}

// messages are recent ones of plain text, one a second up to now.
func messages(n int) []chatemu.Message {
	list := make([]chatemu.Message, n)
	for i := range list {
		list[i] = chatemu.Message{
			From: "somebody", Time: time.Now().Add(time.Duration(i-n)*time.Second).Unix() - 300,
			Body: json.RawMessage(`[{"MsgType":"TIMTextElem","MsgContent":{"Text":"a message of the usual length, with ` + strings.Repeat("words ", i%9) + `"}}]`),
		}
	}
	return list
}

func group(t *testing.T, w *world.World, id string, n int) chat.Stream {
	t.Helper()
	s := w.Group(id, 0)
	if err := w.Chat.Append(s, messages(n)...); err != nil {
		t.Fatal(err)
	}
	return s
}

// near reports whether a figure is within a tenth, and three, of what really happened.
func near(got, want int64) bool {
	return got <= want+want/10+3 && got >= want-want/10-3
}

func TestPlan_IsWhatTheFunctionThenTakes(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "1000"}})
	s := group(t, w, "g", 5500)
	r, got := run(t, w.Env, "g", "--qps", "50", "--memory", "256")
	if r.Code != 0 {
		t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	w.COS.ResetCounts()
	calls := w.Chat.Counters().Calls
	w.Tick(s)
	calls = w.Chat.Counters().Calls - calls
	requests := 0
	for _, n := range w.COS.Counts() {
		requests += n
	}
	report := w.Verify(s)
	g := got.Streams[0]
	if g.Messages != 5500 || g.From != 1 || g.To != 5500 {
		t.Errorf("planned %d messages from %d to %d", g.Messages, g.From, g.To)
	}
	if !near(g.Calls, int64(calls)) {
		t.Errorf("planned %d calls, it took %d", g.Calls, calls)
	}
	if !near(g.COSRequests, int64(requests)) {
		t.Errorf("planned %d COS requests, it took %d", g.COSRequests, requests)
	}
	if !near(g.Chunks, int64(report.Totals.Chunks)) {
		t.Errorf("planned %d chunks, it took %d", g.Chunks, report.Totals.Chunks)
	}
	if g.Bytes < report.Totals.Bytes/4 || g.Bytes > 4*report.Totals.Bytes {
		t.Errorf("planned %d bytes, it took %d", g.Bytes, report.Totals.Bytes)
	}
	minutes := float64(g.Calls) / 50 / 60
	if g.Minutes < minutes*0.99 || g.Minutes > minutes*1.01 || g.GBSeconds < minutes*60*0.25*0.99 || g.GBSeconds > minutes*60*0.25*1.01 {
		t.Errorf("%d calls at 50 a second and 256 MB: %f minutes, %f GB-seconds", g.Calls, g.Minutes, g.GBSeconds)
	}
	// Afterwards nothing is pending.
	if r, got := run(t, w.Env, "g"); r.Code != 0 || got.Total.Messages != 0 || got.Total.Bytes != 0 {
		t.Errorf("afterwards: exit code %d: %s", r.Code, r.Stdout)
	}
}

func TestPlan_LeavesOutWhatHasExpired(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := group(t, w, "g", 5000)
	if err := w.Chat.SetFloor(s, 3211); err != nil {
		t.Fatal(err)
	}
	r, got := run(t, w.Env, "g")
	if g := got.Streams[0]; r.Code != 0 || g.From < 3191 || g.From > 3231 || g.Messages < 1769 || g.Messages > 1809 {
		t.Errorf("exit code %d, from %d: %s", r.Code, g.From, r.Stdout)
	}
}

func TestRisk_IsWhatMayExpire(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("old", 0)
	old := messages(50)
	for i := range old {
		old[i].Time -= int64(6*24*time.Hour/time.Second) + 12*3600
	}
	if err := w.Chat.Append(s, old...); err != nil {
		t.Fatal(err)
	}
	group(t, w, "new", 50)
	r, got := run(t, w.Env, "old", "new")
	if r.Code != 1 || !got.Streams[0].AtRisk || got.Streams[1].AtRisk || !got.Total.AtRisk {
		t.Errorf("exit code %d: %s", r.Code, r.Stdout)
	}
	w.Env["CHAT_RETENTION_DAYS"] = "30"
	if r, got := run(t, w.Env, "old", "new"); r.Code != 0 || got.Total.AtRisk {
		t.Errorf("thirty days: exit code %d: %s", r.Code, r.Stdout)
	}
}

func TestFiles_AreEstimatedFromPagesAndTheArchive(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Env: map[string]string{"EXPORT_MEDIA": "on"}})
	// What is archived of these has nine links, one of which waits, and is too old by far.
	archived := group(t, w, "archived", 30)
	clitest.Files(t, w.Store, archived)
	pending := w.Group("pending", 0)
	some := messages(1000)
	for i := range some {
		if i%2 == 0 {
			some[i].Body = json.RawMessage(`[{"MsgType":"TIMFileElem","MsgContent":{"Url":"https://x/f","FileSize":3000}}]`)
		}
	}
	if err := w.Chat.Append(pending, some...); err != nil {
		t.Fatal(err)
	}
	r, got := run(t, w.Env, "archived", "pending")
	if a := got.Streams[0]; r.Code != 1 || a.Messages != 0 || a.Links != 1 || a.FileBytes != 1 || !a.AtRisk {
		t.Errorf("archived: exit code %d: %+v", r.Code, a)
	}
	if p := got.Streams[1]; p.Links != 500 || p.FileBytes != 1_500_000 || p.COSRequests < 500 || p.AtRisk {
		t.Errorf("pending: %+v", p)
	}
	w.Env["EXPORT_MEDIA"] = "off"
	if r, got := run(t, w.Env, "archived", "pending"); r.Code != 0 || got.Total.Links != 0 || got.Total.FileBytes != 0 {
		t.Errorf("off: exit code %d: %s", r.Code, r.Stdout)
	}
}

func TestLooks_TakeAboutAsManyCallsAgain(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Env: map[string]string{"EXPORT_LOOK": "1ms"}})
	s := group(t, w, "g", 2000)
	r, got := run(t, w.Env, "g", "--qps", "50")
	calls := w.Chat.Counters().Calls
	for range 2 { // the second one looks at what was not due at once
		w.Tick(s)
	}
	calls = w.Chat.Counters().Calls - calls
	if want := got.Total.Calls + got.Total.LookCalls; got.Total.LookCalls < 100 || !near(want, int64(calls)) {
		t.Errorf("planned %d calls with looks, it took %d; exit code %d: %s", want, calls, r.Code, r.Stdout)
	}
	if _, got := run(t, w.Env, "g"); got.Total.LookCalls != 0 {
		t.Errorf("afterwards: %d calls", got.Total.LookCalls)
	}
	group(t, w, "new", 100)
	if r := clitest.Run(t, plan.Command(clitest.Env(w.Env)), "new"); !strings.Contains(r.Stdout, "looks, before messages expire: about 5 calls more") {
		t.Errorf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	w.Env["EXPORT_LOOK"] = "off"
	if r, got := run(t, w.Env, "new"); got.Total.LookCalls != 0 {
		t.Errorf("off: %s", r.Stdout)
	}
}
