package event_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/event"
)

const bom = "\uFEFF"

func TestByteOrderMark_IsNoPartOfATask(t *testing.T) {
	t.Parallel()
	group := event.Task{GroupID: "g"}
	for name, tt := range map[string]struct {
		payload string
		kind    event.Kind
		want    event.Task
	}{
		"in front of a task":              {bom + `{"group_id":"g"}`, event.KindInvoke, group},
		"twice":                           {bom + " " + bom + `{"group_id":"g"}`, event.KindInvoke, group},
		"behind white space":              {"\r\n " + bom + " \n{\"group_id\":\"g\"}\n", event.KindInvoke, group},
		"in front of a bare id":           {bom + "g", event.KindInvoke, group},
		"in front of digits":              {bom + "12", event.KindInvoke, event.Task{GroupID: "12"}},
		"in front of a quoted id":         {bom + `"g"`, event.KindInvoke, group},
		"within the quotes":               {`"` + bom + `g"`, event.KindInvoke, group},
		"in a timer's message":            {`{"Type":"Timer","TriggerName":"t","Message":"\ufeff{\"group_id\":\"g\"}"}`, event.KindTimer, group},
		"in a record":                     {`{"Records":[{"CMQ":{"msgBody":"\ufeff{\"group_id\":\"g\"}"}}]}`, event.KindCMQ, group},
		"in a task that is encoded twice": {`{"Records":[{"Ckafka":{"msgBody":"\"\ufeff{\\\"group_id\\\":\\\"g\\\"}\""}}]}`, event.KindCKafka, group},
		"in front of records":             {bom + `{"Records":[{"CMQ":{"msgBody":"g"}}]}`, event.KindCMQ, group},
		"in front of a timer's event":     {bom + `{"Type":"Timer","TriggerName":"t","Message":"g"}`, event.KindTimer, group},
		"in a list of groups":             {`{"groups":["` + bom + `g"]}`, event.KindInvoke, event.Task{Groups: []chat.Stream{{GroupID: "g"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := event.Decode([]byte(tt.payload))
			if diff := cmp.Diff([]event.Task{tt.want}, got.Tasks); diff != "" || got.Kind != tt.kind {
				t.Errorf("kind %s, tasks (-want +got):\n%s", got.Kind, diff)
			}
			compareRejected(t, nil, got.Rejected)
		})
	}
}

func TestBareID_IsNotTakenFromWhatIsNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ payload, reason string }{
		"only a byte order mark":           {bom, "empty"},
		"broken JSON behind a mark":        {bom + `{"group_id":`, "broken JSON"},
		"zero width space":                 {"g\u200Bh", "invisible"},
		"zero width space before a task":   {"\u200B{\"group_id\":\"g\"}", "invisible"},
		"marks of the direction of text":   {"\u202Eg", "invisible"},
		"broken JSON in a string":          {`"{\"group_id\":"`, "broken JSON"},
		"array in a string":                {`"[\"g\"]"`, "JSON within JSON"},
		"string in a string":               {`"\"g\""`, "JSON within JSON"},
		"task that is encoded three times": {`"\"{\\\"group_id\\\":\\\"g\\\"}\""`, "JSON within JSON"},
		"JSON in a list of groups":         {`{"groups":["{\"group_id\":\"g\"}"]}`, "groups[0]"},
		"invisible in a list of groups":    {`{"groups":["g\u200b"]}`, "invisible"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := event.Decode([]byte(tt.payload))
			if len(got.Tasks) != 0 {
				t.Errorf("tasks %+v", got.Tasks)
			}
			compareRejected(t, map[int]string{0: tt.reason}, got.Rejected)
			if len(got.Rejected) == 1 && string(got.Rejected[0].Body) != tt.payload && !strings.Contains(tt.payload, "Records") {
				t.Errorf("the payload is kept as %q", got.Rejected[0].Body)
			}
		})
	}
}

func TestNamedID_MayBeginLikeJSON(t *testing.T) {
	t.Parallel()
	got := event.Decode([]byte(`{"group_id":"{a}"}`))
	if diff := cmp.Diff([]event.Task{{GroupID: "{a}"}}, got.Tasks); diff != "" || len(got.Rejected) != 0 {
		t.Errorf("rejected %v, tasks (-want +got):\n%s", got.Rejected, diff)
	}
}
