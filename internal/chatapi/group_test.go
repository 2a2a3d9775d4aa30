package chatapi_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

func TestGroupReadsWhatPinsAStream(t *testing.T) {
	t.Parallel()
	group := chat.Stream{GroupID: "@TGS#1NVTZEAE4"}
	topic := chat.Stream{GroupID: "@TGS#_a", TopicID: "@TGS#_a@TOPIC#_b"}
	tests := []struct {
		name   string
		stream chat.Stream
		body   string
		want   chat.Facts
		is     error
	}{
		{"group", group, `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"GroupInfo":[{"GroupId":"@TGS#1NVTZEAE4","ErrorCode":0,"ErrorInfo":"","CreateTime":1426976500,"LastMsgTime":1426976600,"NextMsgSeq":1234}]}`, chat.Facts{CreateTime: 1426976500, NextSeq: 1234, LastTime: 1426976600}, nil},
		{"numbers as text", group, `{"ActionStatus":"OK","ErrorCode":"0","GroupInfo":[{"GroupId":"@TGS#1NVTZEAE4","ErrorCode":"0","CreateTime":"1426976500","NextMsgSeq":"4294967296"}]}`, chat.Facts{CreateTime: 1426976500, NextSeq: 4294967296}, nil},
		{"nothing known", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"@TGS#1NVTZEAE4","CreateTime":null,"createtime":5,"nextmsgseq":7}]}`, chat.Facts{}, nil},
		{"group is gone", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"@TGS#1NVTZEAE4","ErrorCode":10010,"ErrorInfo":"gone"}]}`, chat.Facts{}, chat.ErrGone},
		{"group is gone, without its id", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"ErrorCode":10015}]}`, chat.Facts{}, chat.ErrGone},
		{"another group", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"@TGS#other","NextMsgSeq":3}]}`, chat.Facts{}, chat.ErrMalformed},
		{"no list", group, `{"ActionStatus":"OK","ErrorCode":0}`, chat.Facts{}, chat.ErrMalformed},
		{"list of something else", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":["@TGS#1NVTZEAE4"]}`, chat.Facts{}, chat.ErrMalformed},
		{"list of null", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[null]}`, chat.Facts{}, chat.ErrMalformed},
		{"seq beyond 32 bits", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"@TGS#1NVTZEAE4","NextMsgSeq":4294967297}]}`, chat.Facts{}, chat.ErrMalformed},
		{"negative seq", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"@TGS#1NVTZEAE4","NextMsgSeq":-1}]}`, chat.Facts{}, chat.ErrMalformed},
		{"time is no number", group, `{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"@TGS#1NVTZEAE4","CreateTime":{}}]}`, chat.Facts{}, chat.ErrMalformed},
		{"not JSON", group, `<html>`, chat.Facts{}, chat.ErrMalformed},
		{"null", group, `null`, chat.Facts{}, chat.ErrMalformed},
		{"call refused", group, failure(60010), chat.Facts{}, chatapi.ErrConfiguration},

		{"topic", topic, `{"ActionStatus":"OK","ErrorCode":0,"TopicAndSelfInfo":[{"ErrorCode":0,"SelfInfo":{"MsgSeq":1},"TopicInfo":{"TopicId":"@TGS#_a@TOPIC#_b","GroupID":"@TGS#_a","NextMsgSeq":8,"LastMsgTime":10,"CreateTime":9}}]}`, chat.Facts{CreateTime: 9, NextSeq: 8, LastTime: 10}, nil},
		{"topic is gone", topic, `{"ActionStatus":"OK","ErrorCode":0,"TopicAndSelfInfo":[{"ErrorCode":110003,"ErrorInfo":"","TopicInfo":{"TopicId":"@TGS#_a@TOPIC#_b"}}]}`, chat.Facts{}, chat.ErrGone},
		{"topic is gone, without its id", topic, `{"ActionStatus":"OK","ErrorCode":0,"TopicAndSelfInfo":[{"ErrorCode":10010}]}`, chat.Facts{}, chat.ErrGone},
		{"topics are not enabled", topic, failure(11000), chat.Facts{}, chat.ErrUnsupported},
		{"another topic", topic, `{"ActionStatus":"OK","ErrorCode":0,"TopicAndSelfInfo":[{"TopicInfo":{"TopicId":"@TGS#_a@TOPIC#_c","NextMsgSeq":8}}]}`, chat.Facts{}, chat.ErrMalformed},
		{"no topic", topic, `{"ActionStatus":"OK","ErrorCode":0}`, chat.Facts{}, chat.ErrMalformed},
		{"topic without an id", topic, `{"ActionStatus":"OK","ErrorCode":0,"TopicAndSelfInfo":[{"TopicInfo":{}}]}`, chat.Facts{}, chat.ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, answer(test.body))
			got, err := newClient(t, s.URL, nil).Group(t.Context(), test.stream)
			if got.CreateTime != test.want.CreateTime || got.NextSeq != test.want.NextSeq || got.LastTime != test.want.LastTime || !errors.Is(err, test.is) {
				t.Errorf("group %+v, want %+v; error %v, want %v", got, test.want, err, test.is)
			}
			if errors.Is(err, chat.ErrMalformed) && retry.ClassOf(err) != retry.Transient {
				t.Errorf("class %v: %v", retry.ClassOf(err), err)
			}
			checkClean(t, err, s.seen()[0].UserSig)
		})
	}
}

func TestGroupCallsAskForNoMoreThanTheyNeed(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(`{"ActionStatus":"OK","ErrorCode":0}`))
	client := newClient(t, s.URL, nil)
	_, _ = client.Group(t.Context(), chat.Stream{GroupID: "g"})
	_, _ = client.Group(t.Context(), chat.Stream{GroupID: "g", TopicID: "t"})
	_, _ = client.GroupInfos(t.Context(), []string{"g", "h"})
	_, _ = client.Topics(t.Context(), "g")
	_, _, _ = client.GroupIDs(t.Context(), 0, 10000, "")
	_, _, _ = client.GroupIDs(t.Context(), 18446744073709551615, 1, "Public")
	type call struct {
		Path string
		Body map[string]any
	}
	var got []call
	for _, r := range s.seen() {
		got = append(got, call{r.Path, r.Body})
	}
	want := []call{
		{"/v4/group_open_http_svc/get_group_info", map[string]any{
			"GroupIdList":    []any{"g"},
			"ResponseFilter": map[string]any{"GroupBaseInfoFilter": []any{"CreateTime", "NextMsgSeq", "LastMsgTime"}},
		}},
		{"/v4/million_group_open_http_svc/get_topic", map[string]any{"GroupId": "g", "From_Account": admin, "TopicIdList": []any{"t"}}},
		{"/v4/group_open_http_svc/get_group_info", map[string]any{
			"GroupIdList": []any{"g", "h"},
			"ResponseFilter": map[string]any{"GroupBaseInfoFilter": []any{
				"Type", "Name", "Owner_Account", "CreateTime", "LastMsgTime", "NextMsgSeq", "MemberNum", "SupportTopic",
			}},
		}},
		{"/v4/million_group_open_http_svc/get_topic", map[string]any{"GroupId": "g", "From_Account": admin}},
		{"/v4/group_open_http_svc/get_appid_group_list", map[string]any{"Limit": 10000.0, "Next": 0.0}},
		{"/v4/group_open_http_svc/get_appid_group_list", map[string]any{"Limit": 1.0, "Next": 18446744073709551615.0, "GroupType": "Public"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestGroupInfosJudgesEveryGroupByItself(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(`{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[
		{"GroupId":"c","ErrorCode":0,"Type":"Community","Name":"n","Owner_Account":"o","CreateTime":1,"LastMsgTime":2,"NextMsgSeq":3,"MemberNum":4,"SupportTopic":1},
		{"GroupId":"b","ErrorCode":10010,"ErrorInfo":"dissolved"},
		{"GroupId":"a","ErrorCode":0,"Type":"Public","NextMsgSeq":1,"SupportTopic":0}]}`))
	got, err := newClient(t, s.URL, nil).GroupInfos(t.Context(), []string{"a", "b", "c", "d"})
	if err != nil {
		t.Fatalf("group infos: %v", err)
	}
	want := []chat.Facts{
		{Stream: chat.Stream{GroupID: "a"}, Type: "Public", NextSeq: 1, NoTopics: true},
		{Stream: chat.Stream{GroupID: "b"}, Err: chat.ErrGone},
		{Stream: chat.Stream{GroupID: "c"}, Type: "Community", Name: "n", Owner: "o", CreateTime: 1, LastTime: 2, NextSeq: 3, Members: 4},
		{Stream: chat.Stream{GroupID: "d"}, Err: chat.ErrMalformed},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("infos (-want +got):\n%s", diff)
	}
}

func TestTopicsJudgesEveryTopicByItself(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(`{"ActionStatus":"OK","ErrorCode":0,"TopicAndSelfInfo":[
		{"ErrorCode":0,"TopicInfo":{"TopicId":"t1","GroupID":"g","TopicName":"n","NextMsgSeq":3,"LastMsgTime":2,"CreateTime":1}},
		{"ErrorCode":110003,"ErrorInfo":"deleted","TopicInfo":{"TopicId":"t2"}},
		{"TopicInfo":{"TopicId":"t3","NextMsgSeq":1,"LastMsgTime":0}}]}`))
	got, err := newClient(t, s.URL, nil).Topics(t.Context(), "g")
	if err != nil {
		t.Fatalf("topics: %v", err)
	}
	want := []chat.Facts{
		{Stream: chat.Stream{GroupID: "g", TopicID: "t1"}, Name: "n", CreateTime: 1, LastTime: 2, NextSeq: 3},
		{Stream: chat.Stream{GroupID: "g", TopicID: "t2"}, Err: chat.ErrGone},
		{Stream: chat.Stream{GroupID: "g", TopicID: "t3"}, NextSeq: 1},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
}

func TestGroupIDsFollowsNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		next uint64
		body string
		ids  []string
		then uint64
		is   error
	}{
		{"first", 0, `{"ActionStatus":"OK","ErrorCode":0,"TotalCount":2,"GroupIdList":[{"GroupId":"a"},{"GroupId":"b"}],"Next":18446744073709551615}`, []string{"a", "b"}, 18446744073709551615, nil},
		{"last", 5, `{"ActionStatus":"OK","ErrorCode":0,"GroupIdList":[{"GroupId":"c"}],"Next":0}`, []string{"c"}, 0, nil},
		{"Next is missing", 5, `{"ActionStatus":"OK","ErrorCode":0,"GroupIdList":[]}`, []string{}, 0, nil},
		{"Next as text", 0, `{"ActionStatus":"OK","ErrorCode":0,"GroupIdList":null,"Next":"4454685361"}`, []string{}, 4454685361, nil},
		{"Next stands still", 5, `{"ActionStatus":"OK","ErrorCode":0,"GroupIdList":[],"Next":5}`, nil, 0, chat.ErrMalformed},
		{"Next is negative", 5, `{"ActionStatus":"OK","ErrorCode":0,"GroupIdList":[],"Next":-1}`, nil, 0, chat.ErrMalformed},
		{"an item without id", 0, `{"ActionStatus":"OK","ErrorCode":0,"GroupIdList":[{}],"Next":0}`, nil, 0, chat.ErrMalformed},
		{"the list is no list", 0, `{"ActionStatus":"OK","ErrorCode":0,"GroupIdList":{}}`, nil, 0, chat.ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, answer(test.body))
			ids, then, err := newClient(t, s.URL, nil).GroupIDs(t.Context(), test.next, 100, "Public")
			if diff := cmp.Diff(test.ids, ids); diff != "" || then != test.then || !errors.Is(err, test.is) {
				t.Errorf("ids (-want +got):\n%snext %d, want %d; error %v, want %v", diff, then, test.then, err, test.is)
			}
		})
	}
}
