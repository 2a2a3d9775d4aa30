package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chatexport/internal/chat"
	"chatexport/internal/event"
	"chatexport/testdata"
)

const (
	plain = "@TGS#15ERQPAER"
	comm  = "@TGS#_@TGS#cQVLVHIM62CJ"
	topic = "@TGS#_@TGS#cQVLVHIM62CJ@TOPIC#_TestTopic"
	sweep = `{"types": ["Public", "Private", "ChatRoom", "Community"]}`
)

type outcome struct {
	Kind     event.Kind
	Tasks    []event.Task
	Rejected map[int]string // n to a part of the reason
}

// golden says what every payload of testdata/events means.
func golden() map[string]outcome {
	one := func(kind event.Kind, tasks ...event.Task) outcome { return outcome{Kind: kind, Tasks: tasks} }
	refused := func(kind event.Kind, reason string) outcome {
		return outcome{Kind: kind, Rejected: map[int]string{0: reason}}
	}
	group := event.Task{GroupID: plain}
	return map[string]outcome{
		"timer.json":            one(event.KindTimer, group),
		"timer-bare.json":       one(event.KindTimer, group),
		"timer-object.json":     one(event.KindTimer, group),
		"timer-sweep.json":      one(event.KindTimer, event.Task{Sweep: []byte(sweep)}),
		"timer-empty.json":      refused(event.KindTimer, "timer's message is empty"),
		"cmq.json":              one(event.KindCMQ, group),
		"cmq-owner-string.json": one(event.KindCMQ, group),
		"cmq-tag-null.json":     one(event.KindCMQ, event.Task{GroupID: comm, TopicID: topic}),
		"cmq-continuation.json": one(event.KindCMQ, event.Task{GroupID: plain, V: 1, Continue: []byte(`{"cursor":100001,"after":1,"head":4294967295,"run":"20261121T114900Z-0badcafe","hop":1}`)}),
		"cmq-several.json": {
			Kind:     event.KindCMQ,
			Tasks:    []event.Task{{GroupID: "one"}, {Groups: []chat.Stream{{GroupID: "two"}}, Record: 2}},
			Rejected: map[int]string{1: "broken JSON"},
		},
		"ckafka.json": one(event.KindCKafka, group),
		"ckafka-batch.json": {
			Kind:     event.KindCKafka,
			Tasks:    []event.Task{{GroupID: "one"}, {GroupID: "two", Record: 2}},
			Rejected: map[int]string{1: "empty", 3: "a task is a JSON object or a group id"},
		},
		"task.json":                   one(event.KindInvoke, group),
		"task-topic.json":             one(event.KindInvoke, event.Task{GroupID: comm, TopicID: topic}),
		"task-groups.json":            one(event.KindInvoke, event.Task{Groups: []chat.Stream{{GroupID: "a"}, {GroupID: "b", TopicID: "b@TOPIC#_1"}}}),
		"task-sweep.json":             one(event.KindInvoke, event.Task{Sweep: []byte(sweep)}),
		"task-bare.json":              one(event.KindInvoke, group),
		"task-quoted.json":            one(event.KindInvoke, group),
		"task-digits.json":            one(event.KindInvoke, event.Task{GroupID: "90071992547409931234"}),
		"task-unknown-members.json":   one(event.KindInvoke, event.Task{GroupID: "a"}),
		"continuation.json":           one(event.KindInvoke, event.Task{GroupID: plain, V: 1, Continue: []byte(`{"cursor":4294967296,"after":4294867296,"head":4294967295,"run":"20261121T114900Z-0badcafe","hop":42}`)}),
		"attempt.json":                one(event.KindInvoke, event.Task{GroupID: plain, V: 1, Attempt: []byte(`{"n":2}`)}),
		"malformed-version.json":      refused(event.KindInvoke, "continuation of version 2"),
		"malformed-continuation.json": refused(event.KindInvoke, "continue is not base64"),
		"malformed-both.json":         refused(event.KindInvoke, "only one of"),
		"malformed-nothing.json":      refused(event.KindInvoke, "names nothing"),
		"malformed-json.json":         refused(event.KindInvoke, "broken JSON"),
		"malformed-topic-dash.json":   refused(event.KindInvoke, "reserved"),
		"malformed-empty.json":        refused(event.KindInvoke, "empty"),
		"malformed-records.json": {
			Kind:     event.KindCMQ,
			Rejected: map[int]string{0: "neither of CMQ", 1: "not a JSON object", 2: "cmq member of a record: ", 3: "empty"},
		},
	}
}

