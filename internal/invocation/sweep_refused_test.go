package invocation_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// failuresOf returns what the newest report says of failures: outcome and code, by group and topic, or by type.
func failuresOf(t testing.TB, w *world.World) map[string]string {
	t.Helper()
	all := reports(t, w)
	if len(all) == 0 {
		t.Fatal("no sweep came to its report")
	}
	failures := make(map[string]string)
	for _, f := range all[len(all)-1].Failures.First {
		key := chat.Stream{GroupID: f.GroupID, TopicID: f.TopicID}.String()
		if f.GroupID == "" {
			key = f.Type
		}
		failures[key] = f.Outcome + " " + f.Code
	}
	return failures
}

// refuse makes a command answer with a code where its request has a text.
func refuse(command, text string, code int) chatemu.FaultFunc {
	return chatemu.FaultIf(func(c chatemu.Call) bool {
		return c.Command == command && bytes.Contains(c.Body, []byte(text))
	}, chatemu.Fault{ErrorCode: code})
}

func TestUnlisted_AGroupThatCannotBeLookedAtStopsNobody(t *testing.T) {
	long(t)
	t.Parallel()
	for _, code := range []int{110099, 60008, 10007} { // unknown, transient, refused
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{})
				active := app(t, s.World, 120, 1, 3, func(n int) int { return 1 + n%30 })
				bad, community := active[33], active[121]
				s.sweepOnce(`{}`, 1)
				for _, stream := range active {
					must(t, s.Chat.Append(stream, old(5)...))
				}
				s.Chat.SetFault(chatemu.FaultAny(
					refuse("get_group_info", bad.GroupID, code), refuse("get_topic", community.GroupID, code),
				))
				s.sweepOnce(`{}`, 2)
				got := failuresOf(t, s.World)
				for _, stream := range active {
					s.Verify(stream) // those two as well: the engine goes on without what it is not told
				}
				if got[bad.String()] == "" || got[community.GroupID] != fmt.Sprint("topics_not_listed ", code) {
					t.Errorf("failures: %v", got)
				}
				s.Chat.SetFault(nil)
				s.sweepOnce(`{}`, 3)
				s.Verify(bad)
				s.Verify(community)
			})
		})
	}
}

func TestUnlisted_ATypeThatIsRefusedStopsNoOther(t *testing.T) {
	long(t)
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 20, 1, 2, func(int) int { return 30 })
		spec := `{"types":["Public","Private","ChatRoom","Community"]}`
		s.sweepOnce(spec, 1)
		for _, stream := range active {
			must(t, s.Chat.Append(stream, old(5)...))
		}
		s.Chat.SetFault(refuse("get_appid_group_list", `"Community"`, 11000))
		s.sweepOnce(spec, 2)
		for _, stream := range active { // the topics are known
			s.Verify(stream)
		}
		if got := failuresOf(t, s.World); got["Community"] != "type_not_listed 11000" || len(got) != 1 {
			t.Errorf("failures: %v", got)
		}
		if !strings.Contains(s.Logs.String(), "groups of this type cannot be listed") {
			t.Error("no warning of it")
		}
	})
}

func TestUnlisted_AnInvalidIDIsReportedOnly(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 5, 1, 0, func(int) int { return 30 })
		id := strings.Repeat("x", 129)
		s.Chat.SetFault(chatemu.FaultIf(func(c chatemu.Call) bool { return c.Command == "get_appid_group_list" }, chatemu.Fault{
			Mutate: func(body []byte) []byte {
				return bytes.Replace(body, []byte(`"GroupIdList":[`), []byte(`"GroupIdList":[{"GroupId":"`+id+`"},`), 1)
			},
		}))
		for tick := range 2 {
			s.sweepOnce(`{}`, 1+tick)
			if got := failuresOf(t, s.World); got[id] != "invalid_id invalid_id" || len(got) != 1 {
				t.Errorf("failures: %v", got)
			}
		}
		for _, stream := range active {
			s.Verify(stream)
		}
		if all := reports(t, s.World); all[0].Streams.Due != 5 || all[1].Streams.Idle != 5 {
			t.Errorf("%+v, then %+v", all[0].Streams, all[1].Streams)
		}
	})
}
