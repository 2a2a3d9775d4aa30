package chat_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
)

// officialPage is the sample of the documentation, the same in all of its versions, with two more elements.
const officialPage = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"GroupId":"@TGS#15ERQPAER","IsFinished":1,
 "RspMsgList":[
  {"From_Account":"144115197276518801","IsPlaceMsg":0,
   "MsgBody":[{"MsgContent":{"Data":"\b\u0001\u0010\u0006\u001A\u0006猫瞳","Desc":"MIF","Ext":""},"MsgType":"TIMCustomElem"},{"MsgContent":{"Data":"","Index":15},"MsgType":"TIMFaceElem"}],
   "MsgPriority":1,"MsgRandom":51083293,"MsgSeq":7803321,"MsgTimeStamp":1458721802},
  {"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,"MsgPriority":3,"MsgRandom":1760178797,"MsgSeq":7803320,"MsgTimeStamp":1598942659,
   "MsgBody":{"OpType":1,"Operator_Account":"admin","List_Account":["u1"],"MsgMemberExtraInfo":[{"UserId":"u1","MsgSeq":9}]}},
  {"From_Account":"u1","IsPlaceMsg":2,"MsgBody":[],"MsgPriority":2,"MsgRandom":4023456789,"MsgSeq":18,"MsgTimeStamp":1700000018}]}`

func TestScanPageReadsTheOfficialSample(t *testing.T) {
	t.Parallel()
	page, status, err := chat.ScanPage([]byte(officialPage))
	if err != nil {
		t.Fatal(err)
	}
	wantStatus := chat.Status{ActionStatus: "OK", HasActionStatus: true, HasErrorCode: true, HasErrorInfo: true}
	if diff := cmp.Diff(wantStatus, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	want := chat.Page{Finished: chat.FinishedInterval, Elements: []chat.Element{
		{Seq: 7803321, Time: 1458721802, JSON: []byte(`{"From_Account":"144115197276518801","IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Data":"\b\u0001\u0010\u0006\u001A\u0006猫瞳","Desc":"MIF","Ext":""},"MsgType":"TIMCustomElem"},{"MsgContent":{"Data":"","Index":15},"MsgType":"TIMFaceElem"}],"MsgPriority":1,"MsgRandom":51083293,"MsgSeq":7803321,"MsgTimeStamp":1458721802}`)},
		{Seq: 7803320, Time: 1598942659, System: true, JSON: []byte(`{"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,"MsgPriority":3,"MsgRandom":1760178797,"MsgSeq":7803320,"MsgTimeStamp":1598942659,"MsgBody":{"OpType":1,"Operator_Account":"admin","List_Account":["u1"],"MsgMemberExtraInfo":[{"UserId":"u1","MsgSeq":9}]}}`)},
		{Seq: 18, Time: 1700000018, Place: chat.PlaceRecalled, JSON: []byte(`{"From_Account":"u1","IsPlaceMsg":2,"MsgBody":[],"MsgPriority":2,"MsgRandom":4023456789,"MsgSeq":18,"MsgTimeStamp":1700000018}`)},
	}}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestScanElementKeepsItsBytes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"escaped controls":    `{"MsgSeq":1,"Data":"\b\f\n\r\t\u0000\u001f\u007f\/"}`,
		"line separators":     "{\"MsgSeq\":1,\"Data\":\"\u2028\u2029\\u2028\"}",
		"markup":              `{"MsgSeq":1,"Data":"<b>&amp;</b> \u003c"}`,
		"maxima":              `{"MsgSeq":4294967295,"MsgRandom":4294967295,"Big":18446744073709551616}`,
		"17 digits":           `{"MsgSeq":1,"Latitude":22.540152999999998,"Longitude":-1.1393410000000001E+2,"n":-0.0,"e":1e-400}`,
		"object body":         `{"MsgBody":{"MsgSeq":7,"a":[]},"MsgSeq":1}`,
		"unknown members":     `{"":null,"MsgSeq":1,"X":{"X":true},"y":false,"":[[],{}]}`,
		"nested MsgSeq":       `{"MsgSeq":1,"MsgBody":[{"MsgContent":{"MsgList":[{"MsgSeq":85,"IsPlaceMsg":1,"GroupId":"g"}]}}]}`,
		"surrogate escapes":   `{"MsgSeq":1,"a":"\ud83d\ude00","b":"\ude00","c":"\ud83dx"}`,
		"spaces in strings":   "{\"MsgSeq\":1,\"a\":\" \\\" : , \u00a0 \"}",
		"other letter case":   `{"MSGSEQ":5,"msgseq":6,"MsgSeq":1,"isplacemsg":1,"GROUPID":1}`,
		"escaped backslashes": `{"MsgSeq":1,"a\\\"":"\\\\\"\\","b":"\\"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := chat.ScanElement([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if e.Seq != 1 && e.Seq != chat.MaxSeq {
				t.Errorf("seq = %d", e.Seq)
			}
			e.Seq = 0
			want := chat.Element{JSON: []byte(text)}
			if diff := cmp.Diff(want, e); diff != "" {
				t.Errorf("element (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScanElementReadsMembersByExactName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]chat.Element{
		`{"M\u0073gSeq":3,"I\u0073PlaceMsg":1}`:                      {Seq: 3, Place: 1},
		`{"MsgSeq":3,"MsgSeq":4,"MSGSEQ":5}`:                         {Seq: 4},
		`{"MsgSeq":"0012","MsgTimeStamp":"17","IsPlaceMsg":"2"}`:     {Seq: 12, Time: 17, Place: 2},
		`{"MsgSeq":"\u0031\u0032"}`:                                  {Seq: 12},
		`{"MsgSeq":1,"IsSystemMsg":"1"}`:                             {Seq: 1, System: true},
		`{"MsgSeq":1,"IsSystemMsg":2}`:                               {Seq: 1},
		`{"MsgSeq":1,"IsSystemMsg":true}`:                            {Seq: 1},
		`{"MsgSeq":1,"MsgTimeStamp":null,"IsPlaceMsg":{}}`:           {Seq: 1},
		`{"MsgSeq":1,"MsgTimeStamp":-5,"IsPlaceMsg":-5}`:             {Seq: 1, Place: -5},
		`{"MsgSeq":1,"MsgTimeStamp":1.5e9,"IsPlaceMsg":""}`:          {Seq: 1},
		`{"MsgSeq":1,"MsgTimeStamp":9999999999999999999999}`:         {Seq: 1},
		`{"MsgSeq":1,"MsgTimestamp":7,"GroupId":null}`:               {Seq: 1, HasGroupID: true},
		`{"MsgSeq":1,"MsgTimeStamp":"x","TopicId":"t"}`:              {Seq: 1, HasTopicID: true},
		`{"MsgSeq":1,"MsgTimeStamp":"-","IsPlaceMsg":" 1"}`:          {Seq: 1},
		`{"MsgSeq":null,"MsgSeq":1,"GroupID":1,"Msg":{"GroupId":1}}`: {Seq: 1},
	} {
		e, err := chat.ScanElement([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want.JSON = []byte(text)
		if diff := cmp.Diff(want, e); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestScanElementRemovesInsignificantSpace(t *testing.T) {
	t.Parallel()
	const pretty = "\r\n{\t\"MsgSeq\" :\t5 ,\r\n\t\"MsgBody\" : [ { \"Text\" : \"a \\\" b\\\\\" } , [ ] , { } , 1 , true ]\n}\t "
	e, err := chat.ScanElement([]byte(pretty))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"MsgSeq":5,"MsgBody":[{"Text":"a \" b\\"},[],{},1,true]}`; string(e.JSON) != want {
		t.Errorf("got  %s\nwant %s", e.JSON, want)
	}
}

func TestScanElementRepairsEachByteThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{\"MsgSeq\":1,\"a\":\"\xff\xfe\"}":               `{"MsgSeq":1,"a":"` + "\uFFFD\uFFFD" + `"}`,
		"{\"MsgSeq\":1,\"a\":\"猫\xe7\x8c\"}":              `{"MsgSeq":1,"a":"猫` + "\uFFFD\uFFFD" + `"}`,
		"{ \"MsgSeq\" : 1, \"a\xc0\" : \"\xed\xa0\x80\"}": `{"MsgSeq":1,"a` + "\uFFFD" + `":"` + "\uFFFD\uFFFD\uFFFD" + `"}`,
	} {
		e, err := chat.ScanElement([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if string(e.JSON) != want || !e.Repaired {
			t.Errorf("%q: got %q, repaired %v, want %q", text, e.JSON, e.Repaired, want)
		}
	}
}

func TestScanPageRepairsOnlyTheElementsThatNeedIt(t *testing.T) {
	t.Parallel()
	body := []byte("{\"RspMsgList\":[{\"MsgSeq\":3,\"a\":\"\uFFFD\"},{\"MsgSeq\":2,\"a\":\"\x80\"}, { \"MsgSeq\":1}],\"x\":\"\xff\"}")
	page, _, err := chat.ScanPage(body)
	if err != nil {
		t.Fatal(err)
	}
	want := []chat.Element{
		{Seq: 3, JSON: []byte("{\"MsgSeq\":3,\"a\":\"\uFFFD\"}")},
		{Seq: 2, JSON: []byte("{\"MsgSeq\":2,\"a\":\"\uFFFD\"}"), Repaired: true},
		{Seq: 1, JSON: []byte(`{"MsgSeq":1}`)},
	}
	if diff := cmp.Diff(want, page.Elements); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
}

func TestElementsOfOnePageDoNotShareGrowth(t *testing.T) {
	t.Parallel()
	page, _, err := chat.ScanPage([]byte(`{"RspMsgList":[{ "MsgSeq":2},{ "MsgSeq":1},{"MsgSeq":3},{"MsgSeq":4}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Elements {
		_ = append(page.Elements[i].JSON, "overwritten"...)
	}
	for i, want := range []string{`{"MsgSeq":2}`, `{"MsgSeq":1}`, `{"MsgSeq":3}`, `{"MsgSeq":4}`} {
		if got := string(page.Elements[i].JSON); got != want {
			t.Errorf("element %d is %s, want %s", i, got, want)
		}
	}
}

func TestScanPageTakesEmptyLists(t *testing.T) {
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

func TestScanPageReadsTheEnvelope(t *testing.T) {
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

func TestScanPageRefusesWhatIsMalformed(t *testing.T) {
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

func TestScanPageRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	for n := range len(officialPage) {
		if _, _, err := chat.ScanPage([]byte(officialPage[:n])); !errors.Is(err, chat.ErrMalformed) {
			t.Fatalf("the first %d bytes: error is %v", n, err)
		}
	}
}

func TestScanBoundsNesting(t *testing.T) {
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
