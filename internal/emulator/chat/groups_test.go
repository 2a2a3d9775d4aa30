package chatemu_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

const (
	infoPath  = "/v4/group_open_http_svc/get_group_info"
	listPath  = "/v4/group_open_http_svc/get_appid_group_list"
	topicPath = "/v4/million_group_open_http_svc/get_topic"
)

func TestGroupInfo_JudgesEachGroup(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	plain(t, s, 3)
	must(t, s.AddGroup(chatemu.Group{ID: "new", Type: "Work", Name: "<n>", CreateTime: 7, MemberNum: 2}))
	must(t, s.AddGroup(chatemu.Group{ID: "gone"}))
	must(t, s.Dissolve("gone"))
	a := c.call(infoPath, `{"GroupIdList":["g","new","gone","never","bad\u0007"],"ResponseFilter":{"GroupBaseInfoFilter":["Type","Name","CreateTime","LastMsgTime","NextMsgSeq","MemberNum"]}}`)
	want := `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"GroupInfo":[` +
		`{"GroupId":"g","ErrorCode":0,"ErrorInfo":"","Type":"Public","Name":"","CreateTime":1426976500,"LastMsgTime":1426976503,"NextMsgSeq":4,"MemberNum":0},` +
		`{"GroupId":"new","ErrorCode":0,"ErrorInfo":"","Type":"Work","Name":"<n>","CreateTime":7,"LastMsgTime":0,"NextMsgSeq":1,"MemberNum":2},` +
		`{"GroupId":"gone","ErrorCode":10010,"ErrorInfo":"group not exist or has been dismissed"},` +
		`{"GroupId":"never","ErrorCode":10010,"ErrorInfo":"group not exist or has been dismissed"},` +
		`{"GroupId":"bad\u0007","ErrorCode":10015,"ErrorInfo":"group id is invalid"}]}`
	if diff := cmp.Diff(want, string(a.Raw)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestGroupInfo_Limits(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	must(t, s.AddGroup(chatemu.Group{ID: "g", MemberNum: 3}))
	must(t, s.AddGroup(chatemu.Group{ID: "huge", MemberNum: 20000}))
	ids := func(n int) string { return `{"GroupIdList":["` + strings.Repeat(`g","`, n-1) + `g"]}` }
	tests := []struct {
		name, body string
		code       int
	}{
		{"50 ids", ids(50), 0},
		{"51 ids", ids(51), 10004},
		{"no ids", `{"GroupIdList":[]}`, 10004},
		{"missing", `{}`, 10004},
		{"all members of a huge group", `{"GroupIdList":["huge"]}`, 10018},
		{"filtered", `{"GroupIdList":["huge"],"ResponseFilter":{"GroupBaseInfoFilter":["Type"]}}`, 0},
		{"filter is no object", `{"GroupIdList":["g"],"ResponseFilter":["Type"]}`, 10004},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if a := c.call(infoPath, tt.body); a.ErrorCode != tt.code {
				t.Errorf("code %d, want %d", a.ErrorCode, tt.code)
			}
		})
	}
	if a := c.call(infoPath, ids(1)); strings.Count(string(a.Raw), "Member_Account") != 3 {
		t.Errorf("no members without a filter: %s", a.Raw)
	}
}

func TestGroupList_IsPagedByAnOpaqueCursor(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.ListQPS = -1
	s, c := start(t, opts)
	types := []string{"Public", "Work", "Private", "Meeting", "Community", "AVChatRoom", "ChatRoom"}
	for i, kind := range types {
		must(t, s.AddGroup(chatemu.Group{ID: fmt.Sprint("g", i), Type: kind}))
	}
	must(t, s.AddGroup(chatemu.Group{ID: "gone"}))
	must(t, s.Dissolve("gone"))
	type list struct {
		ErrorCode, TotalCount int
		Groups                []struct {
			ID string `json:"GroupId"`
		} `json:"GroupIdList"`
		Next *json.Number
	}
	ask := func(body string) list {
		var l list
		must(t, json.Unmarshal(c.call(listPath, body).Raw, &l))
		return l
	}
	var ids []string
	next := "0"
	for range 10 {
		l := ask(`{"Limit":3,"Next":` + next + `}`)
		if l.TotalCount != 7 {
			t.Errorf("TotalCount = %d, want 7", l.TotalCount)
		}
		for _, g := range l.Groups {
			ids = append(ids, g.ID)
		}
		if next = l.Next.String(); next == "0" {
			break
		}
		if n, err := strconv.ParseUint(next, 10, 64); err != nil || n <= 1<<53 {
			t.Errorf("Next = %s is not opaque", next)
		}
	}
	if diff := cmp.Diff([]string{"g0", "g1", "g2", "g3", "g4", "g5", "g6"}, ids); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if l := ask(`{"GroupType":"Private"}`); len(l.Groups) != 2 || l.TotalCount != 2 || l.Next.String() != "0" {
		t.Errorf("private groups: %+v", l)
	}
	for _, body := range []string{`{"Limit":10001}`, `{"Limit":0}`, `{"Next":5}`, `{"Next":"0"}`, `{"GroupType":"Work"}`} {
		if l := ask(body); l.ErrorCode != 10004 {
			t.Errorf("%s: code %d, want 10004", body, l.ErrorCode)
		}
	}
	s.SetQuirks(chatemu.Quirks{ListEnd: chatemu.ListEndOmitted})
	if l := ask(`{}`); l.Next != nil || len(l.Groups) != 7 {
		t.Errorf("Next is on the last page: %+v", l)
	}
}

