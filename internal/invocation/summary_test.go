package invocation_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// The answer has what an operator asks for first, and one line a stream has the rest.
func TestSummary_AndLogLineOfABatch(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 2 * time.Second, Chat: chatemu.Options{Latency: 200 * time.Millisecond}, Env: map[string]string{"CHAT_CONCURRENCY": "1"}})
		topic := s.Topic("@TGS#_@TGS#c1", "@TGS#_@TGS#c1@TOPIC#_@TOPIC#t1", 200)
		out, err := s.only("request", s.Timer(topic))
		must(t, err)
		var answer struct {
			RequestID string `json:"request_id"`
			Event     string
			Served    int
			Streams   []map[string]any
		}
		must(t, json.Unmarshal([]byte(out), &answer))
		if answer.RequestID != "request" || answer.Event != "timer" || answer.Served != 1 || len(answer.Streams) != 1 {
			t.Fatalf("answer %s", out)
		}
		stream, line := answer.Streams[0], s.Logs.Batches()[0]
		hi, _ := stream["hi"].(float64)
		want := map[string]any{
			"group_id": topic.GroupID, "topic_id": topic.TopicID, "outcome": "continued", "done": false, "run": line["run"], "hop": 0.0,
			"lo": 1.0, "hi": hi, "head": 200.0, "messages": hi, "chunks": 1.0, "next_cursor": hi + 1,
		}
		if diff := cmp.Diff(want, stream); diff != "" || hi < 20 {
			t.Errorf("answer's stream (-want +got):\n%s", diff)
		}
		counters := s.Chat.Counters()
		fixed := map[string]any{
			"level": "info", "message": "batch", "request_id": "request", "group_id": topic.GroupID, "topic_id": topic.TopicID,
			"hop": 0.0, "lo": 1.0, "hi": hi, "head": 200.0, "messages": hi, "calls": float64(counters.Calls),
			"retries": 0.0, "throttled": 0.0, "chunks": 1.0, "outcome": "continued",
		}
		for name, value := range fixed {
			if diff := cmp.Diff(value, line[name]); diff != "" {
				t.Errorf("the log line's %s (-want +got):\n%s", name, diff)
			}
		}
		if pages, asked := line["pages"].(float64), float64(counters.Commands["group_msg_get_simple"]); pages < hi/20 || pages > asked {
			t.Errorf("the log line tells of %v pages; %v were asked for, and %v messages archived", pages, asked, hi)
		}
		for _, name := range []string{"bytes", "elapsed_ms", "run", "time"} {
			if line[name] == nil || line[name] == 0.0 || line[name] == "" {
				t.Errorf("the log line's %s is %v", name, line[name])
			}
		}
		if n := len(s.Logs.Batches()); n != 1 {
			t.Errorf("%d lines for one batch", n)
		}
	})
}

// However many streams an event names, the answer stays short.
func TestSummary_StaysShort(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		var streams []chat.Stream
		for n := range 100 {
			streams = append(streams, s.Group(fmt.Sprintf("group-%03d", n), 1))
		}
		out, err := s.only("request", s.Timer(streams...))
		if err != nil || len(out) > 8<<10 || !strings.Contains(out, `"served":100`) {
			t.Errorf("%d bytes, error %v: %.300s", len(out), err, out)
		}
		if n := len(s.Logs.Batches()); n != 100 {
			t.Errorf("%d log lines for 100 streams", n)
		}
	})
}
