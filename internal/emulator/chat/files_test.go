package chatemu_test

import (
	"encoding/json"
	"testing"

	chatemu "chatexport/internal/emulator/chat"
)

// The members are those of the documentation's message formats.
func TestFiles_ElementsHaveTheMembersOfTheService(t *testing.T) {
	t.Parallel()
	file := chatemu.Media{URL: "https://a/x?imageMogr2/", UUID: "u", Name: "x.pdf", Size: 5, Width: 3, Height: 4, Seconds: 2, Format: "mp4"}
	old := chatemu.Media{UUID: "o", Name: "old.pdf", Size: 6}
	s, c := start(t, options())
	must(t, s.AddGroup(chatemu.Group{ID: "g"}))
	for _, tc := range []struct {
		name    string
		element json.RawMessage
		want    string
	}{
		{"image", chatemu.ImageElem(file, old, chatemu.Media{}), `{"MsgContent":{"UUID":"u","ImageFormat":255,"ImageInfoArray":[` +
			`{"Type":1,"Size":5,"Width":3,"Height":4,"URL":"https://a/x?imageMogr2/"},{"Type":2,"Size":6,"Width":0,"Height":0},{"Type":3,"Size":0,"Width":0,"Height":0}]},"MsgType":"TIMImageElem"}`},
		{"sound", chatemu.SoundElem(file), `{"MsgContent":{"Url":"https://a/x?imageMogr2/","UUID":"u","Size":5,"Second":2,"Download_Flag":2},"MsgType":"TIMSoundElem"}`},
		{"old sound", chatemu.SoundElem(old), `{"MsgContent":{"UUID":"o","Size":6,"Second":0},"MsgType":"TIMSoundElem"}`},
		{"video", chatemu.VideoElem(file, file), `{"MsgContent":{"VideoUrl":"https://a/x?imageMogr2/","VideoUUID":"u","VideoSize":5,"VideoSecond":2,` +
			`"VideoFormat":"mp4","VideoDownloadFlag":2,"ThumbUrl":"https://a/x?imageMogr2/","ThumbUUID":"u","ThumbSize":5,"ThumbWidth":3,"ThumbHeight":4,"ThumbFormat":"mp4","ThumbDownloadFlag":2},"MsgType":"TIMVideoFileElem"}`},
		{"old video", chatemu.VideoElem(old, chatemu.Media{}), `{"MsgContent":{"VideoUUID":"o","VideoSize":6,"VideoSecond":0,"VideoFormat":"",` +
			`"ThumbUUID":"uuid","ThumbSize":0,"ThumbWidth":0,"ThumbHeight":0,"ThumbFormat":""},"MsgType":"TIMVideoFileElem"}`},
		{"file", chatemu.FileElem(file), `{"MsgContent":{"Url":"https://a/x?imageMogr2/","UUID":"u","FileSize":5,"FileName":"x.pdf","Download_Flag":2},"MsgType":"TIMFileElem"}`},
		{
			"relay", chatemu.RelayElem(chatemu.Relayed{From: "A", Seq: 1, Time: 9, Body: chatemu.MsgBody(chatemu.TextElem("words"), chatemu.FileElem(old))}),
			`{"MsgContent":{"Title":"chat history","MsgNum":1,"CompatibleText":"this version cannot show merged messages","AbstractList":["A: ..."],"MsgList":[` +
				`{"From_Account":"A","GroupId":"relayed","MsgSeq":1,"MsgRandom":1216681718,"MsgTimeStamp":9,"MsgBody":[{"MsgContent":{"Text":"words"},"MsgType":"TIMTextElem"},` +
				`{"MsgContent":{"UUID":"o","FileSize":6,"FileName":"old.pdf"},"MsgType":"TIMFileElem"}]}]},"MsgType":"TIMRelayElem"}`,
		},
		{"large relay", chatemu.LargeRelayElem("k"), `{"MsgContent":{"Title":"chat history","MsgNum":90,"CompatibleText":"this version cannot show merged messages",` +
			`"AbstractList":["user1: ..."],"JsonMsgKey":"k"},"MsgType":"TIMRelayElem"}`},
	} {
		if string(tc.element) != tc.want {
			t.Errorf("%s: %s\nwant %s", tc.name, tc.element, tc.want)
		}
		must(t, s.Append(stream(), chatemu.Message{Body: chatemu.MsgBody(tc.element)}))
		if got := c.page(-1, 1).elements()[0].Body; compact(t, got) != "["+tc.want+"]" {
			t.Errorf("%s: a page has %s", tc.name, got)
		}
	}
}
