package invocation_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/sweep"
)

func TestSweep_BelowTheQuotaIsHardlyThrottled(t *testing.T) {
	if testing.Short() {
		t.Skip("many streams: the whole run has it")
	}
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{
			Chat: chatemu.Options{Latency: 30 * time.Millisecond, QPS: 100, QPSStrict: true}, TimeLimit: 10 * time.Second,
			Env: map[string]string{"CHAT_QPS": "90"},
		})
		s.workers = 3
		app(t, s.World, 150, 1, 0, func(n int) int { return 1 + (n*37)%900 })
		s.sweepOnce(`{}`, 1)
		n := s.Chat.Counters()
		if share := float64(n.Throttled) / float64(n.Calls); share > 0.01 {
			t.Errorf("%d of %d calls were throttled", n.Throttled, n.Calls)
		}
		r := reports(t, s.World)[0]
		rate := float64(r.Tally.Calls) / r.FinishedAt.Sub(r.PlannedAt).Seconds()
		if r.Tally.Outcomes["complete"] != 150 {
			t.Errorf("report: %+v", r)
		}
		t.Logf("%d calls, %d throttled, %.0f calls a second", n.Calls, n.Throttled, rate)
	})
}

func TestSweep_AHugeGroupDoesNotStopTheSmallOnesBehindIt(t *testing.T) {
	if testing.Short() {
		t.Skip("many streams: the whole run has it")
	}
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{
			Chat: chatemu.Options{Latency: 30 * time.Millisecond}, TimeLimit: 10 * time.Second,
			Env: map[string]string{"CHAT_QPS": "50"},
		})
		var huge []chat.Stream
		for n := range 4 {
			huge = append(huge, addMade(t, s, fmt.Sprintf("@TGS#huge%d", n), 20_000))
		}
		for n := range 200 {
			addMade(t, s, fmt.Sprintf("@TGS#small%d", n), 1+n%40)
		}
		s.sweepOnce(`{}`, 1)
		var order []string
		for _, b := range s.Logs.Batches() {
			if b["outcome"] == "complete" {
				order = append(order, b["group_id"].(string))
			}
		}
		if len(order) != 204 {
			t.Fatalf("%d streams are complete", len(order))
		}
		for n, id := range order[200:] {
			if !strings.HasPrefix(id, "@TGS#huge") {
				t.Errorf("complete as number %d: %s", 200+n, id)
			}
		}
		for _, stream := range huge {
			if err := s.sound(stream); err != nil {
				t.Error(err)
			}
		}
	})
}

func addMade(t testing.TB, s *site, id string, n int) chat.Stream {
	t.Helper()
	must(t, s.Chat.AddGroup(chatemu.Group{ID: id}))
	must(t, s.Chat.Generate(chat.Stream{GroupID: id}, n, plain))
	return chat.Stream{GroupID: id}
}

// A sweep that waits begins once the lane has worked for an hour, and takes up what that leaves, though half a run is done.
func TestSweep_ALongBackfillMakesPlace(t *testing.T) {
	if testing.Short() {
		t.Skip("many streams: the whole run has it")
	}
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 15 * time.Minute, Env: map[string]string{"CHAT_QPS": "1"}})
		big := addMade(t, s, "@TGS#big", 100_000)
		active := app(t, s.World, 20, 1, 0, func(int) int { return 4 })
		s.Push(sweepTask(t, `{"include":["@TGS#big"]}`, 1))
		s.serveNext()
		s.Push(sweepTask(t, `{}`, 2))
		s.drain()
		all := reports(t, s.World)
		if len(all) != 2 || all[0].Unreached != 1 || !all[0].FinishedAt.IsZero() || all[1].Tally.Outcomes["complete"] != 21 {
			t.Errorf("reports: %+v", all)
		}
		for _, stream := range append(active, big) {
			if err := s.sound(stream); err != nil {
				t.Error(err)
			}
		}
		logs := s.Logs.String()
		if !strings.Contains(logs, `"outcome":"gave_way"`) || strings.Contains(logs, "already_running") || strings.Contains(logs, "was lost") {
			t.Error("the first lane did not make place, or the second one was stopped by what it left")
		}
	})
}

