package chatemu_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
)

func TestQuirks_OfErrors(t *testing.T) {
	t.Parallel()
	opts := options()
	s := chatemu.New(opts)
	must(t, s.AddGroup(chatemu.Group{ID: "live", Type: "AVChatRoom"}))
	must(t, s.AddGroup(chatemu.Group{ID: "c", SupportTopics: true}))
	c := memory(t, s)
	for _, tt := range []struct {
		quirks     chatemu.Quirks
		path, body string
		code       int
	}{
		{chatemu.Quirks{AVChatRoom: chatemu.AVChatRoomPermission}, pagePath, `{"GroupId":"live","ReqMsgNumber":1}`, 10007},
		{chatemu.Quirks{AVChatRoom: chatemu.AVChatRoomEmpty}, pagePath, `{"GroupId":"live","ReqMsgNumber":1}`, 0},
		{chatemu.Quirks{UnknownGroup: chatemu.UnknownGroupBad}, pagePath, `{"GroupId":"none","ReqMsgNumber":1}`, 10015},
		{chatemu.Quirks{UnknownTopic: chatemu.UnknownTopicDeleted}, pagePath, `{"GroupId":"c","TopicId":"t","ReqMsgNumber":1}`, 110003},
		{chatemu.Quirks{TopicsOff: true}, topicPath, `{"GroupId":"c","From_Account":"a"}`, 11000},
		{chatemu.Quirks{}, topicPath, `{"GroupId":"c","From_Account":"a"}`, 0},
	} {
		s.SetQuirks(tt.quirks)
		if a := c.call(tt.path, tt.body); a.ErrorCode != tt.code || a.RspMsgList != nil {
			t.Errorf("%+v: %s, want code %d", tt.quirks, a.Raw, tt.code)
		}
	}
}

func TestQuirks_PageIsEmptyOnce(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Quirks.EmptyOnceEvery = 2
	s := chatemu.New(opts)
	mixedStream(t, s)
	c := memory(t, s)
	var got []int
	for _, seq := range []chat.Seq{60, 60, 59, 58, 58} {
		got = append(got, len(c.page(seq, 20).RspMsgList))
	}
	if diff := cmp.Diff([]int{0, 20, 20, 0, 20}, got); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
}

func TestQuirks_NewestMessagesMayBeSeenLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := chatemu.New(options())
		plain(t, s, 2)
		must(t, s.Append(stream(), chatemu.Message{HideFor: time.Minute}, chatemu.Message{HidePages: 2}, chatemu.Message{}))
		c := memory(t, s)
		seen := func() []int {
			var places []int
			for _, e := range c.page(-1, 4).elements() {
				places = append(places, e.Place)
			}
			return places
		}
		for i, want := range [][]int{{0, 1, 1, 0}, {0, 1, 1, 0}, {0, 0, 1, 0}} {
			if diff := cmp.Diff(want, seen()); diff != "" {
				t.Errorf("page %d (-want +got):\n%s", i+1, diff)
			}
		}
		s.SetQuirks(chatemu.Quirks{Late: chatemu.HoleIsOmitted})
		if diff := cmp.Diff([]int{0, 0, 0}, seen()); diff != "" {
			t.Errorf("omitted (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]int{0, 0, 0, 0}, seen()); diff != "" {
			t.Errorf("a minute later (-want +got):\n%s", diff)
		}
	})
}

func TestPage_AnswerAboveTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.MaxAnswer = 1000
	s := chatemu.New(opts)
	plain(t, s, 20)
	c := memory(t, s)
	if a := c.page(-1, 20); a.ErrorCode != 10018 {
		t.Errorf("20 messages: %s, want 10018", a.Raw)
	}
	if a := c.page(-1, 3); a.ErrorCode != 0 || len(a.RspMsgList) != 3 {
		t.Errorf("3 messages: %s", a.Raw)
	}
}

// TestQuirks_EveryCombinationCanBeReadWhole pulls with the simplest right client: downwards by the smallest seq, stepping
// down on empty pages, and asking for missing seqs once more, one by one.
func TestQuirks_EveryCombinationCanBeReadWhole(t *testing.T) {
	t.Parallel()
	combinations := chatemu.Sample(append(chatemu.Readings(), chatemu.Violations()...), 1, 24)
	for i, q := range combinations {
		s := chatemu.New(options())
		must(t, s.AddGroup(chatemu.Group{ID: "g"}))
		must(t, s.Generate(stream(), 90, chatemu.Varied))
		must(t, s.SetFloor(stream(), chat.Seq(i%91+1)))
		s.SetQuirks(q)
		c := memory(t, s)
		got := map[chat.Seq]string{}
		take := func(a answer) (smallest chat.Seq) {
			for j, e := range a.elements() {
				got[e.Seq] = compact(t, a.RspMsgList[j])
				if smallest == 0 || e.Seq < smallest {
					smallest = e.Seq
				}
			}
			return smallest
		}
		for cur := chat.Seq(90); cur > 0; {
			if m := take(c.page(cur, 20)); m > 0 && m <= cur {
				cur = m - 1
			} else {
				cur -= 20
			}
		}
		truth, _, err := s.Truth(stream())
		must(t, err)
		for r := range truth {
			for range 2 {
				if _, ok := got[r.Seq]; !ok {
					take(c.page(r.Seq, 1))
				}
			}
			if want := r.JSON; (want == nil) != (got[r.Seq] == "") || (want != nil && compact(t, want) != got[r.Seq]) {
				t.Fatalf("combination %d %+v: seq %d:\ngot  %s\nwant %s", i, q, r.Seq, got[r.Seq], want)
			}
		}
	}
}
