package invocation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/sweep"
)

// sweepTask returns a timer's event for a sweep. Every call is another tick.
func sweepTask(t testing.TB, spec string, tick int) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]string{
		"Type": "Timer", "TriggerName": "sweep", "Message": `{"sweep":` + spec + `}`,
		"Time": time.Unix(1_700_000_000+int64(tick)*3600, 0).UTC().Format(time.RFC3339),
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// sweepAll fires one sweep, serves all that comes of it on one instance, and returns the reports of all sweeps so far.
func sweepAll(t testing.TB, w *world.World, spec string, tick int) []sweep.Report {
	t.Helper()
	if _, err := w.Queue.Push(sweepTask(t, spec, tick)); err != nil {
		t.Fatal(err)
	}
	_, failures := w.Drain(w.Instance())
	if err := errors.Join(failures...); err != nil {
		t.Fatalf("invocations failed: %v", err)
	}
	return reports(t, w)
}

// sweepObjects returns the sweeps' objects whose names end in suffix, in order of their names.
func sweepObjects(t testing.TB, w *world.World, suffix string) map[string][]byte {
	t.Helper()
	found := make(map[string][]byte)
	for entry, err := range w.Store.List(t.Context(), layout.SweepPrefix, "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(entry.Key, suffix) {
			continue
		}
		body, _, err := w.Store.Get(t.Context(), entry.Key)
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Key] = body
	}
	return found
}

// reports returns the reports of all sweeps, oldest first as far as their seconds differ.
func reports(t testing.TB, w *world.World) []sweep.Report {
	t.Helper()
	var list []sweep.Report
	for key, body := range sweepObjects(t, w, "/report.json") {
		var r sweep.Report
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b sweep.Report) int { return a.PlannedAt.Compare(b.PlannedAt) })
	return list
}

func TestSweep_ArchivesEveryGroupAndTheNextFindsNothingToDo(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	var streams []chat.Stream
	for n := range 12 {
		streams = append(streams, w.Group(fmt.Sprintf("@TGS#g%d", n), n*9))
	}
	must(t, w.Chat.AddGroup(chatemu.Group{ID: "@TGS#_@TGS#c", Type: "Community", SupportTopics: true}))
	for n := range 2 {
		s := chat.Stream{GroupID: "@TGS#_@TGS#c", TopicID: fmt.Sprintf("@TGS#_@TGS#c@TOPIC#_t%d", n)}
		must(t, w.Chat.AddTopic(chatemu.Topic{GroupID: s.GroupID, ID: s.TopicID}))
		must(t, w.Chat.Generate(s, 25, chatemu.Varied))
		streams = append(streams, s)
	}
	must(t, w.Chat.AddGroup(chatemu.Group{ID: "@TGS#live", Type: "AVChatRoom"}))

	first := sweepAll(t, w, `{}`, 1)
	for _, s := range streams[1:] {
		w.Verify(s)
	}
	if len(first) != 1 || first[0].Streams.Due != 13 || first[0].Tally.Outcomes["complete"] != 13 || first[0].Streams.Empty != 1 {
		t.Errorf("report of the first sweep: %+v", first)
	}
	if got := first[0].Skipped.First; len(got) != 1 || got[0].GroupID != "@TGS#live" {
		t.Errorf("skipped: %+v", got)
	}
	before := w.Chat.Counters().Commands["group_msg_get_simple"]
	second := sweepAll(t, w, `{}`, 2)
	if len(second) != 2 || second[1].Streams.Idle != 13 || second[1].Streams.Due != 0 {
		t.Errorf("report of the second sweep: %+v", second)
	}
	if pages := w.Chat.Counters().Commands["group_msg_get_simple"] - before; pages != 0 {
		t.Errorf("the second sweep read %d pages", pages)
	}
}
