package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
)

// linksOf returns the links of an element with this MsgBody, one a line: path, kind, URL, size, name.
func linksOf(t *testing.T, body string) []string {
	t.Helper()
	e, err := chat.ScanElement([]byte(`{"MsgSeq":7,"MsgBody":` + body + `,"From_Account":"TIMFileElem"}`))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, l := range chat.Links(&e) {
		if l.Seq != 7 || l.N != i {
			t.Errorf("link %d of seq %d is (%d, %d)", i, e.Seq, l.Seq, l.N)
		}
		out = append(out, strings.TrimSpace(fmt.Sprint(l.Path, " ", l.Kind, " ", l.URL, " ", l.Size, " ", l.Name)))
	}
	return out
}

func TestLinks_AreFoundInEveryKindOfElement(t *testing.T) {
	t.Parallel()
	const (
		image = `{"MsgType":"TIMImageElem","MsgContent":{"UUID":"u","ImageInfoArray":[` +
			`{"Type":3,"Size":1,"URL":"https://h/thumb"},{"Type":1,"Size":90,"URL":"https://h/original"},{"Type":2,"Size":100,"URL":"https://h/large"}]}}`
		sound = `{"MsgType":"TIMSoundElem","MsgContent":{"Url":"https://h/s","Size":"12","Second":3}}`
		video = `{"MsgContent":{"VideoUrl":"https://h/v","VideoSize":7,"ThumbUrl":"https://h/t","ThumbSize":2},"MsgType":"TIMVideoFileElem"}`
		file  = `{"MsgType":"TIMFileElem","MsgContent":{"Url":"https:\/\/h\/f?a=1\u0026b","FileSize":5,"FileName":"a \u00fc.pdf"}}`
		text  = `{"MsgType":"TIMTextElem","MsgContent":{"Text":"https://h/not"}}`
	)
	for name, c := range map[string]struct {
		body string
		want []string
	}{
		"none": {`[` + text + `]`, nil},
		"all": {`[` + text + `,` + image + `,` + sound + `,` + video + `,` + file + `]`, []string{
			"1 image https://h/original 90", "2 sound https://h/s 12", "3 video https://h/v 7", "3 thumb https://h/t 2", "4 file https://h/f?a=1&b 5 a ü.pdf",
		}},
		"one object instead of a list": {file, []string{"0 file https://h/f?a=1&b 5 a ü.pdf"}},
		"white space":                  {"[ \n" + sound + " ,\t" + sound + " ]", []string{"0 sound https://h/s 12", "1 sound https://h/s 12"}},
		"original without URL": {
			`[{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"Size":90},{"Type":2,"Size":"8","URL":"l"},{"Type":3,"Size":9,"URL":"t"}]}}]`,
			[]string{"0 image t 9"},
		},
		"type is a string":   {`[{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":{"Type":"1","URL":"o"}}}]`, []string{"0 image o 0"}},
		"no URL at all":      {`[{"MsgType":"TIMImageElem","MsgContent":{"UUID":"u"}},{"MsgType":"TIMSoundElem"},{"MsgType":"TIMFileElem","MsgContent":null}]`, []string{"0 image  0", "1 sound  0", "2 file  0"}},
		"video without URLs": {`[{"MsgType":"TIMVideoFileElem","MsgContent":{"VideoUUID":"u","ThumbUrl":""}}]`, []string{"0 video  0"}},
		"only a thumb":       {`[{"MsgType":"TIMVideoFileElem","MsgContent":{"ThumbUrl":"t"}}]`, []string{"0 video  0", "0 thumb t 0"}},
		"URL is no string":   {`[{"MsgType":"TIMSoundElem","MsgContent":{"Url":7,"Size":-3}}]`, []string{"0 sound  0"}},
		"URL comes twice":    {`[{"MsgType":"TIMSoundElem","MsgContent":{"Url":"a","Url":"b"}}]`, []string{"0 sound b 0"}},
		"name with escapes":  {`[{"MsgType":"\u0054IMSoundElem","MsgC\u006fntent":{"Url":"a"}}]`, []string{"0 sound a 0"}},
		"other case":         {`[{"MsgType":"TIMSoundElem","MsgContent":{"URL":"a"}},{"msgtype":"TIMSoundElem"}]`, []string{"0 sound  0"}},
		"not objects":        {`[1,"TIMFileElem",null,[` + file + `],` + sound + `]`, []string{"4 sound https://h/s 12"}},
		"a URL elsewhere":    {`[{"MsgType":"TIMCustomElem","MsgContent":{"Url":"https://h/x","Data":"TIMFileElem"}}]`, nil},
		"merged": {
			`[` + text + `,{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[{"MsgBody":[` + text + `]},{"MsgBody":[` + text + `,` + sound + `,` +
				`{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[{"MsgBody":` + file + `}]}}]}]}},` + sound + `]`,
			[]string{"1.relay.1.1 sound https://h/s 12", "1.relay.1.2.relay.0.0 file https://h/f?a=1&b 5 a ü.pdf", "2 sound https://h/s 12"},
		},
		"merged, stored elsewhere": {
			`[{"MsgType":"TIMRelayElem","MsgContent":{"JsonMsgKey":"k"}},{"MsgType":"TIMRelayElem","MsgContent":{"PbMsgKey":"k","MsgList":null}},{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[],"JsonMsgKey":"k"}}]`,
			[]string{"0 relay  0", "1 relay  0"},
		},
	} {
		if diff := cmp.Diff(c.want, linksOf(t, c.body)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestLinks_OnlyMessagesHaveThem(t *testing.T) {
	t.Parallel()
	for _, member := range []string{`"IsPlaceMsg":1`, `"IsPlaceMsg":2`, `"IsSystemMsg":1`} {
		e, err := chat.ScanElement([]byte(`{"MsgSeq":7,"MsgBody":[{"MsgType":"TIMSoundElem"}],` + member + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := chat.Links(&e); got != nil {
			t.Errorf("%s: %v", member, got)
		}
	}
}

func TestLinks_MergedMessagesAreEnteredToADepthOf100(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]int{0: 1, 99: 1, 100: 1, 101: 0} {
		body := strings.Repeat(`{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[{"MsgBody":`, depth) + `{"MsgType":"TIMSoundElem"}` + strings.Repeat(`}]}}`, depth)
		if got := linksOf(t, body); len(got) != want {
			t.Errorf("%d deep: %v", depth, got)
		}
	}
}

// Whatever an element is, its links are found without a panic, and each of them in one place.
func FuzzLinks(f *testing.F) {
	for _, body := range []string{
		`[{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[{"MsgBody":[{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":1,"URL":"o"}]}}]}]}}]`,
		`[{"MsgType":"TIMVideoFileElem","MsgContent":{"VideoUrl":"v","ThumbUrl":"t"}},{"MsgType":"TIMRelayElem","MsgContent":{"JsonMsgKey":"k"}}]`,
		`{"MsgType":"TIMFileElem","MsgContent":{"FileSize":1773552,"FileName":"no-link.pdf"}}`,
	} {
		f.Add([]byte(`{"MsgSeq":7,"MsgBody":` + body + `}`))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := chat.ScanElement(raw)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for i, l := range chat.Links(&e) {
			if l.N != i || l.Seq != e.Seq || l.Path == "" || l.Size < 0 || seen[l.Path+l.Kind] {
				t.Fatalf("link %d is %+v", i, l)
			}
			seen[l.Path+l.Kind] = true
		}
	})
}

func BenchmarkLinks(b *testing.B) {
	page, _, err := chat.ScanPage(benchPage())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for i := range page.Elements {
			if chat.Links(&page.Elements[i]) != nil {
				b.Fatal("text has no links")
			}
		}
	}
}
