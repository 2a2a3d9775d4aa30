package chatemu_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

// mixedStream fills group "g" with 60 messages: 1 to 20 have expired, 30 is recalled, 31 deleted, 32 never stored.
func mixedStream(tb testing.TB, s *chatemu.Server) {
	tb.Helper()
	plain(tb, s, 31)
	must(tb, s.Append(stream(), chatemu.Message{Kind: chatemu.KindStoreFail}))
	for range 28 {
		must(tb, s.Append(stream(), chatemu.Message{}))
	}
	must(tb, s.Recall(stream(), 30))
	must(tb, s.Delete(stream(), 31))
	must(tb, s.SetFloor(stream(), 21))
}

func TestQuirks_OfPages(t *testing.T) {
	t.Parallel()
	place := func(first element, seq chat.Seq, want int) bool { return first.Seq == seq && first.Place == want }
	tests := []struct {
		name   string
		quirks chatemu.Quirks
		seq    chat.Seq
		number int
		body   string // of the call, instead of seq and number
		check  func(a answer) bool
	}{
		{
			"count messages skips what is omitted",
			chatemu.Quirks{Counting: chatemu.CountMessages, Holes: chatemu.HoleIsOmitted},
			33, 4, "",
			func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{33, 30, 29, 28}) },
		},
		{
			"count messages ends at the floor",
			chatemu.Quirks{Counting: chatemu.CountMessages, Expired: chatemu.HoleIsOmitted},
			22, 20, "",
			func(a answer) bool {
				return slices.Equal(a.seqs(), []chat.Seq{22, 21}) && a.finished() == 2
			},
		},
		{
			"zero is empty",
			chatemu.Quirks{SeqZero: chatemu.ZeroIsEmpty},
			0, 20, "",
			func(a answer) bool { return a.ErrorCode == 0 && a.RspMsgList == nil },
		},
		{
			"zero is refused",
			chatemu.Quirks{SeqZero: chatemu.ZeroIsRefused},
			0, 20, "",
			func(a answer) bool { return a.ErrorCode == 10004 },
		},
		{
			"above the newest is empty",
			chatemu.Quirks{AboveNewest: chatemu.AboveIsEmpty},
			81, 20, "",
			func(a answer) bool { return a.RspMsgList == nil && a.finished() == 1 },
		},
		{
			"partly above the newest",
			chatemu.Quirks{AboveNewest: chatemu.AboveIsEmpty},
			62, 4, "",
			func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{60, 59}) },
		},
		{
			"recalled body empty",
			chatemu.Quirks{Recalled: chatemu.RecalledBodyEmpty},
			30, 1, "",
			func(a answer) bool {
				e := a.elements()[0]
				return e.Place == 2 && string(e.Body) == "[]" && e.Time != 0
			},
		},
		{
			"recalled marked by default",
			chatemu.Quirks{RecalledDefault: chatemu.RecalledIsMarked},
			0, 0, `{"GroupId":"g","ReqMsgNumber":1,"ReqMsgSeq":30}`,
			func(a answer) bool { return place(a.elements()[0], 30, 2) },
		},
		{
			"recalled omitted by default",
			chatemu.Quirks{RecalledDefault: chatemu.RecalledIsOmitted},
			0, 0, `{"GroupId":"g","ReqMsgNumber":1,"ReqMsgSeq":30,"WithRecalledMsg":0}`,
			func(a answer) bool { return a.RspMsgList == nil && a.finished() == 1 },
		},
		{
			"WithRecalledMsg ignored",
			chatemu.Quirks{RecalledIgnored: true},
			30, 1, "",
			func(a answer) bool { return place(a.elements()[0], 30, 1) },
		},
		{
			"expired omitted",
			chatemu.Quirks{Expired: chatemu.HoleIsOmitted},
			22, 20, "",
			func(a answer) bool {
				return slices.Equal(a.seqs(), []chat.Seq{22, 21}) && a.finished() == 2
			},
		},
		{
			"all expired, list absent",
			chatemu.Quirks{Expired: chatemu.HoleIsOmitted},
			20, 20, "",
			func(a answer) bool {
				return !bytes.Contains(a.Raw, []byte("RspMsgList")) && a.finished() == 2
			},
		},
		{
			"empty list null",
			chatemu.Quirks{Expired: chatemu.HoleIsOmitted, EmptyList: chatemu.EmptyListNull},
			20, 20, "",
			func(a answer) bool { return bytes.Contains(a.Raw, []byte(`"RspMsgList":null`)) },
		},
		{
			"empty list empty",
			chatemu.Quirks{Expired: chatemu.HoleIsOmitted, EmptyList: chatemu.EmptyListEmpty},
			20, 20, "",
			func(a answer) bool { return bytes.Contains(a.Raw, []byte(`"RspMsgList":[]`)) },
		},
		{
			"placeholder without body, sender and time",
			chatemu.Quirks{PlaceBody: chatemu.PlaceBodyAbsent, PlaceFrom: chatemu.PlaceFromAbsent, PlaceTime: chatemu.PlaceTimeAbsent},
			31, 1, "",
			func(a answer) bool {
				return string(a.RspMsgList[0]) == `{"IsPlaceMsg":1,"MsgPriority":2,"MsgRandom":0,"MsgSeq":31}`
			},
		},
		{
			"placeholder with body null and its time",
			chatemu.Quirks{PlaceBody: chatemu.PlaceBodyNull, PlaceTime: chatemu.PlaceTimeOriginal},
			31, 1, "",
			func(a answer) bool {
				e := a.elements()[0]
				return string(e.Body) == "null" && e.Time == 1426976500+31
			},
		},
		{
			"cut keeps the newest",
			chatemu.Quirks{PageBytes: 300},
			60, 20, "",
			func(a answer) bool {
				return slices.Equal(a.seqs(), []chat.Seq{60, 59}) && a.finished() == 0
			},
		},
		{
			"cut keeps the oldest",
			chatemu.Quirks{PageBytes: 300, Cut: chatemu.CutNewest},
			60, 20, "",
			func(a answer) bool {
				return slices.Equal(a.seqs(), []chat.Seq{42, 41}) && a.finished() == 0
			},
		},
		{
			"cut keeps one",
			chatemu.Quirks{PageBytes: 1},
			60, 20, "",
			func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{60}) },
		},
		{
			"cut page at the floor is not the end",
			chatemu.Quirks{PageBytes: 300},
			25, 20, "",
			func(a answer) bool { return a.finished() == 0 },
		},
		{
			"despite the cut it is",
			chatemu.Quirks{PageBytes: 300, Finished: chatemu.FinishedDespiteCut},
			25, 20, "",
			func(a answer) bool { return a.finished() == 2 && len(a.RspMsgList) == 2 },
		},
		{
			"2 when the page reaches the floor",
			chatemu.Quirks{},
			40, 20, "",
			func(a answer) bool { return a.finished() == 2 && a.elements()[19].Seq == 21 },
		},
		{"not one above it", chatemu.Quirks{}, 41, 20, "", func(a answer) bool { return a.finished() == 1 }},
		{"2 for a window that has expired only", chatemu.Quirks{Finished: chatemu.FinishedWindow}, 21, 20, "", func(a answer) bool { return a.finished() == 1 }},
		{"which this one is", chatemu.Quirks{Finished: chatemu.FinishedWindow}, 20, 20, "", func(a answer) bool { return a.finished() == 2 }},
		{"never 2", chatemu.Quirks{Finished: chatemu.FinishedNever}, 20, 20, "", func(a answer) bool { return a.finished() == 1 }},
		{"IsFinished omitted", chatemu.Quirks{FinishedOmitted: true}, 20, 20, "", func(a answer) bool { return a.IsFinished == nil }},
		{"NextReqMsgSeq", chatemu.Quirks{NextSeq: true}, 60, 20, "", func(a answer) bool { return a.NextSeq != nil && *a.NextSeq == 40 }},
		{"more than 20 refused", chatemu.Quirks{LargeNumber: chatemu.LargeIsRefused}, 60, 21, "", func(a answer) bool { return a.ErrorCode == 10004 }},
		{"content type", chatemu.Quirks{ContentType: true}, 60, 1, "", func(a answer) bool { return a.Header.Get("Content-Type") == "application/json" }},
		{"no content type", chatemu.Quirks{}, 60, 1, "", func(a answer) bool { return a.Header.Get("Content-Type") == "" }},
		{"pretty", chatemu.Quirks{PrettyEvery: 1}, 60, 1, "", func(a answer) bool {
			return bytes.Contains(a.Raw, []byte("\n\t\t{\n\t\t\t\"From_Account\": "))
		}},
		{
			"order of members",
			chatemu.Quirks{ShuffleKeys: true},
			60, 20, "",
			func(a answer) bool {
				return slices.ContainsFunc(a.RspMsgList, func(r json.RawMessage) bool { return !strings.HasPrefix(string(r), `{"From_Account"`) })
			},
		},
		{
			"bytes that are not UTF-8",
			chatemu.Quirks{InvalidUTF8Every: 59},
			60, 20, "",
			func(a answer) bool { return !utf8.Valid(a.RspMsgList[1]) && utf8.Valid(a.RspMsgList[0]) },
		},
		{"ReqMsgSeq ignored", chatemu.Quirks{IgnoreSeq: true}, 30, 2, "", func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{60, 59}) }},
		{
			"unsorted",
			chatemu.Quirks{Unsorted: true},
			60, 20, "",
			func(a answer) bool {
				seqs := a.seqs()
				wrong := !slices.Equal(seqs, down(60, 41))
				slices.Sort(seqs)
				slices.Reverse(seqs)
				return wrong && slices.Equal(seqs, down(60, 41))
			},
		},
		{"duplicate", chatemu.Quirks{Duplicate: true}, 60, 2, "", func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{60, 59, 60}) }},
		{"below the window", chatemu.Quirks{BelowWindow: true}, 60, 2, "", func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{60, 59, 56}) }},
		{"above the window", chatemu.Quirks{AboveWindow: true}, 50, 2, "", func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{57, 50, 49}) }},
		{"overlap", chatemu.Quirks{Overlap: 2}, 50, 2, "", func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{52, 51, 50, 49}) }},
		{"seq as text", chatemu.Quirks{SeqAsString: true}, 60, 1, "", func(a answer) bool { return bytes.Contains(a.Raw, []byte(`"MsgSeq":"60"`)) }},
		{"no seq", chatemu.Quirks{MissingSeq: true}, 60, 2, "", func(a answer) bool { return slices.Equal(a.seqs(), []chat.Seq{60, 0}) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := options()
			opts.Quirks = tt.quirks
			s := chatemu.New(opts)
			mixedStream(t, s)
			c := memory(t, s)
			var a answer
			if tt.body != "" {
				a = c.call(pagePath, tt.body)
			} else {
				a = c.page(tt.seq, tt.number)
			}
			if !tt.check(a) {
				t.Errorf("answer %s", a.Raw)
			}
		})
	}
}
