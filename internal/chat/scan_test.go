package chat_test

import (
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

func TestScanPage_ReadsTheOfficialSample(t *testing.T) {
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
		{Seq: 7803321, Time: 1458721802, JSON: []byte(`{"From_Account":"144115197276518801","IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Data":"\b\u0001\u0010\u0006\u001A\u0006猫瞳","Desc":"MIF","Ext":""},"MsgType":"TIMCustomElem"},{"MsgContent":{"Data":"","Index":15},"MsgType":"TIMFaceElem"}],"MsgPriority":1,"MsgRandom":51083293,"MsgSeq":7803321,"MsgTimeStamp":1458721802}`), Files: true},
		{Seq: 7803320, Time: 1598942659, System: true, JSON: []byte(`{"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,"MsgPriority":3,"MsgRandom":1760178797,"MsgSeq":7803320,"MsgTimeStamp":1598942659,"MsgBody":{"OpType":1,"Operator_Account":"admin","List_Account":["u1"],"MsgMemberExtraInfo":[{"UserId":"u1","MsgSeq":9}]}}`)},
		{Seq: 18, Time: 1700000018, Place: chat.PlaceRecalled, JSON: []byte(`{"From_Account":"u1","IsPlaceMsg":2,"MsgBody":[],"MsgPriority":2,"MsgRandom":4023456789,"MsgSeq":18,"MsgTimeStamp":1700000018}`)},
	}}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestScanElement_KeepsItsBytes(t *testing.T) {
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

func TestScanElement_ReadsMembersByExactName(t *testing.T) {
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

func TestScanElement_RemovesInsignificantSpace(t *testing.T) {
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

func TestScanElement_RepairsEachByteThatIsNotUTF8(t *testing.T) {
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

func TestScanPage_RepairsOnlyTheElementsThatNeedIt(t *testing.T) {
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

func TestScanPage_ElementsDoNotShareGrowth(t *testing.T) {
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
