package main_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"chatexport/internal/chat"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
)

const (
	community = "@TGS#_@TGS#c1"
	topicID   = "@TGS#_@TGS#c1@TOPIC#_@TOPIC#t1"
)

// cmq returns the event of a CMQ trigger with a message for each body.
func cmq(t *testing.T, bodies ...string) []byte {
	t.Helper()
	var records []any
	for i, body := range bodies {
		records = append(records, map[string]any{"CMQ": map[string]any{
			"type": "topic", "topicOwner": 1200000000, "topicName": "tasks", "subscriptionName": "tasks-default",
			"publishTime": "2026-11-21T11:49:00Z", "msgId": fmt.Sprint(i), "requestId": fmt.Sprint(i), "msgBody": body, "msgTag": "tag1,tag2",
		}})
	}
	return encode(t, map[string]any{"Records": records})
}

// ckafka returns the event of a CKafka trigger with a message for each body.
func ckafka(t *testing.T, bodies ...string) []byte {
	t.Helper()
	var records []any
	for i, body := range bodies {
		records = append(records, map[string]any{"Ckafka": map[string]any{
			"topic": "tasks", "partition": 1, "offset": 36 + i, "msgKey": "None", "msgBody": body,
		}})
	}
	return encode(t, map[string]any{"Records": records})
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEvents_AreExportedOverSeveralHops(t *testing.T) {
	t.Parallel()
	one, two := chat.Stream{GroupID: "@TGS#1"}, chat.Stream{GroupID: "two"}
	topic := chat.Stream{GroupID: community, TopicID: topicID}
	topicTask := fmt.Sprintf(`{"group_id":%q,"topic_id":%q}`, community, topicID)
	throughCMQ := map[string]string{"REQUEUE": "cmq", "CMQ_TOPIC": "chatexport"}
	for name, tc := range map[string]struct {
		event   func(t *testing.T, s *stage) []byte
		streams []chat.Stream
		env     map[string]string
		action  string
	}{
		"timer, topic": {
			event:   func(_ *testing.T, s *stage) []byte { return s.Timer(topic) },
			streams: []chat.Stream{topic}, action: "Invoke",
		},
		"timer, several groups": {
			event:   func(_ *testing.T, s *stage) []byte { return s.Timer(one, topic, two) },
			streams: []chat.Stream{one, topic, two}, action: "Invoke",
		},
		"timer through CMQ": {
			event:   func(_ *testing.T, s *stage) []byte { return s.Timer(one) },
			streams: []chat.Stream{one}, env: throughCMQ, action: "PublishCmqMsg",
		},
		"CMQ": {
			event:   func(t *testing.T, _ *stage) []byte { return cmq(t, `{"group_id":"@TGS#1"}`) },
			streams: []chat.Stream{one}, env: throughCMQ, action: "PublishCmqMsg",
		},
		"CMQ, several records": {
			event: func(t *testing.T, _ *stage) []byte {
				return cmq(t, "@TGS#1", topicTask, `{"groups":[{"group_id":"two"}]}`)
			},
			streams: []chat.Stream{one, topic, two}, env: throughCMQ, action: "PublishCmqMsg",
		},
		"CKafka": {
			event:   func(t *testing.T, _ *stage) []byte { return ckafka(t, `{"group_id":"@TGS#1"}`) },
			streams: []chat.Stream{one}, action: "Invoke",
		},
		"CKafka, several records": {
			event:   func(t *testing.T, _ *stage) []byte { return ckafka(t, "@TGS#1", topicTask, "@TGS#1", `"two"`) },
			streams: []chat.Stream{one, topic, two}, action: "Invoke",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, world.Options{Env: tc.env}, scfemu.Config{})
			const messages = 700
			for _, stream := range tc.streams {
				if stream.TopicID != "" {
					s.Topic(stream.GroupID, stream.TopicID, messages)
				} else {
					s.Group(stream.GroupID, messages)
				}
			}
			s.Push(tc.event(t, s))
			served := s.mustServe()
			for _, stream := range tc.streams {
				wantHops(t, served, stream, 3)
				s.wantComplete(stream, messages)
			}
			for _, c := range s.Cloud.Calls() {
				if c.Action != tc.action || (tc.action == "PublishCmqMsg" && c.Topic != "chatexport") {
					t.Errorf("handed on by %s to %s", c.Action, c.Topic)
				}
			}
		})
	}
}