// What happens to groups between the sweep that sees them and the lane that comes to them.
func TestSweep_GroupsMayChangeMeanwhile(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 20, 1, 1, func(int) int { return 40 })
		s.sweepOnce(`{}`, 1)
		for _, stream := range active {
			must(t, s.Chat.Append(stream, old(5)...))
		}
		var once sync.Once
		community := active[20].GroupID
		topic := chat.Stream{GroupID: community, TopicID: community + "@TOPIC#_@TOPIC#new"}
		s.Chat.SetOnCall(func(c chatemu.Call) {
			if c.Command != "group_msg_get_simple" {
				return
			}
			once.Do(func() {
				must(t, s.Chat.Dissolve(active[3].GroupID))
				must(t, s.Chat.Recreate(chatemu.Group{ID: active[4].GroupID, CreateTime: 1_700_000_000}))
				must(t, s.Chat.Generate(active[4], 10, plain))
				must(t, s.Chat.AddGroup(chatemu.Group{ID: "@TGS#created"}))
				must(t, s.Chat.Generate(chat.Stream{GroupID: "@TGS#created"}, 30, plain))
				must(t, s.Chat.AddTopic(chatemu.Topic{GroupID: topic.GroupID, ID: topic.TopicID}))
				must(t, s.Chat.Generate(topic, 30, plain))
			})
		})
		s.sweepOnce(`{}`, 2)
		s.sweepOnce(`{}`, 3)
		for n, stream := range active {
			if n != 3 && n != 4 {
				s.Verify(stream)
			}
		}
		s.Verify(chat.Stream{GroupID: "@TGS#created"})
		s.Verify(topic)
		named := map[string]string{}
		for _, r := range reports(t, s.World) {
			for _, f := range r.Failures.First {
				named[f.GroupID] = f.Outcome
			}
		}
		if named[active[3].GroupID] != "gone" || named[active[4].GroupID] != "recreated" || len(named) != 2 {
			t.Errorf("failures: %v", named)
		}
		// Standing outcomes are tried at a falling rate.
		pages, tried := s.pages(), 0
		for n := range 24 {
			s.sweepOnce(`{}`, 4+n)
			if now := s.pages(); now != pages {
				tried++
				pages = now
			}
		}
		if tried > 8 {
			t.Errorf("standing outcomes were tried in %d of 24 hours", tried)
		}
	})
}

func TestSweep_StreamsMayWaitForMoreMessages(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 10, 1, 0, func(int) int { return 10 })
		s.sweepOnce(`{}`, 1)
		must(t, s.Chat.Append(active[1], young(3)...))
		must(t, s.Chat.Append(active[2], young(30)...))
		due := func(tick int) sweep.Streams {
			s.sweepOnce(`{"min_new":20,"max_age":"5h"}`, tick)
			all := reports(t, s.World)
			return all[len(all)-1].Streams
		}
		if got := due(2); got.Due != 1 || got.Waiting != 1 || got.Idle != 8 {
			t.Errorf("after an hour: %+v", got)
		}
		s.Verify(active[2])
		for tick := 3; tick <= 5; tick++ {
			if got := due(tick); got.Due != 0 || got.Waiting != 1 {
				t.Errorf("tick %d: %+v", tick, got)
			}
		}
		if got := due(6); got.Due != 1 || got.Waiting != 0 {
			t.Errorf("after five hours: %+v", got)
		}
		s.Verify(active[1])
	})
}

// young are messages of the last hour.
func young(n int) []chatemu.Message {
	messages := make([]chatemu.Message, n)
	for i := range messages {
		messages[i] = chatemu.Message{From: "now", Time: time.Now().Add(-10*time.Minute).Unix() + int64(i)}
	}
	return messages
}
