package invocation_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
)

// infoLines returns the groups of all parts of all sweeps, as the snapshot has them, and the number of parts.
func infoLines(t testing.TB, w *world.World) (groups map[string]map[string]any, parts int) {
	t.Helper()
	groups = make(map[string]map[string]any)
	for key, body := range sweepObjects(t, w, ".gz") {
		if !strings.Contains(key, "/info-") {
			continue
		}
		parts++
		zip, err := gzip.NewReader(bytes.NewReader(body))
		must(t, err)
		text, err := io.ReadAll(zip)
		must(t, err)
		for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if n == 0 {
				continue
			}
			var fields map[string]any
			must(t, json.Unmarshal([]byte(line), &fields))
			id := fields["group_id"].(string)
			if groups[id] != nil {
				t.Errorf("%s is in two parts", id)
			}
			groups[id] = fields
		}
	}
	return groups, parts
}

func TestSweepParts_SeeEveryGroupOnce(t *testing.T) {
	long(t)
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 2 * time.Second, Chat: chatemu.Options{Latency: 50 * time.Millisecond}, Env: map[string]string{"CHAT_QPS": "10"}})
		active := app(t, s.World, 3000, 500, 3, func(int) int { return 4 })
		s.sweepOnce(`{}`, 1)
		groups, parts := infoLines(t, s.World)
		if len(groups) != 3003 || parts < 4 {
			t.Errorf("%d groups in %d parts", len(groups), parts)
		}
		if g := groups["@TGS#00007"]; g["name"] != "group @TGS#00007" || g["owner"] != "owner" || g["type"] != "ChatRoom" || g["create_time"] == nil {
			t.Errorf("the snapshot of a group: %v", g)
		}
		if calls := s.Chat.Counters().Commands["get_group_info"]; calls > 61+len(active)+parts {
			t.Errorf("%d calls for the information of 3003 groups in %d parts", calls, parts)
		}
		for _, stream := range active {
			s.Verify(stream)
		}
	})
}

func TestSweepTask_OnlyWhatIsAskedForIsSwept(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 20, 1, 1, func(int) int { return 4 })
		s.sweepOnce(`{"types":["Public","Work"],"exclude":["*5"]}`, 1)
		r := reports(t, s.World)[0]
		// The list knows old names only: Work and Private are one type to it.
		if r.Streams.Due != 10 || r.Groups.Types["Public"] != 2 || r.Groups.Types["Work"] != 4 || r.Groups.Types["Private"] != 4 {
			t.Errorf("%+v", r)
		}
		// What is outside now is remembered: it is neither gone nor exported again.
		s.sweepOnce(`{"include":["@TGS#0001?"]}`, 2)
		s.sweepOnce(`{}`, 3)
		for _, stream := range active {
			s.Verify(stream)
		}
		all := reports(t, s.World)
		if got := all[2].Streams; got.Idle != 15 || got.Due != 6 || all[2].Failures.Count != 0 {
			t.Errorf("%+v", got)
		}
		s.Push(sweepTask(t, `{"exlude":["*"]}`, 4))
		s.drain()
		if n := len(reports(t, s.World)); n != 3 {
			t.Errorf("a sweep with a misspelt member was done: %d reports", n)
		}
	})
}

func TestSweepReport_TellsWhatHadExpired(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		app(t, s.World, 5, 1, 0, func(int) int { return 40 })
		late := chat.Stream{GroupID: "@TGS#late"}
		must(t, s.Chat.AddGroup(chatemu.Group{ID: late.GroupID, FirstSeq: 101}))
		must(t, s.Chat.Generate(late, 40, plain))
		s.sweepOnce(`{}`, 1)
		r := reports(t, s.World)[0]
		if r.Expired.Count != 1 || r.Expired.First[0].GroupID != late.GroupID || r.Expired.First[0].Seqs != 100 {
			t.Errorf("expired: %+v", r.Expired)
		}
		warning := "messages had expired before they could be archived"
		if strings.Contains(s.Logs.String(), warning) {
			t.Error("a warning of what had expired before the archive began")
		}
		s.Verify(late)
		must(t, s.Chat.Generate(late, 240, plain))
		must(t, s.Chat.SetFloor(late, 341))
		s.sweepOnce(`{}`, 2)
		r = reports(t, s.World)[1]
		if r.Expired.Count != 1 || r.Expired.First[0].GroupID != late.GroupID || r.Expired.First[0].Seqs != 200 {
			t.Errorf("expired between two sweeps: %+v", r.Expired)
		}
		logs := s.Logs.String()
		if n := strings.Count(logs, warning); n != 1 || !strings.Contains(logs, `"lo":141,"hi":340,`) {
			t.Errorf("%d warnings, want one of 141 to 340", n)
		}
	})
}

func TestSweepLog_LinesAreFlat(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 5, 1, 0, func(int) int { return 4 })
		var once sync.Once
		s.Chat.SetOnCall(func(c chatemu.Call) {
			if c.Command == "group_msg_get_simple" {
				once.Do(func() { must(t, s.Chat.Dissolve(active[4].GroupID)) })
			}
		})
		s.sweepOnce(`{}`, 1)
		var lane map[string]any
		for line := range strings.Lines(s.Logs.String()) {
			var fields map[string]any
			must(t, json.Unmarshal([]byte(line), &fields))
			for name, value := range fields {
				switch value.(type) {
				case map[string]any, []any:
					t.Errorf("%s is not flat: %s", name, line)
				}
			}
			if fields["message"] == "lane" {
				lane = fields
			}
		}
		if lane["outcome_complete"] != float64(len(active)-1) || lane["outcome_unknown"] != float64(1) {
			t.Errorf("the lane's line: %v", lane)
		}
	})
}

// A second one of an event is no redelivery of the first, although both have the event's owner.
func TestSweepTask_OfTwoInOneEventBothAreDone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 20, 1, 0, func(int) int { return 4 })
		s.Push(cmq(`{"sweep":{"include":["@TGS#0000?"]}}`, `{"sweep":{"include":["@TGS#0001?"]}}`))
		s.drain()
		for _, stream := range active {
			s.Verify(stream)
		}
		if logs := s.Logs.String(); !strings.Contains(logs, `"outcome":"waiting"`) || strings.Contains(logs, "already_running") {
			t.Error("the second sweep did not wait for the first")
		}
	})
}

// A lane in which nothing works at all must not fail for every stream of its plan.
func TestLane_ThatIsRefusedEverythingStops(t *testing.T) {
	long(t)
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		active := app(t, s.World, 200, 1, 0, func(int) int { return 5 })
		s.Chat.SetFault(func(c chatemu.Call) *chatemu.Fault {
			if c.Command == "group_msg_get_simple" {
				return &chatemu.Fault{ErrorCode: 60010}
			}
			return nil
		})
		s.sweepOnce(`{}`, 1)
		if n := s.pages(); n > 2*3*40 {
			t.Errorf("%d pages were asked for although every one was refused", n)
		}
		s.Chat.SetFault(nil)
		s.sweepOnce(`{}`, 2)
		for _, stream := range active[:10] {
			s.Verify(stream)
		}
		all := reports(t, s.World)
		if last := all[len(all)-1]; last.Tally.Outcomes["complete"] != 200 {
			t.Errorf("the next sweep: %+v", last.Tally)
		}
	})
}
