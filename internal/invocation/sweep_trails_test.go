package invocation_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// stateOf reads a stream's state.
func stateOf(t *testing.T, w *world.World, s chat.Stream) archive.State {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), layout.State(s))
	must(t, err)
	state, err := archive.ParseState(body)
	must(t, err)
	return state
}

// picture is a message with a file.
func picture(f *mediaemu.File) chatemu.Message {
	m := chatemu.Media{URL: f.URL(), Size: f.Size()}
	return chatemu.Message{From: "a", Time: time.Now().Unix(), Body: chatemu.MsgBody(chatemu.ImageElem(m, m, m))}
}

// A sweep archives all messages, then all files. What waits for a file is taken up by a later sweep, though the group has
// nothing new, and though it is gone.
func TestSweepTrails_FilesComeBehindAllMessagesAndAreNotForgotten(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		w := world.New(t, world.Options{Virtual: true, Env: map[string]string{"EXPORT_MEDIA": "on"}})
		var streams []chat.Stream
		bad := map[int]int{3: 4, 5: 4} // answers until the file comes: more than the tries of one batch
		for n := range 8 {
			s := w.Group(fmt.Sprintf("@TGS#%d", n), 30)
			spec := mediaemu.Spec{Content: mediaemu.Generated(uint64(n), 1000)}
			if times := bad[n]; times > 0 {
				spec.Troubles = []mediaemu.Trouble{{Times: times, Status: http.StatusServiceUnavailable}}
			}
			must(t, w.Chat.Append(s, picture(w.Media.Add(spec))))
			streams = append(streams, s)
		}
		time.Sleep(5 * time.Minute)
		first := sweepAll(t, w, `{}`, 1)[0]
		if first.Tally.Outcomes["complete"] != 8 || first.Tally.Files != 6 || first.Unreached != 0 {
			t.Errorf("first sweep: %+v", first)
		}
		for n, s := range streams {
			state := stateOf(t, w, s)
			if waits := bad[n] > 0; waits != (state.Media.Frontier < state.Frontier) || waits == state.Media.Due.IsZero() {
				t.Errorf("group %d: %+v of %d", n, state.Media, state.Frontier)
			}
		}
		must(t, w.Chat.Dissolve(streams[5].GroupID))
		time.Sleep(time.Hour)
		second := sweepAll(t, w, `{}`, 2)[1]
		if second.Tally.Files != 2 || second.Streams.Trails == 0 {
			t.Errorf("second sweep: %+v", second)
		}
		for n, s := range streams {
			if state := stateOf(t, w, s); state.Media.Frontier != state.Frontier || state.Status != archive.StatusComplete && n != 5 {
				t.Errorf("group %d is %s: %+v of %d", n, state.Status, state.Media, state.Frontier)
			}
		}
		calls, requests := w.Chat.Counters().Calls, w.Media.Counters().Requests
		time.Sleep(time.Hour)
		third := sweepAll(t, w, `{}`, 3)[2]
		if third.Streams.Trails != 0 || w.Media.Counters().Requests != requests {
			t.Errorf("third sweep: %+v", third)
		}
		t.Logf("%d calls of an idle sweep", w.Chat.Counters().Calls-calls)
	})
}

// Chunks of streams that have nothing new are looked at when they are due, for little more than the pages.
func TestSweepTrails_LooksCostAPageAChunk(t *testing.T) {
	long(t)
	t.Parallel()
	groups := 200
	if testing.Short() {
		groups = 40
	}
	bubble(t, func(t *testing.T) {
		w := world.New(t, world.Options{Virtual: true, Env: map[string]string{"EXPORT_LOOK": "72h"}})
		active := app(t, w, groups, 1, 0, func(int) int { return 20 })
		if _, first := costOf(t, w, `{}`, 1); first.Tally.Outcomes["complete"] != groups {
			t.Fatalf("first sweep: %+v", first)
		}
		time.Sleep(12 * time.Hour)
		if took, early := costOf(t, w, `{}`, 2); early.Streams.Idle != groups || early.Streams.Trails != 0 {
			t.Errorf("before its time: %+v, %+v", took, early.Streams)
		}
		time.Sleep(72 * time.Hour)
		took, report := costOf(t, w, `{}`, 3)
		if report.Streams.Trails != groups || report.Tally.Looked != int64(20*groups) || report.Tally.Changed != 0 {
			t.Errorf("looks: %+v, %+v", report.Streams, report.Tally)
		}
		perChunk := func(n int) float64 { return float64(n) / float64(groups) }
		t.Logf("a chunk: %.3f Chat calls, %.3f reads, %.3f writes", perChunk(took.calls), perChunk(took.reads), perChunk(took.writes))
		if perChunk(took.calls) > 1.2 || took.reads+took.writes+took.other > 6*groups+20 { // 20 for the sweep itself
			t.Errorf("looks took %+v", took)
		}
		for _, s := range active {
			if state := stateOf(t, w, s); state.Look.Frontier != state.Frontier {
				t.Fatalf("%s: looked up to %d of %d", s, state.Look.Frontier, state.Frontier)
			}
		}
		took, idle := costOf(t, w, `{}`, 4)
		if idle.Streams.Trails != 0 || took.calls > groups/10+20 {
			t.Errorf("an idle sweep: %+v, %+v", took, idle.Streams)
		}
	})
}
