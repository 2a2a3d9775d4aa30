package chatemu

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"chatexport/internal/chat"
)

// Varied is a message for Generate that follows from its seq alone: all types of elements, all kinds, everything that
// makes JSON hard to keep as it is (rule 15).
func Varied(seq chat.Seq) Message {
	m := Message{
		From: "user" + strconv.FormatInt(int64(seq%17), 10), Time: sampleCreateTime + 3*int64(seq),
		Priority: 1 + int(seq%4), Body: variedBody(seq),
	}
	switch {
	case seq == 1, seq%50 == 0:
		m.Kind, m.From, m.Body = KindSystem, "", tip("=== user"+strconv.FormatInt(int64(seq), 10)+" has joined")
	case seq%17 == 0:
		m.Kind = KindRecalled
	case seq%23 == 0:
		m.Kind = KindDeleted
	case seq%41 == 0:
		m.Kind = KindStoreFail
	}
	if seq%5 == 0 {
		m.CloudCustomData = `{"trace":"<a & b>"}`
	}
	if seq%3 == 0 {
		m.Extra = json.RawMessage(`{"MsgVersion":0,"Event":{"seq": 9007199254740993, "MsgSeq":1},"x-unknown":[1.0,-0,1e400,null,true]}`)
	}
	if seq%7 == 0 {
		m.Random = math.MaxUint32
	}
	return m
}

func variedBody(seq chat.Seq) json.RawMessage {
	n := strconv.FormatInt(int64(seq), 10)
	switch seq % 8 {
	case 0:
		return json.RawMessage(`[{"MsgContent":{"Data":"\b\u0001\u0010\u0006\u001A\u0006猫瞳","Desc":"MIF","Ext":""},"MsgType":"TIMCustomElem"},{"MsgContent":{"Data":"","Index":15},"MsgType":"TIMFaceElem"}]`)
	case 1:
		return json.RawMessage(`[{"MsgContent":{"Text":"<b>&amp;</b> \u2028\u2029 😀 \ud83d\ude00 \/ \\\" number ` + n + `"},"MsgType":"TIMTextElem"}]`)
	case 2:
		return json.RawMessage(`[{"MsgType":"TIMRelayElem","MsgContent":{"Title":"history","MsgNum":1,"CompatibleText":"…","AbstractList":["A: …"],"MsgList":[{"From_Account":"A","GroupId":"group1","MsgSeq":85,"MSGSEQ":86,"MsgRandom":3998651049,"MsgTimeStamp":1664437702,"MsgBody":[{"MsgContent":{"Text":"…"},"MsgType":"TIMTextElem"}]}]}}]`)
	case 3:
		return json.RawMessage(`[{"MsgType":"TIMLocationElem","MsgContent":{"Desc":"someone \uD83D","Latitude":29.340656774469956,"Longitude":116.77497920478824e0}}]`)
	case 4:
		return json.RawMessage(`[{"MsgType":"TIMImageElem","MsgContent":{"UUID":"1053D4B3D61040894AC3DE44CDF28B3EC7EB7C0F","ImageFormat":1,"ImageInfoArray":[{"Type":1,"Size":1853095,"Width":2448,"Height":3264,"URL":"http://xxx/3200490432214177468_144115198371610486_D61040894AC3DE44CDF28B3EC7EB7C0F/0"}]}}]`)
	case 5:
		return json.RawMessage(`[{"MsgType":"TIMFileElem","MsgContent":{"Url":"https://7492.cos.example/file?a=1&b=2","UUID":"` + n + `","FileSize":1773552,"FileName":"a \"b\".txt","Download_Flag":2}}]`)
	case 6:
		return json.RawMessage(`[ {"MsgType" : "TIMTextElem",` + "\n\t" + `"MsgContent" : {"Text" : "white  space"} } ]`)
	default:
		return MsgBody(TextElem("message " + n + " " + strings.Repeat("lorem ipsum ", int(seq%40))))
	}
}
