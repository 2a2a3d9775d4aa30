package chat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"chatexport/internal/chat"
)

// benchPage is a full page as it usually comes: compact, twenty short messages.
func benchPage() []byte {
	var b bytes.Buffer
	b.WriteString(`{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"GroupId":"@TGS#15ERQPAER","IsFinished":1,"RspMsgList":[`)
	for i := range chat.PageSize {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"From_Account":"user%d","IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Text":"晚上好，今天的会议改到三点 meeting room %d \"quoted\""},"MsgType":"TIMTextElem"}],`+
			`"MsgPriority":2,"MsgRandom":%d,"MsgSeq":%d,"MsgTimeStamp":1700000000,"CloudCustomData":"{\"ref\":%d}"}`, i, i, 4000000000+i, 1000-i, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkScanPage(b *testing.B) {
	body := benchPage()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := chat.ScanPage(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanPagePretty(b *testing.B) {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, benchPage(), "", "\t"); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(pretty.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := chat.ScanPage(pretty.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSON is what the scanner is measured against: the plain way to the same result.
func BenchmarkEncodingJSON(b *testing.B) {
	body := benchPage()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var page struct {
			ActionStatus string
			ErrorCode    int
			ErrorInfo    string
			IsFinished   int
			RspMsgList   []json.RawMessage
		}
		if err := json.Unmarshal(body, &page); err != nil {
			b.Fatal(err)
		}
		for _, raw := range page.RspMsgList {
			var element struct {
				MsgSeq, MsgTimeStamp    int64
				IsPlaceMsg, IsSystemMsg int
			}
			if err := json.Unmarshal(raw, &element); err != nil {
				b.Fatal(err)
			}
		}
	}
}
