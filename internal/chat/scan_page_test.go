package chat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
)

func TestScanPage_TakesEmptyLists(t *testing.T) {
	t.Parallel()
	for text, finished := range map[string]int{
		`{}`:                                                chat.FinishedAbsent,
		`{"RspMsgList":null,"IsFinished":1}`:                chat.FinishedInterval,
		`{"RspMsgList":[],"IsFinished":2}`:                  chat.FinishedExpired,
		`{"RspMsgList":[ ],"IsFinished":"2"}`:               chat.FinishedExpired,
		`{"IsFinished":0,"rspMsgList":[{}]}`:                chat.FinishedTruncated,
		`{"IsFinished":null,"Data":{"RspMsgList":[7]}}`:     chat.FinishedAbsent,
		`{"IsFinished":2,"IsFinished":[]}`:                  chat.FinishedAbsent,
		` {"RspMsgList":[{"MsgSeq":1}],"RspMsgList":null} `: chat.FinishedAbsent,
	} {
		page, _, err := chat.ScanPage([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(page.Elements) != 0 || page.Finished != finished {
			t.Errorf("%s: %d elements, finished %d, want none and %d", text, len(page.Elements), page.Finished, finished)
		}
	}
}

func TestScanPage_ReadsTheEnvelope(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]chat.Status{
		`{"ActionStatus":"FAIL","ErrorCode":60007,"ErrorInfo":"too \"fast\" \u732b\ud800"}`: {
			ActionStatus: "FAIL", ErrorCode: 60007, ErrorInfo: "too \"fast\" 猫\uFFFD",
			HasActionStatus: true, HasErrorCode: true, HasErrorInfo: true,
		},
		`{"ErrorCode":"10015","ErrorInfo":7}`:                   {ErrorCode: 10015, HasErrorCode: true},
		`{"ErrorCode":-1,"ErrorInfo":"` + "\xff" + `"}`:         {ErrorCode: -1, HasErrorCode: true, ErrorInfo: "\uFFFD", HasErrorInfo: true},
		`{"ActionStatus":null,"ErrorCode":null}`:                {},
		`{"ActionStatus":"OK","ActionStatus":null,"X":"OK"}`:    {},
		`{"errorCode":1,"Inner":{"ErrorCode":2},"ErrorCode":0}`: {HasErrorCode: true},
	} {
		_, status, err := chat.ScanPage([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, status); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestScanPage_RefusesWhatIsMalformed(t *testing.T) {
	t.Parallel()
	element := func(text string) string { return `{"RspMsgList":[{"MsgSeq":2},` + text + `]}` }
	for text, want := range map[string]string{
		"":                                  "byte 0: unexpected end",
		"  ":                                "byte 2: unexpected end",
		"<html>502</html>":                  "byte 0: unexpected markup",
		"\ufeff{}":                          "byte 0: unexpected character beyond ASCII",
		`[]`:                                "byte 0: unexpected array",
		`null`:                              "byte 0: unexpected word",
		`{} x`:                              "byte 3: unexpected word",
		`{}{}`:                              "byte 2: unexpected object",
		`{"a":1,}`:                          "byte 7: unexpected punctuation",
		`{"a"}`:                             "byte 4: unexpected punctuation",
		`{a:1}`:                             "byte 1: unexpected word",
		`{"a":01}`:                          "byte 6: unexpected number",
		`{"a":1.}`:                          "byte 7: unexpected punctuation",
		`{"a":-}`:                           "byte 6: unexpected punctuation",
		`{"a":1e+}`:                         "byte 8: unexpected punctuation",
		`{"a":+1}`:                          "byte 5: unexpected character",
		`{"a":nul}`:                         "byte 5: unknown word",
		`{"a":NaN}`:                         "byte 5: unexpected word",
		`{"a":[1 2]}`:                       "byte 8: unexpected number",
		`{"a":"b`:                           "byte 7: string does not end",
		`{"a":"b\`:                          "byte 8: bad escape in a string",
		`{"a":"\x"}`:                        "byte 7: bad escape in a string",
		`{"a":"\u12g4"}`:                    "byte 10: bad escape in a string",
		"{\"a\":\"0123456789\t\"}":          "byte 16: control character in a string",
		"{\"a\":\"\x00\"}":                  "byte 6: control character in a string",
		"{\"a\x1f\":1}":                     "byte 3: control character in a string",
		"{\"a\":\x00}":                      "byte 5: unexpected control character",
		"{\"a\":1\v}":                       "byte 6: unexpected control character",
		"{\"a\":\xff}":                      "byte 5: unexpected character beyond ASCII",
		`{"ErrorCode":1.5}`:                 "byte 13, ErrorCode: unexpected number",
		`{"ErrorCode":"secret"}`:            "byte 13, ErrorCode: unexpected string",
		`{"ErrorCode":{}}`:                  "byte 13, ErrorCode: unexpected object",
		`{"ActionStatus":0}`:                "byte 16, ActionStatus: unexpected number",
		`{"RspMsgList":{}}`:                 "byte 14, RspMsgList: unexpected object",
		`{"RspMsgList":"secret"}`:           "byte 14, RspMsgList: unexpected string",
		`{"RspMsgList":nil}`:                "byte 14, RspMsgList: unknown word",
		`{"RspMsgList":[null]}`:             "byte 15, RspMsgList: unexpected word",
		`{"RspMsgList":[{"MsgSeq":1},]}`:    "byte 28, RspMsgList: unexpected punctuation",
		`{"RspMsgList":[{"MsgSeq":1}`:       "byte 27, RspMsgList: unexpected end",
		element(`{}`):                       "byte 28, MsgSeq: is missing or not a seq",
		element(`{"Text":"secret"}`):        "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MsgSeq":0}`):             "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MsgSeq":-1}`):            "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MsgSeq":4294967296}`):    "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MsgSeq":1.0}`):           "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MsgSeq":1e1}`):           "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MsgSeq":"x1"}`):          "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MSGSEQ":1}`):             "byte 28, MsgSeq: is missing or not a seq",
		element(`{"MsgSeq":1,"MsgSeq":[]}`): "byte 28, MsgSeq: is missing or not a seq",
		element(`{"Body":{"MsgSeq":1}}`):    "byte 28, MsgSeq: is missing or not a seq",
		element("{\"MsgSeq\":1,\"secret\":\"\n\"}"): "byte 50, RspMsgList: control character in a string",
	} {
		_, _, err := chat.ScanPage([]byte(text))
		if !errors.Is(err, chat.ErrMalformed) {
			t.Errorf("%q: error is %v", text, err)
			continue
		}
		if got := strings.TrimPrefix(err.Error(), "malformed answer: "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestScanPage_TakesTheLastOfEqualMembers(t *testing.T) {
	t.Parallel()
	const text = `{"ErrorCode":{},"ActionStatus":7,"RspMsgList":[{"MsgSeq":1},{}],"RspMsgList":{},` +
		`"ErrorCode":3,"ActionStatus":"FAIL","RspMsgList":[{"MsgSeq":2}]}`
	page, status, err := chat.ScanPage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if status.ErrorCode != 3 || status.ActionStatus != "FAIL" || len(page.Elements) != 1 || page.Newest() != 2 {
		t.Errorf("got %+v, %d elements, newest %d", status, len(page.Elements), page.Newest())
	}
}

func TestScanPage_RefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	for n := range len(officialPage) {
		if _, _, err := chat.ScanPage([]byte(officialPage[:n])); !errors.Is(err, chat.ErrMalformed) {
			t.Fatalf("the first %d bytes: error is %v", n, err)
		}
	}
}

func TestScanPage_BoundsNesting(t *testing.T) {
	t.Parallel()
	nested := func(n int, open, end string) []byte {
		return fmt.Appendf(nil, `{"MsgSeq":1,"a":%s1%s}`, strings.Repeat(open, n), strings.Repeat(end, n))
	}
	for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		if _, err := chat.ScanElement(nested(511, pair[0], pair[1])); err != nil {
			t.Errorf("%q 511 times: %v", pair[0], err)
		}
		if _, err := chat.ScanElement(nested(512, pair[0], pair[1])); !errors.Is(err, chat.ErrMalformed) {
			t.Errorf("%q 512 times: error is %v", pair[0], err)
		}
	}
	if _, err := chat.ScanElement([]byte(strings.Repeat("[", 1<<20))); !errors.Is(err, chat.ErrMalformed) {
		t.Errorf("a million brackets: error is %v", err)
	}
}