func payloads(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := fs.Glob(testdata.Events(), "*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no golden payloads: %v", err)
	}
	found := make(map[string][]byte, len(files))
	for _, file := range files {
		raw, err := fs.ReadFile(testdata.Events(), file)
		if err != nil {
			tb.Fatal(err)
		}
		found[file] = raw
	}
	return found
}

func TestGoldenPayloads_AreRead(t *testing.T) {
	t.Parallel()
	want := golden()
	found := payloads(t)
	for name := range want {
		if _, ok := found[name]; !ok {
			t.Errorf("testdata/events has no %s", name)
		}
	}
	for name, raw := range found {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expected, ok := want[name]
			if !ok {
				t.Fatalf("nobody says what %s means", name)
			}
			got := event.Decode(raw)
			if got.Kind != expected.Kind {
				t.Errorf("kind %s, want %s", got.Kind, expected.Kind)
			}
			if diff := cmp.Diff(expected.Tasks, got.Tasks, emptyIsNil()); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
			compareRejected(t, expected.Rejected, got.Rejected)
		})
	}
}

func emptyIsNil() cmp.Option {
	return cmp.Transformer("emptyIsNil", func(tasks []event.Task) []event.Task {
		if len(tasks) == 0 {
			return nil
		}
		return tasks
	})
}

func compareRejected(t *testing.T, want map[int]string, got []event.Rejection) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d rejections, want %d: %v", len(got), len(want), got)
	}
	for _, r := range got {
		reason, ok := want[r.N]
		if !ok || !strings.Contains(r.Reason.Error(), reason) {
			t.Errorf("record %d was rejected: %v, want %q", r.N, r.Reason, reason)
		}
		if !errors.Is(r.Reason, event.ErrInvalid) {
			t.Errorf("record %d: the reason does not wrap ErrInvalid: %v", r.N, r.Reason)
		}
	}
}

