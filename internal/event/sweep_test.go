package event_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/event"
)

func TestContinuationsOfSweepsAndLanesAreReadBack(t *testing.T) {
	t.Parallel()
	const id = "20261122T083000Z-1f2e3d4c"
	for _, task := range []event.Task{
		{V: 1, Sweep: json.RawMessage(`{"types":["Public"]}`), Continue: &event.Continue{Sweep: &event.SweepContinue{ID: id, Part: 3}}},
		{V: 1, Sweep: json.RawMessage(`{}`), Continue: &event.Continue{Attempt: 2}},
		{V: 1, Continue: &event.Continue{Lane: &event.LaneContinue{Sweep: id, Lane: 1, Batch: 7}}},
	} {
		body, err := task.Encode()
		if err != nil {
			t.Fatal(err)
		}
		e := event.Decode(body)
		if len(e.Rejected) > 0 || len(e.Tasks) != 1 {
			t.Errorf("%s: %+v", body, e)
			continue
		}
		if diff := cmp.Diff(task, e.Tasks[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
		if len(body) > 200 {
			t.Errorf("the continuation has %d bytes", len(body))
		}
	}
}

func TestContinuationsThatNameNothingAreRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"v":1,"continue":{"sweep":{"id":"x","part":1}}}`,
		`{"v":1,"sweep":{},"continue":{"sweep":{"part":1}}}`,
		`{"v":1,"sweep":{},"continue":{"sweep":{"id":"x","part":-1}}}`,
		`{"v":1,"sweep":{},"continue":{"sweep":7}}`,
		`{"v":2,"continue":{"lane":{"sweep":"x","lane":0,"batch":0}}}`,
		`{"v":1,"continue":{"lane":{"sweep":"a b","lane":0,"batch":0}}}`,
		`{"v":1,"continue":{"lane":{"sweep":"x","lane":-1,"batch":0}}}`,
		`{"v":1,"continue":{"lane":{"sweep":"x","lane":0,"batch":-1}}}`,
		`{"v":1,"continue":{"lane":{"lane":0,"batch":1}}}`,
		`{"v":1,"continue":{"lane":[]}}`,
		`{"v":1,"group_id":"g","continue":{"lane":{"sweep":"x","lane":0,"batch":0}}}`,
		`{"v":1,"sweep":{},"continue":{"lane":{"sweep":"x","lane":0,"batch":0}}}`,
		`{"v":1,"continue":{}}`,
	} {
		if _, err := event.ParseTask([]byte(body)); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", body, err)
		}
	}
}

func TestOneEventDoesOneBatchOfALaneOnce(t *testing.T) {
	t.Parallel()
	lane := `{\"v\":1,\"continue\":{\"lane\":{\"sweep\":\"x\",\"lane\":0,\"batch\":4}}}`
	other := `{\"v\":1,\"continue\":{\"lane\":{\"sweep\":\"x\",\"lane\":1,\"batch\":4}}}`
	record := func(body string) string { return `{"CMQ":{"msgBody":"` + body + `"}}` }
	e := event.Decode([]byte(`{"Records":[` + record(lane) + `,` + record(lane) + `,` + record(other) + `]}`))
	if len(e.Tasks) != 2 || len(e.Rejected) != 0 {
		t.Errorf("%+v", e)
	}
}
