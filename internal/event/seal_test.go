package event_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/event"
)

func seal() event.Seal { return event.NewSeal("the app's key", "archive-1250000000", "chat/") }

// sealed are a run's continuation, another's attempt, and a sweep's continuation.
func sealed() []event.Task {
	return []event.Task{
		seal().Put(event.Task{GroupID: comm, TopicID: topic, V: 1, Continue: []byte(`{"cursor":41}`), Attempt: []byte(`{"n":1}`)}),
		seal().Put(event.Task{GroupID: plain, V: 1, Attempt: []byte(`{"n":2}`)}),
		seal().Put(event.Task{Sweep: []byte(sweep), V: 1, Continue: []byte(`{"id":"x","batch":1}`)}),
	}
}

func TestSeal_SurvivesWhatAQueueDoesToJSON(t *testing.T) {
	t.Parallel()
	for _, task := range sealed() {
		payload, err := task.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if err := json.Unmarshal(payload, &tree); err != nil {
			t.Fatal(err)
		}
		anew, err := json.MarshalIndent(tree, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range [][]byte{payload, anew} {
			got := event.Decode(body).Tasks
			if len(got) != 1 || !seal().Fits(got[0]) {
				t.Errorf("does not fit: %s", body)
			}
		}
	}
}

func TestSeal_CoversAllThatAnEventTells(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*event.Task){
		"another group":          func(c *event.Task) { c.GroupID += "x" },
		"another topic":          func(c *event.Task) { c.TopicID += "x" },
		"topic for group":        func(c *event.Task) { c.GroupID, c.TopicID = c.GroupID+c.TopicID, "" },
		"another sweep":          func(c *event.Task) { c.Sweep = []byte(`{"exclude":["*"]}`) },
		"another continuation":   func(c *event.Task) { c.Continue = append(c.Continue[:0:0], `{"cursor":42}`...) },
		"another attempt":        func(c *event.Task) { c.Attempt = []byte(`{"n":3}`) },
		"attempt for continuing": func(c *event.Task) { c.Continue, c.Attempt = c.Attempt, c.Continue },
		"no MAC":                 func(c *event.Task) { c.MAC = nil },
		"a part of the MAC":      func(c *event.Task) { c.MAC = c.MAC[:16] },
	} {
		for n, task := range sealed() {
			forged := task
			change(&forged)
			if cmp.Equal(task, forged) {
				continue
			}
			if seal().Fits(forged) {
				t.Errorf("%s: task %d fits", name, n)
			}
		}
	}
	for name, other := range map[string]event.Seal{
		"key":    event.NewSeal("another key", "archive-1250000000", "chat/"),
		"bucket": event.NewSeal("the app's key", "archive-1250000001", "chat/"),
		"prefix": event.NewSeal("the app's key", "archive-1250000000", "chat2/"),
		"split":  event.NewSeal("the app's key", "archive-1250000000c", "hat/"),
	} {
		for n, task := range sealed() {
			if other.Fits(task) {
				t.Errorf("task %d fits another %s", n, name)
			}
		}
	}
}

// FuzzSeal proves that no event fits but those that were sealed.
func FuzzSeal(f *testing.F) {
	for _, task := range sealed() {
		payload, err := task.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Add([]byte(`{"group_id":"a","v":1,"continue":"e30=","mac":""}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, got := range event.Decode(payload).Tasks {
			genuine := false
			for _, task := range sealed() {
				genuine = genuine || got.GroupID == task.GroupID && got.TopicID == task.TopicID && len(got.Sweep) > 0 == (len(task.Sweep) > 0) &&
					bytes.Equal(got.Continue, task.Continue) && bytes.Equal(got.Attempt, task.Attempt)
			}
			if seal().Fits(got) && !genuine {
				t.Fatalf("fits: %s", payload)
			}
		}
	})
}
