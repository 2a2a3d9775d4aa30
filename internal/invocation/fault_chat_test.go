package invocation_test

import (
	"strconv"
	"time"

	chatemu "chatexport/internal/emulator/chat"
)

// onPage puts a fault before pages that are asked for by seq.
func onPage(f chatemu.Fault) func(chatemu.Call) *chatemu.Fault {
	return func(c chatemu.Call) *chatemu.Fault {
		if c.Command == "group_msg_get_simple" && c.Query.HasSeq {
			return &f
		}
		return nil
	}
}

// onEvery puts a fault before every call.
func onEvery(f chatemu.Fault) func(chatemu.Call) *chatemu.Fault {
	return func(chatemu.Call) *chatemu.Fault { return &f }
}

func chatFaults() []faultCase {
	cases := []faultCase{}
	once := func(name string, f chatemu.Fault) {
		cases = append(cases, faultCase{
			name: name + ", once", times: 1, chat: onPage(f), tried: 1, outcome: "complete", status: "complete", then: byItself,
		})
	}
	always := func(name string, f chatemu.Fault, tried int, reads, code string) {
		cases = append(cases, faultCase{
			name: name + ", always", chat: onPage(f), tried: tried, outcome: "error", reads: reads, status: "running", code: code, then: byRedelivery,
		})
	}
	for _, code := range []int{60007, 60011, 60018, 60019, 10006} {
		once(codeName(code), chatemu.Fault{ErrorCode: code})
	}
	always(codeName(60007), chatemu.Fault{ErrorCode: 60007}, 6, "lower CHAT_QPS", "60007")
	for _, code := range []int{10002, 20004, 60008, 60013, 70169, 91000} {
		once(codeName(code), chatemu.Fault{ErrorCode: code})
	}
	always(codeName(10002), chatemu.Fault{ErrorCode: 10002}, 6, "internal error of the service", "10002")
	once("an unknown code (99999)", chatemu.Fault{ErrorCode: 99999})
	always("an unknown code (99999)", chatemu.Fault{ErrorCode: 99999}, 3, "99999", "99999")
	once("UserSig refused (70001)", chatemu.Fault{ErrorCode: 70001})
	always("UserSig refused (70001)", chatemu.Fault{ErrorCode: 70001}, 2, "the clock of this machine is wrong", "70001")
	for _, c := range []struct {
		code  int
		reads string
	}{
		{60010, "set CHAT_ADMIN to an app administrator"},
		{60021, "fixed egress IP address"},
		{60020, "renew the plan"},
		{70009, "CHAT_SECRET_KEY"},
		{70020, "CHAT_REGION"},
		{10003, "check CHAT_ENDPOINT"},
		{70107, "import the account"},
	} {
		always("settings ("+codeName(c.code)+")", chatemu.Fault{ErrorCode: c.code}, 1, c.reads, strconv.Itoa(c.code))
	}
	for _, c := range []struct {
		code  int
		state string
		reads string
	}{
		{10010, "", "its history is gone"}, // of a stream that has no archive nothing is kept
		{10015, "", "check the group id"},
		{110003, "", "its history is gone"},
		{10004, "unsupported", "AVChatRoom"},
		{10007, "unsupported", "AVChatRoom"},
		{11000, "unsupported", "communities"},
	} {
		of := faultCase{
			name: "the stream (" + codeName(c.code) + "), always", chat: onEvery(chatemu.Fault{ErrorCode: c.code}), tried: 1,
			outcome: "unknown", reads: c.reads, then: byTick,
		}
		if c.state != "" {
			of.outcome, of.status, of.code = c.state, c.state, strconv.Itoa(c.code)
		}
		cases = append(cases, of)
	}
	return append(cases, chatAnswers()...)
}

func codeName(code int) string { return "code " + strconv.Itoa(code) }

// chatAnswers are answers that are none, and pages that are not what was asked for.
func chatAnswers() []faultCase {
	whole := func(name string, times int, f func(chatemu.Call) *chatemu.Fault) faultCase {
		return faultCase{name: name, times: times, chat: f, tried: times, outcome: "complete", status: "complete", then: byItself}
	}
	broken := func(name string, f chatemu.Fault, tried int, reads, code string) faultCase {
		return faultCase{
			name: name + ", always", chat: onPage(f), tried: tried, outcome: "error", reads: reads, status: "running", code: code, then: byRedelivery,
		}
	}
	large := func(c chatemu.Call) *chatemu.Fault {
		if c.Query.HasSeq && c.Query.Number > 5 {
			return &chatemu.Fault{ErrorCode: 10018}
		}
		return nil
	}
	return []faultCase{
		whole("502 with an HTML page, once", 1, onPage(chatemu.Fault{Status: 502})),
		broken("502 with an HTML page", chatemu.Fault{Status: 502}, 6, "HTTP status 502", "http_502"),
		whole("200 with an HTML page, once", 1, onPage(chatemu.Fault{HTML: true})),
		broken("200 with an HTML page", chatemu.Fault{HTML: true}, 6, "malformed", "malformed_page"),
		whole("JSON cut in half, once", 1, onPage(chatemu.Fault{TruncateBody: true})),
		whole("the connection ends in the middle of a page, once", 1, onPage(chatemu.Fault{BreakBody: true})),
		whole("connection reset before the call, once", 1, onPage(chatemu.Fault{ResetBefore: true})),
		whole("connection reset before the answer, once", 1, onPage(chatemu.Fault{ResetAfter: true})),
		broken("connection reset", chatemu.Fault{ResetBefore: true}, 6, "closed early", "network"),
		whole("ActionStatus OK with an error code, once", 1, onPage(chatemu.Fault{ActionStatus: "OK", ErrorCode: 10002})),
		whole("ActionStatus FAIL without a code, once", 1, onPage(chatemu.Fault{ActionStatus: "FAIL"})),
		whole("no answer within 10 s, once", 1, onPage(chatemu.Fault{Hang: true})),
		whole("a page that takes 9 s, once", 1, onPage(chatemu.Fault{SlowBody: 9 * time.Second})),
		broken("no answer", chatemu.Fault{Hang: true}, 3, "context deadline exceeded", "network"),
		{
			name: "the answer is too large (code 10018) above 5 messages", chat: large,
			tried: 12, outcome: "complete", status: "complete", then: byItself,
		},
		whole("ReqMsgSeq is ignored, once", 1, onPage(chatemu.Fault{Mutate: aboveAll})),
		broken("ReqMsgSeq is ignored", chatemu.Fault{Mutate: aboveAll}, 6, "asked for seqs up to 20", "protocol"),
		whole("an empty page, once", 1, onPage(chatemu.Fault{Mutate: emptied})),
	}
}

// aboveAll is a page wholly above what was asked for.
func aboveAll([]byte) []byte {
	return []byte(`{"ActionStatus":"OK","ErrorCode":0,"GroupId":"@TGS#fault","IsFinished":0,"RspMsgList":[` +
		`{"From_Account":"a","IsPlaceMsg":0,"MsgBody":[],"MsgPriority":1,"MsgRandom":1,"MsgSeq":1000,"MsgTimeStamp":1700000000}]}`)
}

func emptied([]byte) []byte {
	return []byte(`{"ActionStatus":"OK","ErrorCode":0,"GroupId":"@TGS#fault","IsFinished":0,"RspMsgList":[]}`)
}
