package invocation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/sweep"
)

// app fills a world with many groups, of which every n-th has messages, and some communities. It returns the streams
// that have messages.
func app(t testing.TB, w *world.World, groups, every, communities int, size func(n int) int) []chat.Stream {
	t.Helper()
	var active []chat.Stream
	for n := range groups {
		s := chat.Stream{GroupID: fmt.Sprintf("@TGS#%05d", n)}
		kind := []string{"Public", "Private", "ChatRoom", "Work", "Meeting"}[n%5]
		must(t, w.Chat.AddGroup(chatemu.Group{ID: s.GroupID, Type: kind, Name: "group " + s.GroupID, Owner: "owner"}))
		if n%every == 0 {
			must(t, w.Chat.Generate(s, size(n), chatemu.Varied))
			active = append(active, s)
		}
	}
	for n := range communities {
		s := chat.Stream{GroupID: fmt.Sprintf("@TGS#_@TGS#c%d", n)}
		must(t, w.Chat.AddGroup(chatemu.Group{ID: s.GroupID, Type: "Community", SupportTopics: true}))
		s.TopicID = s.GroupID + "@TOPIC#_@TOPIC#t"
		must(t, w.Chat.AddTopic(chatemu.Topic{GroupID: s.GroupID, ID: s.TopicID}))
		must(t, w.Chat.Generate(s, size(n), chatemu.Varied))
		active = append(active, s)
	}
	return active
}

// cost is what a sweep took.
type cost struct {
	calls, reads, writes, other int
}

// costOf fires a sweep, serves all that comes of it, and returns what that took and its report.
func costOf(t testing.TB, w *world.World, spec string, tick int) (cost, sweep.Report) {
	t.Helper()
	_, err := w.Queue.Push(sweepTask(t, spec, tick))
	must(t, err)
	calls := w.Chat.Counters().Calls
	w.COS.ResetCounts()
	_, failures := w.Drain(w.Instance())
	must(t, errors.Join(failures...))
	counts := w.COS.Counts()
	c := cost{
		calls: w.Chat.Counters().Calls - calls, reads: counts[cosemu.OpGet] + counts[cosemu.OpHead], writes: counts[cosemu.OpPut],
		other: counts[cosemu.OpGetVersioning],
	}
	all := reports(t, w)
	return c, all[len(all)-1]
}

func TestSweepCost_UnchangedGroupsCostNextToNothing(t *testing.T) {
	long(t)
	t.Parallel()
	groups, every, communities := 20_000, 200, 5
	if testing.Short() {
		groups = 2_000
	}
	bubble(t, func(t *testing.T) { secondSweep(t, groups, every, communities) })
}

func secondSweep(t *testing.T, groups, every, communities int) {
	t.Helper()
	w := world.New(t, world.Options{Virtual: true})
	active := app(t, w, groups, every, communities, func(n int) int { return 1 + n%70 })
	_, first := costOf(t, w, `{}`, 1)
	if first.Tally.Outcomes["complete"] != len(active) {
		t.Fatalf("first sweep: %+v", first)
	}
	results := len(sweepObjects(t, w, ".gz")) - len(infoAndPlans(t, w))
	took, second := costOf(t, w, `{}`, 2)
	if second.Streams.Idle != len(active) || second.Streams.Due != 0 || second.Streams.Empty != groups-groups/every {
		t.Errorf("second sweep: %+v", second)
	}
	all := groups + communities
	if most := (all+9_999)/10_000 + (all+49)/50 + communities + 5; took.calls > most {
		t.Errorf("%d Chat calls, at most %d are allowed", took.calls, most)
	}
	requests := took.reads + took.writes + took.other
	if most := 10 + results; requests > most {
		t.Errorf("%d COS requests %+v, at most %d are allowed (%d results)", requests, took, most, results)
	}
	t.Logf("%d groups: %d Chat calls, %d COS requests, %d of them for results", groups, took.calls, requests, results)
}

// infoAndPlans returns the compressed objects of sweeps that are no results.
func infoAndPlans(t testing.TB, w *world.World) []string {
	t.Helper()
	var keys []string
	for key := range sweepObjects(t, w, ".gz") {
		for _, kind := range []string{"/info-", "/plan-", "/known-"} {
			if strings.Contains(key, kind) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

func TestSweepCost_APageOfNewMessagesTakesFewCalls(t *testing.T) {
	long(t)
	t.Parallel()
	groups := 1000
	if testing.Short() {
		groups = 100
	}
	bubble(t, func(t *testing.T) { pageOfNews(t, groups) })
}

func pageOfNews(t *testing.T, groups int) {
	t.Helper()
	w := world.New(t, world.Options{Virtual: true})
	active := app(t, w, groups, 1, 0, func(int) int { return 3 })
	if _, first := costOf(t, w, `{}`, 1); first.Tally.Outcomes["complete"] != groups {
		t.Fatalf("first sweep: %+v", first)
	}
	for _, s := range active {
		must(t, w.Chat.Append(s, messages(20)...))
	}
	took, second := costOf(t, w, `{}`, 2)
	if second.Tally.Outcomes["complete"] != groups {
		t.Errorf("second sweep: %+v", second)
	}
	if took.calls > 2*groups || took.reads > 3*groups || took.writes > 4*groups {
		t.Errorf("%d groups took %+v", groups, took)
	}
	t.Logf("a group: %.3f Chat calls, %.3f reads, %.3f writes", float64(took.calls)/float64(groups),
		float64(took.reads)/float64(groups), float64(took.writes)/float64(groups))
	for _, s := range active[:20] {
		w.Verify(s)
	}
	took, third := costOf(t, w, `{}`, 3)
	if third.Streams.Idle != groups || took.reads+took.writes+took.other > 10+third.Groups.Total/100 {
		t.Errorf("third sweep: %+v, %+v", took, third.Streams)
	}
}
