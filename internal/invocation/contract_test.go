package invocation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/invocation"
)

func TestAllProblemsOfTheConfigurationAreReportedTogether(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		stream := s.Group("@TGS#1", 30)
		right := maps.Clone(s.Env)
		wrong := map[string]string{
			"CHAT_SDKAPPID": "app", "CHAT_SECRET_KEY": "", "CHAT_ADMIN": "two words", "CHAT_REGION": "atlantis", "CHAT_ENDPOINT": "http://example.com",
			"CHAT_QPS": "0", "CHAT_CONCURRENCY": "1e3", "COS_BUCKET": "no-appid", "COS_REGION": "${env:REGION}", "COS_PREFIX": "../x",
			"COS_ENDPOINT": "ftp://127.0.0.1", "REQUEUE": "kafka", "CMQ_TOPIC": "9", "CLOUD_ENDPOINT": "http://8.8.8.8", "EXPORT_SPAN": "-1",
			"EXPORT_CHUNK_BYTES": "16 MB", "EXPORT_VOID": "maybe", "EXPORT_MAX_HOPS": "many", "CHAT_RETENTION_DAYS": "week", "LOG_LEVEL": "loud",
		}
		maps.Copy(s.Env, wrong)
		h := s.Instance() // one instance: it must serve as soon as an operator has mended the variables
		call := func() (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out, err := h.Invoke(ctx, invocation.Platform{RequestID: "request", Function: world.Function}, s.Timer(stream))
			return string(out), err
		}
		_, err := call()
		if err == nil {
			t.Fatal("served with a configuration that cannot work")
		}
		for name, value := range wrong {
			if !strings.Contains(err.Error(), name+": ") || !strings.Contains(s.Logs.String(), name+": ") {
				t.Errorf("the error, or its log line, does not name %s: %v", name, err)
			}
			if len(value) > 3 && strings.Contains(err.Error(), value) {
				t.Errorf("the error quotes the value of %s", name)
			}
		}
		if n := s.Chat.Counters().Calls + len(s.COS.Counts()) + len(s.Cloud.Calls()); n != 0 {
			t.Errorf("%d calls were made", n)
		}
		maps.Copy(s.Env, right)
		for name := range wrong {
			if _, ok := right[name]; !ok {
				delete(s.Env, name)
			}
		}
		if out, err := call(); err != nil {
			t.Fatal(out, err)
		}
		if err := s.sound(stream); err != nil {
			t.Error(err)
		}
	})
}

// The answer has what an operator asks for first, and one line a stream has the rest.
func TestTheAnswerAndTheLogLineOfABatch(t *testing.T) {
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
func TestTheAnswerStaysShort(t *testing.T) {
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