func TestTopics_HaveTheirOwnSeqs(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	must(t, s.AddGroup(chatemu.Group{ID: "@TGS#_c", Type: "Community"}))
	must(t, s.AddGroup(chatemu.Group{ID: "plain"}))
	one, two := chat.Stream{GroupID: "@TGS#_c", TopicID: "@TGS#_c@TOPIC#_1"}, chat.Stream{GroupID: "@TGS#_c", TopicID: "@TGS#_c@TOPIC#_2"}
	must(t, s.AddTopic(chatemu.Topic{GroupID: one.GroupID, ID: one.TopicID, Name: "first", CreateTime: 9}))
	must(t, s.AddTopic(chatemu.Topic{GroupID: two.GroupID, ID: two.TopicID}))
	must(t, s.Append(two, chatemu.Message{Time: 50}, chatemu.Message{Time: 60}))
	a := c.call(topicPath, `{"GroupId":"@TGS#_c","From_Account":"administrator"}`)
	var got struct {
		TopicAndSelfInfo []struct {
			ErrorCode int
			TopicInfo struct {
				TopicID                             string `json:"TopicId"`
				GroupID, TopicName                  string
				NextMsgSeq, LastMsgTime, CreateTime int64
			}
		}
	}
	must(t, json.Unmarshal(a.Raw, &got))
	if len(got.TopicAndSelfInfo) != 2 {
		t.Fatalf("answer %s", a.Raw)
	}
	if info := got.TopicAndSelfInfo[0].TopicInfo; info.TopicID != one.TopicID || info.GroupID != "@TGS#_c" || info.TopicName != "first" ||
		info.NextMsgSeq != 1 || info.LastMsgTime != 0 || info.CreateTime != 9 {
		t.Errorf("first topic %+v", info)
	}
	if info := got.TopicAndSelfInfo[1].TopicInfo; info.NextMsgSeq != 3 || info.LastMsgTime != 60 {
		t.Errorf("second topic %+v", info)
	}
	page := func(id chat.Stream) answer {
		return c.call(pagePath, `{"GroupId":"`+id.GroupID+`","TopicId":"`+id.TopicID+`","ReqMsgNumber":20}`)
	}
	if diff := cmp.Diff(down(2, 1), page(two).seqs()); diff != "" {
		t.Errorf("page of a topic (-want +got):\n%s", diff)
	}
	must(t, s.DeleteTopic(two))
	if a := page(two); a.ErrorCode != 10010 {
		t.Errorf("page of a deleted topic: %s", a.Raw)
	}
	for body, code := range map[string]int{
		`{"GroupId":"@TGS#_c"}`:                     10004,
		`{"GroupId":"none","From_Account":"a"}`:     10010,
		`{"GroupId":"plain","From_Account":"a"}`:    11000,
		`{"GroupId":"@TGS#_c","From_Account":1}`:    10004,
		`{"GroupId":"a\u0000","From_Account":"a"}`:  10015,
		`{"GroupId":"@TGS#_c","From_Account":"a"} `: 0,
	} {
		if a := c.call(topicPath, body); a.ErrorCode != code {
			t.Errorf("%s: %s, want code %d", body, a.Raw, code)
		}
	}
	a = c.call(topicPath, `{"GroupId":"@TGS#_c","From_Account":"a","TopicIdList":["`+two.TopicID+`"]}`)
	must(t, json.Unmarshal(a.Raw, &got))
	if got.TopicAndSelfInfo[0].ErrorCode != 110003 {
		t.Errorf("deleted topic: %s, want 110003", a.Raw)
	}
}

func TestChanges_OfWhatDoesNotExistAreErrors(t *testing.T) {
	t.Parallel()
	s := chatemu.New(options())
	plain(t, s, 2)
	none := chat.Stream{GroupID: "none"}
	for name, tt := range map[string]struct{ got, want error }{
		"append to nothing":  {s.Append(none, chatemu.Message{}), chatemu.ErrNoGroup},
		"add twice":          {s.AddGroup(chatemu.Group{ID: "g"}), chatemu.ErrExists},
		"add a bad id":       {s.AddGroup(chatemu.Group{ID: "ä"}), chat.ErrInvalidStream},
		"topic of nothing":   {s.AddTopic(chatemu.Topic{GroupID: "none", ID: "t"}), chatemu.ErrNoGroup},
		"unknown topic":      {s.DeleteTopic(chat.Stream{GroupID: "g", TopicID: "t"}), chatemu.ErrNoGroup},
		"dissolve nothing":   {s.Dissolve("none"), chatemu.ErrNoGroup},
		"recreate nothing":   {s.Recreate(chatemu.Group{ID: "none"}), chatemu.ErrNoGroup},
		"recall the future":  {s.Recall(stream(), 3), chatemu.ErrRange},
		"delete seq 0":       {s.Delete(stream(), 0), chatemu.ErrRange},
		"modify the future":  {s.Modify(stream(), 3, nil), chatemu.ErrRange},
		"floor too high":     {s.SetFloor(stream(), 4), chatemu.ErrRange},
		"generate nothing":   {s.Generate(stream(), 0, chatemu.Varied), chatemu.ErrRange},
		"generate too many":  {s.Generate(stream(), 1<<32, chatemu.Varied), chatemu.ErrRange},
		"floor at the end":   {s.SetFloor(stream(), 3), nil},
		"quirk of no name":   {new(chatemu.Quirks).Set("nothing", "on"), chatemu.ErrQuirk},
		"quirk of no value":  {new(chatemu.Quirks).Set("expired", "perhaps"), chatemu.ErrQuirk},
		"quirk of its value": {new(chatemu.Quirks).Set("expired", "omitted"), nil},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	if _, _, err := s.Truth(none); !errors.Is(err, chatemu.ErrNoGroup) {
		t.Errorf("truth of nothing: %v", err)
	}
}
