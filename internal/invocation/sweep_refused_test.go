package invocation_test

import (
	"bytes"
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

func TestAnIDThatNoStreamCanHaveIsReportedOnly(t *testing.T) {
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
