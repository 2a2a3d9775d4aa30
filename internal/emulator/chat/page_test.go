package chatemu_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

func TestPage_IsAWindowOfSeqsNewestFirst(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	plain(t, s, 45)
	tests := []struct {
		name     string
		seq      chat.Seq // -1: left out
		number   int
		want     []chat.Seq
		finished int
	}{
		{"newest without ReqMsgSeq", -1, 20, down(45, 26), 1},
		{"zero is newest", 0, 3, down(45, 43), 1},
		{"in the middle", 30, 20, down(30, 11), 1},
		{"reaches seq 1", 5, 20, down(5, 1), 1},
		{"one", 1, 1, down(1, 1), 1},
		{"above the newest is clamped", 4294967295, 2, down(45, 44), 1},
		{"more than 20", 40, 21, down(40, 21), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := c.page(tt.seq, tt.number)
			if a.ErrorCode != 0 || a.ActionStatus != "OK" {
				t.Fatalf("answer %s", a.Raw)
			}
			if diff := cmp.Diff(tt.want, a.seqs()); diff != "" {
				t.Errorf("seqs (-want +got):\n%s", diff)
			}
			if got := a.finished(); got != tt.finished {
				t.Errorf("IsFinished = %d, want %d", got, tt.finished)
			}
		})
	}
}

func TestPage_WrongParametersAreRefused(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	plain(t, s, 3)
	must(t, s.AddGroup(chatemu.Group{ID: "gone"}))
	must(t, s.Dissolve("gone"))
	must(t, s.AddGroup(chatemu.Group{ID: "live", Type: "AVChatRoom"}))
	tests := []struct {
		name, body string
		code       int
	}{
		{"no group", `{"ReqMsgNumber":20}`, 10004},
		{"group is a number", `{"GroupId":1,"ReqMsgNumber":20}`, 10004},
		{"name of another case", `{"groupid":"g","ReqMsgNumber":20}`, 10004},
		{"malformed group", `{"GroupId":"a\u0001b","ReqMsgNumber":20}`, 10015},
		{"unknown group", `{"GroupId":"h","ReqMsgNumber":20}`, 10010},
		{"dissolved group", `{"GroupId":"gone","ReqMsgNumber":20}`, 10010},
		{"unknown topic", `{"GroupId":"g","TopicId":"t","ReqMsgNumber":20}`, 10010},
		{"no history", `{"GroupId":"live","ReqMsgNumber":20}`, 10004},
		{"no number", `{"GroupId":"g"}`, 10004},
		{"number 0", `{"GroupId":"g","ReqMsgNumber":0}`, 10004},
		{"number negative", `{"GroupId":"g","ReqMsgNumber":-1}`, 10004},
		{"number as text", `{"GroupId":"g","ReqMsgNumber":"20"}`, 10004},
		{"number broken", `{"GroupId":"g","ReqMsgNumber":2.5}`, 10004},
		{"seq negative", `{"GroupId":"g","ReqMsgNumber":20,"ReqMsgSeq":-1}`, 10004},
		{"seq above uint32", `{"GroupId":"g","ReqMsgNumber":20,"ReqMsgSeq":4294967296}`, 10004},
		{"seq as text", `{"GroupId":"g","ReqMsgNumber":20,"ReqMsgSeq":"2"}`, 10004},
		{"extra member", `{"GroupId":"g","ReqMsgNumber":20,"Other":{}}`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if a := c.call(pagePath, tt.body); a.ErrorCode != tt.code || a.Status != 200 {
				t.Errorf("answer %d %s, want code %d", a.Status, a.Raw, tt.code)
			}
		})
	}
}

