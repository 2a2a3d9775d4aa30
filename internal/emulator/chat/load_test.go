package chatemu_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

func TestRecordedChat_BecomesMessages(t *testing.T) {
	t.Parallel()
	log := "\ufeff" + `{"time":1103966040,"from":"|QuaD-","text":"a <b> & \"c\" \u00e9"}` + "\n\n" +
		`{"time":1103966100,"system":"=== jdub [~jeff@x] has joined #ubuntu"}` + "\n" +
		`{"time":1103966101,"system":"=== jdub [~jeff@x] has left #ubuntu []"}`
	s, c := start(t, options())
	must(t, s.AddGroup(chatemu.Group{ID: "g"}))
	messages, err := chatemu.ParseLog([]byte(log))
	must(t, err)
	must(t, s.Append(stream(), messages...))
	want := []string{
		`{"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,"MsgBody":{"OpType":2,"Operator_Account":"jdub","List_Account":["jdub"],"MsgMemberExtraInfo":[{"UserId":"jdub","NickName":"jdub","ImageUrl":""}],"MsgMemberExtraText":"=== jdub [~jeff@x] has left #ubuntu []"},"MsgPriority":3,"MsgRandom":3674312685,"MsgSeq":3,"MsgTimeStamp":1103966101}`,
		`{"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,"MsgBody":{"OpType":1,"Operator_Account":"jdub","List_Account":["jdub"],"MsgMemberExtraInfo":[{"UserId":"jdub","NickName":"jdub","ImageUrl":""}],"MsgMemberExtraText":"=== jdub [~jeff@x] has joined #ubuntu"},"MsgPriority":3,"MsgRandom":479680206,"MsgSeq":2,"MsgTimeStamp":1103966100}`,
		`{"From_Account":"|QuaD-","IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Text":"a <b> & \"c\" é"},"MsgType":"TIMTextElem"}],"MsgPriority":2,"MsgRandom":2298633409,"MsgSeq":1,"MsgTimeStamp":1103966040}`,
	}
	var got []string
	for _, raw := range c.page(-1, 20).RspMsgList {
		got = append(got, string(raw))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestRecordedChat_BrokenIsAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"time":1,"from":"a","text":"b"}` + "\n \n{]\n":         "line 3 of the recorded chat is no message",
		"\n" + `{"text":"` + strings.Repeat("a", 100_000) + `"}`: "line 2 of the recorded chat has 100011 bytes",
		"\n": "no messages",
	} {
		if messages, err := chatemu.ParseLog([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d messages, error %v, want %q", text, len(messages), err, want)
		}
	}
}

// TestStream_LargeOnesAreCompact pins what a message costs beside its own bytes.
func TestStream_LargeOnesAreCompact(t *testing.T) {
	const count = 50000
	s := chatemu.New(options())
	must(t, s.AddGroup(chatemu.Group{ID: "g"}))
	must(t, s.AddGroup(chatemu.Group{ID: "made"}))
	before := heap()
	bytes := 0
	for i := range count {
		must(t, s.Append(stream(), chatemu.Message{Body: fmt.Appendf(nil, `[{"MsgType":"TIMTextElem","MsgContent":{"Text":"message number %d"}}]`, i)}))
	}
	truth, _, err := s.Truth(stream())
	must(t, err)
	for r := range truth {
		bytes += len(r.JSON)
	}
	if each := (heap() - before - bytes) / count; each > 120 {
		t.Errorf("a message costs %d bytes beside its element", each)
	}
	before = heap()
	made := chat.Stream{GroupID: "made"}
	must(t, s.Generate(made, 4_000_000_000, chatemu.Varied))
	must(t, s.Recall(made, 3_999_999_990))
	if grown := heap() - before; grown > 100<<10 {
		t.Errorf("generated messages cost %d bytes", grown)
	}
	c := memory(t, s)
	a := c.call(pagePath, `{"GroupId":"made","ReqMsgNumber":20,"WithRecalledMsg":1}`)
	if e := a.elements(); e[10].Seq != 3_999_999_990 || e[10].Place != 2 {
		t.Errorf("page of generated messages: %s", a.Raw)
	}
	runtime.KeepAlive(s)
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func BenchmarkPages(b *testing.B) {
	s, c := start(b, options())
	must(b, s.AddGroup(chatemu.Group{ID: "g"}))
	must(b, s.Generate(stream(), 100000, chatemu.Varied))
	for i := 0; b.Loop(); i++ {
		c.page(chat.Seq(20+i%99980), 20)
	}
}