func TestRejection_OfWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	for name, tc := range map[string]struct{ payload, reason string }{
		"event larger than the platform sends": {strings.Repeat(" ", event.MaxEventBytes) + "a", "at most"},
		"task larger than a queue sends":       {`{"group_id":"` + strings.Repeat("a", 1<<20) + `"}`, "at most"},
		"hostile nesting":                      {deep, "broken JSON"},
		"control characters in a bare id":      {"a\x00b", "control characters"},
		"control characters in an id":          {`{"group_id":"a\u0007"}`, "control characters"},
		"bytes that are not UTF-8":             {"{\"group_id\":\"\xff\"}", "not UTF-8"},
		"a lone surrogate":                     {`{"group_id":"\ud800"}`, "damaged"},
		"overlong bare id":                     {strings.Repeat("a", 129), "at most 128"},
		"null":                                 {`null`, "a task is"},
		"array":                                {`["a"]`, "a task is"},
		"true":                                 {`true`, "a task is"},
		"only white space":                     {" \n", "empty"},
		"id of a wrong type":                   {`{"group_id":["a"]}`, "not a string"},
		"topic without group":                  {`{"topic_id":"a"}`, "names nothing"},
		"topic beside groups":                  {`{"groups":[{"group_id":"a"}],"topic_id":"a"}`, "topic_id without"},
		"no groups":                            {`{"groups":[]}`, "not an array of groups"},
		"sweep of a wrong type":                {`{"sweep":true}`, "sweep: "},
		"continuation of several groups":       {`{"groups":[{"group_id":"a"}],"v":1,"continue":"e30="}`, "belongs to one group"},
		"continuation without version":         {`{"group_id":"a","continue":"e30="}`, "version 0"},
		"attempt without version":              {`{"group_id":"a","attempt":"e30="}`, "version 0"},
		"continuation of nothing":              {`{"v":1,"continue":"e30="}`, "names nothing"},
		"continuation that is not base64":      {`{"group_id":"a","v":1,"continue":"{}"}`, "continue is not base64"},
		"attempt that is an array":             {`{"group_id":"a","v":1,"attempt":[1,2]}`, "attempt is not base64"},
		"records of a wrong type":              {`{"Records":{}}`, "not an array"},
		"a member twice":                       {`{"group_id":"a","group_id":"b"}`, "twice"},
		"records twice":                        {`{"Records":[],"Records":[{"CMQ":{"msgBody":"a"}}]}`, "twice"},
		"a body twice":                         {`{"Records":[{"CMQ":{"msgBody":"a","msgBody":"b"}}]}`, "twice"},
		"a record of two queues":               {`{"Records":[{"CMQ":{"msgBody":"a"},"Ckafka":{"msgBody":"b"}}]}`, "twice"},
		"a timer's message twice":              {`{"Type":"Timer","TriggerName":"t","Message":"a","Message":"b"}`, "twice"},
		"no records":                           {`{"Records":[]}`, "Records is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := event.Decode([]byte(tc.payload))
			if len(got.Tasks) != 0 {
				t.Errorf("tasks: %+v", got.Tasks)
			}
			compareRejected(t, map[int]string{0: tc.reason}, got.Rejected)
			if len(got.Rejected) == 1 && len(got.Rejected[0].Body) > 1<<20 {
				t.Errorf("the body kept has %d bytes", len(got.Rejected[0].Body))
			}
		})
	}
}

func TestRejection_OfSomeGroupsServesTheOthers(t *testing.T) {
	t.Parallel()
	got := event.Decode([]byte(`{"groups":["a",{"group_id":""},{"group_id":"b"},{"topic_id":"x"}]}`))
	want := []event.Task{{Groups: []chat.Stream{{GroupID: "a"}, {GroupID: "b"}}}}
	if diff := cmp.Diff(want, got.Tasks); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	compareRejected(t, map[int]string{0: "groups[1]"}, got.Rejected)
}

