package chat_test

import (
	"bytes"
	"encoding/base64"
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