func TestElement_KindsHaveTheirShapes(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	must(t, s.AddGroup(chatemu.Group{ID: "g", CreateTime: 100}))
	body := json.RawMessage(`[{"MsgType":"TIMTextElem","MsgContent":{"Text":"a<b"}}]`)
	must(t, s.Append(stream(),
		chatemu.Message{Body: body},
		chatemu.Message{Kind: chatemu.KindSystem, Time: 200, Body: json.RawMessage(`{"OpType":1}`), Random: 9},
		chatemu.Message{From: "u", Time: 300, Body: body, Random: 4294967295, Priority: 1, CloudCustomData: "c", Extra: json.RawMessage(`{"MsgVersion": 0}`)},
		chatemu.Message{From: "u", Time: 400, Body: body, Random: 8},
		chatemu.Message{Kind: chatemu.KindStoreFail},
		chatemu.Message{Kind: chatemu.KindRecalled, From: "u", Time: 600, Body: body, Random: 7},
	))
	must(t, s.SetFloor(stream(), 2))
	must(t, s.Delete(stream(), 4))
	want := []string{
		`{"From_Account":"u","IsPlaceMsg":2,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"a<b"}}],"MsgPriority":2,"MsgRandom":7,"MsgSeq":6,"MsgTimeStamp":600}`,
		`{"From_Account":"","IsPlaceMsg":1,"MsgBody":[],"MsgPriority":2,"MsgRandom":0,"MsgSeq":5,"MsgTimeStamp":0}`,
		`{"From_Account":"","IsPlaceMsg":1,"MsgBody":[],"MsgPriority":2,"MsgRandom":0,"MsgSeq":4,"MsgTimeStamp":0}`,
		`{"From_Account":"u","IsPlaceMsg":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"a<b"}}],"MsgPriority":1,"MsgRandom":4294967295,"MsgSeq":3,"MsgTimeStamp":300,"CloudCustomData":"c","MsgVersion":0}`,
		`{"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,"MsgBody":{"OpType":1},"MsgPriority":3,"MsgRandom":9,"MsgSeq":2,"MsgTimeStamp":200}`,
		`{"From_Account":"","IsPlaceMsg":1,"MsgBody":[],"MsgPriority":2,"MsgRandom":0,"MsgSeq":1,"MsgTimeStamp":0}`,
	}
	a := c.page(-1, 20)
	var got []string
	for _, raw := range a.RspMsgList {
		got = append(got, string(raw))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if a.finished() != 2 {
		t.Errorf("IsFinished = %d, want 2: nothing retained below the page", a.finished())
	}
	without := c.call(pagePath, `{"GroupId":"g","ReqMsgNumber":1}`).elements()
	if len(without) != 1 || without[0].Place != 1 {
		t.Errorf("without WithRecalledMsg: %+v, want a hole", without)
	}
}

func TestStream_SparseServesTheTopOfTheSeqSpace(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	must(t, s.AddGroup(chatemu.Group{ID: "g", FirstSeq: chat.MaxSeq - 99}))
	must(t, s.Generate(stream(), 100, chatemu.Varied))
	if err := s.Append(stream(), chatemu.Message{}); err == nil {
		t.Error("a message above 4294967295 was accepted")
	}
	a := c.page(-1, 20)
	if diff := cmp.Diff(down(chat.MaxSeq, chat.MaxSeq-19), a.seqs()); diff != "" {
		t.Errorf("newest page (-want +got):\n%s", diff)
	}
	a = c.page(chat.MaxSeq-99+9, 20)
	if diff := cmp.Diff(down(chat.MaxSeq-90, chat.MaxSeq-109), a.seqs()); diff != "" {
		t.Errorf("page around the floor (-want +got):\n%s", diff)
	}
	if a.finished() != 2 {
		t.Errorf("IsFinished = %d around the floor, want 2", a.finished())
	}
	if a = c.page(2000000000, 20); len(a.RspMsgList) != 20 || a.elements()[0].Place != 1 || a.finished() != 2 {
		t.Errorf("page in the expired range: %s", a.Raw)
	}
}

func TestTruth_IsWhatPagesReturn(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	must(t, s.AddGroup(chatemu.Group{ID: "g"}))
	must(t, s.Generate(stream(), 103, chatemu.Varied))
	must(t, s.SetFloor(stream(), 12))
	must(t, s.Modify(stream(), 30, json.RawMessage(`[{"MsgType":"TIMTextElem","MsgContent":{"Text":"edited"}}]`)))
	must(t, s.Recall(stream(), 31))
	for name, q := range chatemu.Each(append(chatemu.Readings(), chatemu.Violations()...)) {
		if q.PageBytes != 0 || q.EmptyOnceEvery != 0 || q.Unsorted || q.RecalledDefault == chatemu.RecalledIsOmitted {
			continue // their pages are not whole, and have tests of their own
		}
		s.SetQuirks(q)
		pulled := make(map[chat.Seq]string)
		for seq := chat.Seq(103); seq > 0; seq -= 20 {
			a := c.page(seq, 20)
			for i, e := range a.elements() {
				pulled[e.Seq] = compact(t, a.RspMsgList[i])
			}
		}
		truth, newest, err := s.Truth(stream())
		must(t, err)
		if newest != 103 {
			t.Fatalf("newest = %d", newest)
		}
		next := chat.Seq(12)
		for r := range truth {
			if r.Seq != next {
				t.Fatalf("%s: truth has %d, want %d", name, r.Seq, next)
			}
			next++
			want := ""
			if r.JSON != nil {
				want = compact(t, r.JSON)
			}
			if got := pulled[r.Seq]; got != want {
				t.Errorf("%s: seq %d:\npage  %s\ntruth %s", name, r.Seq, got, want)
			}
			if r.JSON != nil {
				e, err := chat.ScanElement(r.JSON)
				if err != nil || e.Class() != r.Class || e.Seq != r.Seq {
					t.Errorf("%s: seq %d reads as %v %d (%v), truth says %v", name, r.Seq, e.Class(), e.Seq, err, r.Class)
				}
			}
		}
		if next != 104 {
			t.Errorf("%s: truth ends before %d", name, next)
		}
	}
}

func TestPage_OfSmallAndExpiredGroups(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	for _, size := range []int{0, 1, 19, 20, 21, 40} {
		id := "size" + strconv.Itoa(size)
		all := chat.Stream{GroupID: id}
		must(t, s.AddGroup(chatemu.Group{ID: id}))
		for range size {
			must(t, s.Append(all, chatemu.Message{}))
		}
		ask := func() answer { return c.call(pagePath, `{"GroupId":"`+id+`","ReqMsgNumber":20}`) }
		lo := max(1, chat.Seq(size)-19)
		if a := ask(); a.ErrorCode != 0 || a.finished() != 1 || !slices.Equal(a.seqs(), down(chat.Seq(size), lo)) {
			t.Errorf("group of %d: %s", size, a.Raw)
		}
		if size == 0 {
			continue
		}
		must(t, s.SetFloor(all, chat.Seq(size)+1))
		if a := ask(); a.finished() != 2 || len(a.RspMsgList) != min(size, 20) || a.elements()[0].Place != 1 {
			t.Errorf("expired group of %d: %s", size, a.Raw)
		}
	}
}