func TestDuplicates_HideNoContinuation(t *testing.T) {
	t.Parallel()
	for name, bodies := range map[string][]string{ // the last one is what one of the others is
		"groups":        {`a`, `{"group_id":"a","v":1,"continue":"AAAA"}`, `{"group_id":"a","v":1,"attempt":"AAAA"}`, `{"groups":["a"]}`},
		"continuations": {`{"group_id":"a","v":1,"continue":"AAAA"}`, `{"group_id":"b","v":1,"continue":"AAAA"}`, `{"v":1,"continue":"AAAA","group_id":"b"}`},
		"sweeps":        {`{"sweep":{}}`, `{"sweep":{},"v":1,"continue":"AAAA"}`, `{"sweep":{},"v":1,"continue":"AAAB"}`, `{"v":1,"sweep":{},"continue":"AAAA"}`},
	} {
		var records []string
		for _, body := range bodies {
			quoted, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, `{"CMQ":{"msgBody":`+string(quoted)+`}}`)
		}
		got := event.Decode([]byte(`{"Records":[` + strings.Join(records, ",") + `]}`))
		if len(got.Tasks) != len(bodies)-1 || len(got.Rejected) != 0 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestRejection_HasTheNumberOfItsRecord(t *testing.T) {
	t.Parallel()
	got := event.Decode([]byte(`{"Records":[{"CMQ":{"msgBody":"{"}},{"CMQ":{"msgBody":"ok"}},{"CMQ":{"topicName":"t","msgId":"7","msgBody":"["}}]}`))
	if len(got.Rejected) != 2 || got.Rejected[0].N != 0 || got.Rejected[1].N != 2 {
		t.Fatalf("rejections: %+v", got.Rejected)
	}
	if want := "cmq topicName t msgId 7"; got.Rejected[1].Source != want {
		t.Errorf("source %q, want %q", got.Rejected[1].Source, want)
	}
	if string(got.Rejected[1].Body) != "[" {
		t.Errorf("body %q", got.Rejected[1].Body)
	}
}

func TestRejection_NeverQuotesTheBody(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, payload := range []string{
		`{"group_id": "` + secret, `["` + secret + `"]`, `{"group_id":["` + secret + `"]}`,
		`{"note":"` + secret + `"}`, secret + "\x01", `{"group_id":"a","v":"` + secret + `"}`,
		`{"Records":[{"CMQ":"` + secret + `"}]}`, `{"Records":"` + secret + `"}`,
	} {
		got := event.Decode([]byte(payload))
		if len(got.Rejected) != 1 {
			t.Fatalf("%s: %+v", payload, got)
		}
		if strings.Contains(got.Rejected[0].Reason.Error(), secret) {
			t.Errorf("the reason repeats the body: %v", got.Rejected[0].Reason)
		}
	}
}

func TestTask_IsReadBackUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[!-~]{1,48}`)
		own := rapid.SliceOfN(rapid.Byte(), 1, 300)
		task := event.For(chat.Stream{GroupID: id.Draw(t, "group")})
		if rapid.Bool().Draw(t, "topic") {
			task.TopicID = "t" + id.Draw(t, "topic id")
		}
		if rapid.Bool().Draw(t, "continuation") {
			task.V, task.Continue = event.Version, own.Draw(t, "continue")
		}
		if rapid.Bool().Draw(t, "attempt") {
			task.V, task.Attempt = event.Version, own.Draw(t, "tried")
		}
		if rapid.Bool().Draw(t, "sealed") {
			task = seal().Put(task)
		}
		payload, err := task.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got := event.Decode(payload)
		if diff := cmp.Diff([]event.Task{task}, got.Tasks); diff != "" || len(got.Rejected) != 0 {
			t.Fatalf("%s: %v (-want +got):\n%s", payload, got.Rejected, diff)
		}
	})
}

func TestTask_IsRefusedWhereNoEventCouldHoldIt(t *testing.T) {
	t.Parallel()
	task := event.Task{Groups: make([]chat.Stream, 5000)}
	for i := range task.Groups {
		task.Groups[i].GroupID = strings.Repeat("g", 40)
	}
	if _, err := task.Encode(); !errors.Is(err, event.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
	task.Groups = task.Groups[:100]
	if payload, err := task.Encode(); err != nil || len(payload) > event.MaxTaskBytes {
		t.Errorf("%d bytes, error %v", len(payload), err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, raw := range payloads(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		e := event.Decode(raw)
		if !bytes.Equal(before, raw) {
			t.Fatal("the payload was changed")
		}
		if len(e.Tasks) == 0 && len(e.Rejected) == 0 {
			t.Fatal("an event vanished: neither a task nor a rejection")
		}
		for _, r := range e.Rejected {
			if !errors.Is(r.Reason, event.ErrInvalid) {
				t.Fatalf("reason %v", r.Reason)
			}
		}
		for _, task := range e.Tasks {
			for _, s := range task.Streams() {
				if err := s.Validate(); err != nil {
					t.Fatal(err)
				}
			}
			payload, err := task.Encode()
			if errors.Is(err, event.ErrTooLarge) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := event.ParseTask(payload)
			if err != nil {
				t.Fatalf("%s: %v", payload, err)
			}
			repeated, err := again.Encode()
			if err != nil || !bytes.Equal(payload, repeated) {
				t.Fatalf("%s became %s: %v", payload, repeated, err)
			}
		}
	})
}
