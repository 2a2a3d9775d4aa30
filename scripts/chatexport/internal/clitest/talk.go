package clitest

import (
	"fmt"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/emulator/media/sample"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/testdata"
)

// TalkStart is when the first message of Talk was sent: 2024-01-02 22:00 UTC, seconds since 1970. The next ones follow by the
// minute, so that a day ends among them.
const TalkStart = 1704232800

// nextNight writes the receipt of a look a day later at [lo, hi], in which all seqs but those of these lines are the same.
func (b *Builder) nextNight(lo, hi chat.Seq, lines ...archive.ChangeLine) {
	b.t.Helper()
	var w archive.ChangeWriter
	for _, line := range lines {
		if err := w.Add(line); err != nil {
			b.t.Fatal(err)
		}
	}
	if same := int64(hi-lo+1) - int64(len(lines)); same > 0 {
		w.Count(archive.ChangeSame, same)
	}
	r, err := w.Receipt(archive.ReceiptMeta{
		Lo: lo, Hi: hi, From: TalkStart + 90000, To: TalkStart + 90060, Run: "run", Writer: "writer", Previous: b.look,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.look = r.Meta.SHA256
	b.write(layout.Change(b.Stream, lo), objstore.Write{Body: r.Body, ContentType: "application/gzip", Metadata: archive.Change().Metadata(r.Meta)})
}

// Differs is what a look found of a message, which is given as it was archived and as it is now, empty if it was or is not there.
func Differs(seq chat.Seq, kind, was, now string) archive.ChangeLine {
	line := archive.ChangeLine{Seq: seq, Kind: kind, SeenAt: TalkStart + 90030}
	if was != "" {
		line.Was = archivetest.Hash([]byte(lineOf(was)))
	}
	if now != "" {
		line.Now = []byte(lineOf(now))
	}
	return line
}

// lineOf is an element as a chunk of the group Talk has it.
func lineOf(element string) string { return `{"GroupId":"` + talkGroup + `",` + element[1:] }

const talkGroup = "@TGS#talk"

// Said is a message's element.
func Said(seq chat.Seq, from, parts string) string {
	return fmt.Sprintf(`{"From_Account":%q,"IsPlaceMsg":0,"MsgBody":[%s],"MsgRandom":%d,"MsgSeq":%d,"MsgTimeStamp":%d}`,
		from, parts, seq, seq, TalkStart+60*int64(seq))
}

// Text is a part with a text.
func Text(text string) string {
	return fmt.Sprintf(`{"MsgContent":{"Text":%q},"MsgType":"TIMTextElem"}`, text)
}

// Talk writes the archive of the group @TGS#talk, which has everything that a person may see in one: its first 4 messages had
// expired; 5 is a tip with nicknames; pictures, a sound, a video, files, merged messages; 30 was edited, 31 recalled, 32
// deleted, 33 found, 34 is missing; 35 to 39 are absent, 40 is malformed, 41 and 42 are placeholders; 43 to 60 expired before a
// later run; then messages of the next day up to 160.
func Talk(t testing.TB, store archivetest.Store) *Builder {
	t.Helper()
	s := chat.Stream{GroupID: talkGroup}
	inner := archivetest.Build(t, store, s, 5)
	b := &Builder{Builder: inner, t: t, store: store, receipt: inner.Link.SHA256, look: inner.Link.SHA256}
	elements := archivetest.Elements(t, talkFirst()...)
	elements = append(elements, chat.NewMalformed(40, []byte(`{"MsgSeq":`)))
	elements = append(elements, archivetest.Elements(t, `{"IsPlaceMsg":1,"MsgBody":[],"MsgSeq":41,"MsgTimeStamp":0}`, `{"IsPlaceMsg":1,"MsgBody":[],"MsgSeq":42,"MsgTimeStamp":0}`)...)
	b.Chunk(42, elements...)
	png, jpeg := b.Blob(string(sample.PNG(7)), "image/png"), b.Blob(string(sample.JPEG(8)), "image/jpeg")
	svg := b.Blob(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert("svg")</script></svg>`, "image/svg+xml")
	html := b.Blob(`<!doctype html><script>alert("html")</script>`, "text/html")
	b.Receipt(5, 42, elements, png, jpeg, b.Blob(string(sample.WAV(9)), "audio/wav"), archive.MediaLine{State: archive.MediaGone, Code: "http_404"}, png,
		b.Blob(string(sample.PDF("Minutes")), "application/pdf"), svg, html, jpeg)
	b.Manifest(archive.StatusPartial)
	b.Expired(60)
	var later []string
	for seq := chat.Seq(61); seq <= 160; seq++ {
		later = append(later, Said(seq+60, []string{"ann", "bob", "u3"}[seq/4%3], Text(fmt.Sprintf("message %d of a quiet afternoon", seq))))
	}
	for i := range later {
		later[i] = strings.Replace(later[i], fmt.Sprintf(`"MsgSeq":%d,`, 121+i), fmt.Sprintf(`"MsgSeq":%d,`, 61+i), 1)
	}
	b.Chunk(160, archivetest.Elements(t, later...)...)
	b.Manifest(archive.StatusComplete)
	edited := Said(30, "ann", Text("We meet at nine."))
	found := Said(33, "bob", Text("I was late to the archive."))
	b.nextNight(5, 42,
		Differs(30, archive.ChangeEdited, edited, Said(30, "ann", Text("We meet at TEN."))),
		Differs(31, archive.ChangeRecalled, Said(31, "bob", Text("I should not have said that.")), `{"From_Account":"bob","IsPlaceMsg":2,"MsgBody":[],"MsgSeq":31,"MsgTimeStamp":1704234660}`),
		Differs(32, archive.ChangeDeleted, Said(32, "u3", Text("An admin removed this.")), `{"IsPlaceMsg":1,"MsgBody":[],"MsgSeq":32,"MsgTimeStamp":0}`),
		Differs(33, archive.ChangeFound, "", found),
		Differs(34, archive.ChangeMissing, Said(34, "u3", Text("Nobody knows where I went.")), ""),
	)
	b.State(nil)
	return b
}

func talkFirst() []string {
	const link = "https://a.myqcloud.com/"
	return []string{
		`{"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,"MsgBody":{"OpType":1,"Operator_Account":"ann","List_Account":["bob","u3"],"MsgMemberExtraInfo":[{"UserId":"bob","NickName":"Bob Builder"},{"UserId":"u3","NickName":"慧玲"}],"MsgOperatorMemberExtraInfo":{"UserId":"ann","NickName":"Ann Example"}},"MsgSeq":5,"MsgTimeStamp":1704233100}`,
		Said(6, "ann", Text("Good evening, all!\nTwo lines, and a long one: "+strings.Repeat("words that go on ", 12))),
		Said(7, "bob", `{"MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"`+link+`1.png"}]},"MsgType":"TIMImageElem"}`),
		Said(8, "bob", Text("That is the picture.")+`,{"MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"`+link+`2.jpg"}]},"MsgType":"TIMImageElem"}`),
		Said(9, "u3", `{"MsgContent":{"Url":"`+link+`s.wav","Second":3},"MsgType":"TIMSoundElem"}`),
		Said(10, "u3", `{"MsgContent":{"VideoUrl":"`+link+`v.mp4","ThumbUrl":"`+link+`t.png","VideoSecond":12},"MsgType":"TIMVideoFileElem"}`),
		Said(11, "ann", `{"MsgContent":{"Url":"`+link+`f","FileName":"Minutes of the meeting.pdf","FileSize":900},"MsgType":"TIMFileElem"}`),
		Said(12, "eve", `{"MsgContent":{"Url":"`+link+`g","FileName":"../../logo.svg","FileSize":9},"MsgType":"TIMFileElem"},{"MsgContent":{"Url":"`+link+`h","FileName":"page.html","FileSize":9},"MsgType":"TIMFileElem"}`),
		Said(13, "bob", `{"MsgContent":{"Title":"Chat of Ann and Eve","MsgList":[{"From_Account":"ann","MsgTimeStamp":1704233000,"MsgBody":[`+Text("Look at this")+`]},{"From_Account":"eve","MsgTimeStamp":1704233060,"MsgBody":[{"MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"`+link+`3.jpg"}]},"MsgType":"TIMImageElem"}]}]},"MsgType":"TIMRelayElem"}`),
		Said(14, "u3", Text("你好，世界。会议在九点开始吗？")),
		Said(15, "noa", Text("שלום לכולם, נתראה ב-9:00 בבוקר.")),
		Said(16, "omar", Text("مرحبا بالجميع، أراكم غدا.")),
		Said(17, "ann", Text("👍🏽 👨‍👩‍👧 🎉")),
		Said(18, "eve", Text("the invoice is in invoice\u202egnp.exe, trust me")),
		Said(19, "ann", `{"MsgContent":{"Data":"{\"vote\":3}","Desc":"Poll: where to eat?","Ext":"poll"},"MsgType":"TIMCustomElem"},{"MsgContent":{"Index":4,"Data":"tt04"},"MsgType":"TIMFaceElem"}`),
		Said(20, strings.Repeat("very-long-account-", 12), Text(strings.Repeat("Donaudampfschifffahrtsgesellschaft", 8))),
		Said(30, "ann", Text("We meet at nine.")),
		Said(31, "bob", Text("I should not have said that.")),
		Said(32, "u3", Text("An admin removed this.")),
		Said(34, "u3", Text("Nobody knows where I went.")),
	}
}

// HostileTalk writes the archive of the group "hostile", of testdata.Hostile. No file of it is stored.
func HostileTalk(t testing.TB, store archivetest.Store) *Builder {
	t.Helper()
	b := Build(t, store, chat.Stream{GroupID: "hostile"})
	lines := strings.Split(strings.TrimSpace(string(testdata.Hostile())), "\n")
	b.Chunk(chat.Seq(len(lines)), archivetest.Elements(t, lines...)...)
	b.Manifest(archive.StatusComplete)
	return b
}

// TalkStream is the stream of Talk.
func TalkStream() chat.Stream { return chat.Stream{GroupID: talkGroup} }
