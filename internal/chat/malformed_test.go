package chat_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
)

func TestMalformed_IsToldFromAMessage(t *testing.T) {
	t.Parallel()
	const kept = `"_malformed":{"bytes":3,"answer":"eyJ4"}`
	for text, want := range map[string]chat.Class{
		`{"MsgSeq":7,` + kept + `}`:                                            chat.ClassMalformed,
		"{ \"MsgSeq\" : 7 ,\n" + kept + " }":                                   chat.ClassMalformed,
		`{"GroupId":"g","MsgSeq":7,` + kept + `}`:                              chat.ClassMalformed,
		`{"GroupId":"g","TopicId":"t","MsgSeq":7,` + kept + `}`:                chat.ClassMalformed,
		`{"MsgSeq":7,"_malformed":{"bytes":0,"answer":""}}`:                    chat.ClassMalformed,
		`{"From_Account":"u","MsgSeq":7,` + kept + `}`:                         chat.ClassMessage,
		`{"IsPlaceMsg":2,"MsgSeq":7,` + kept + `}`:                             chat.ClassRecalled,
		`{"MsgSeq":7,"a":{` + kept + `}}`:                                      chat.ClassMessage,
		`{` + kept + `,"MsgSeq":7}`:                                            chat.ClassMessage,
		`{"MsgSeq":"7",` + kept + `}`:                                          chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":null}`:                                       chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":{}}`:                                         chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":{"bytes":-3,"answer":"eyJ4"}}`:               chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":{"bytes":4,"answer":"eyJ4"}}`:                chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":{"answer":"eyJ4","bytes":3}}`:                chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":{"bytes":3,"answer":"eyJ4","x":1}}`:          chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":{"bytes":3,"answer":"e\u0079J4"}}`:           chat.ClassMessage,
		`{"MsgSeq":7,"_malformed":{"bytes":3,"answer":"eyJ4"},"_malformed":1}`: chat.ClassMessage,
	} {
		e, err := chat.ScanElement([]byte(text))
		if err != nil || e.Class() != want {
			t.Errorf("%s: class %d, want %d, error %v", text, e.Class(), want, err)
		}
	}
}

func TestMalformed_ReadsBackAndKeepsTheBeginningOfALongAnswer(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("{\"\x00\xff"), 1<<16)
	for _, answer := range [][]byte{{}, []byte("{\"a\":\"\x01\""), long[:48<<10], long} {
		e := chat.NewMalformed(chat.MaxSeq, answer)
		read, err := chat.ScanElement(e.JSON)
		if diff := cmp.Diff(e, read); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		kept := base64.StdEncoding.EncodeToString(answer[:min(len(answer), 48<<10)])
		if !strings.Contains(string(e.JSON), `"answer":"`+kept+`"`) || !e.Retained() {
			t.Errorf("%d bytes became %.80s", len(answer), e.JSON)
		}
	}
}

func TestMalformed_AnswerIsKeptOnlyIfItIsOfTheAPI(t *testing.T) {
	t.Parallel()
	const ok = `{"ActionStatus":"OK","ErrorCode":0,"RspMsgList":[{"MsgSeq":8,"a":"secret"},`
	deep := `{"MsgSeq":7,"a":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `}`
	for text, shape := range map[string]string{
		ok + "{\"MsgSeq\":7,\"a\":\"\x01\"}]}":            "control_character_in_a_string",
		ok + `{"MsgSeq":7,"a":"\x"}]}`:                    "bad_escape_in_a_string",
		ok + `{"MsgSeq":7 "a":1}]}`:                       "unexpected_string",
		ok + `{"MsgSeq":7,"a":tru}]}`:                     "unknown_word",
		ok + `{"a":1}]}`:                                  "no_seq",
		ok + `{"MsgSeq":null}]}`:                          "no_seq",
		ok + `{"MsgSeq":7.5}]}`:                           "no_seq",
		ok + `{"MsgSeq":"7a"}]}`:                          "no_seq",
		ok + `{"MsgSeq":7e0}]}`:                           "no_seq",
		ok + `{"MsgSeq":0}]}`:                             "no_seq",
		ok + `{"MsgSeq":4294967296}]}`:                    "no_seq",
		ok + deep + `]}`:                                  "nested_too_deep",
		ok + `null]}`:                                     "unexpected_word",
		ok + `{"MsgSeq":7,"a":"secr`:                      "cut_off",
		ok + `{"MsgSeq":7},`:                              "cut_off",
		ok + `{"MsgSeq":7}]`:                              "cut_off",
		`{"ActionStatus":"OK","ErrorInfo":"","Err`:        "cut_off",
		`{"RspMsgList":[{"a":1}],"ActionStatus":"OK"}`:    "no_seq",
		`{"RspMsgList":[{"a":1}]}`:                        "no_seq",
		`{"ActionStatus":"OK","RspMsgList":"secret"}`:     "unexpected_string",
		`{"ActionStatus":"OK","RspMsgList":[]} secret`:    "unexpected_word",
		`{"ErrorCode":"0","RspMsgList":[{"MsgSeq":1.0}]}`: "no_seq",
	} {
		err := malformedPage(t, text)
		if strings.HasPrefix(text, ok) && err.After != 8 && err.After != 7 {
			t.Errorf("%.120q: what cannot be read comes after %d", text, err.After)
		}
		if err.Shape != shape || string(err.Answer) != text || strings.Contains(err.Error(), "secr") {
			t.Errorf("%.120q: shape %q, %d bytes of the answer, %v; want %q and all", text, err.Shape, len(err.Answer), err, shape)
		}
	}
	for _, text := range []string{
		"", "<html>502</html>", "null", "[]", "{", `{"message":"nothing to see`, `{"RspMsgList":7`, `[{"RspMsgList":[{}]}]`, "\x00\x00",
		`{"ActionStatus":"FAIL","RspMsgList":[{}]}`, `{"ActionStatus":7,"RspMsgList":[{}]}`, `{"ErrorCode":60007,"RspMsgList":[{}]}`,
		`{"ErrorCode":{},"RspMsgList":[{}]}`, `{"ActionStatus":"OK","ErrorCode":10002,"ErrorInfo":"cut o`, `{"ActionStatus":"FAIL","ErrorInfo":"` + "\x01" + `"}`,
	} {
		if err := malformedPage(t, text); err.Answer != nil {
			t.Errorf("%q is taken for an answer of the API: %v", text, err)
		}
	}
}

func malformedPage(t *testing.T, text string) *chat.MalformedError {
	t.Helper()
	_, _, err := chat.ScanPage([]byte(text))
	malformed, ok := errors.AsType[*chat.MalformedError](err)
	if !ok || !errors.Is(err, chat.ErrMalformed) {
		t.Fatalf("%q: error is %v", text, err)
	}
	return malformed
}
