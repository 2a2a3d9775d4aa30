package invocation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/event"
	"chatexport/internal/invocation"
	"chatexport/testdata"
)

// rejection is what an object below rejected/ says.
type rejection struct {
	Format    int       `json:"format"`
	RequestID string    `json:"request_id"`
	Event     string    `json:"event"`
	Source    string    `json:"source"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"`
	Body      []byte    `json:"body_base64"`
}

// rejections reads everything below rejected/, by key.
func (s *site) rejections() map[string]rejection {
	s.t.Helper()
	found := make(map[string]rejection)
	for entry, err := range s.Store.List(s.t.Context(), "rejected/", "") {
		must(s.t, err)
		body, _, err := s.Store.Get(s.t.Context(), entry.Key)
		must(s.t, err)
		var r rejection
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		must(s.t, decoder.Decode(&r))
		found[entry.Key] = r
	}
	return found
}

// only is deliver for an event that comes once, under a request id.
func (s *site) only(requestID string, payload []byte) (string, error) {
	s.t.Helper()
	return s.deliver(cloudemu.Delivery{RequestID: requestID, Payload: payload, Attempt: 1})
}

// ckafka is an event of a partition with a record for each body.
func ckafka(bodies ...string) []byte {
	return records("Ckafka", `"topic":"t","partition":3,"offset":%d`, bodies)
}

// cmq is an event of a CMQ topic with a message for each body.
func cmq(bodies ...string) []byte {
	return records("CMQ", `"type":"topic","topicName":"t","msgId":"%d"`, bodies)
}

func records(kind, members string, bodies []string) []byte {
	var list []string
	for i, body := range bodies {
		quoted, err := json.Marshal(body)
		if err != nil {
			panic(err) // impossible: a string
		}
		list = append(list, fmt.Sprintf(`{%q:{%s,"msgBody":%s}}`, kind, fmt.Sprintf(members, i), quoted))
	}
	return []byte(`{"Records":[` + strings.Join(list, ",") + `]}`)
}

// Whatever an event says, the invocation succeeds: what means something is served, the rest is kept for a person.
func TestRejection_IsKeptForEveryGoldenEvent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		files, err := fs.Glob(testdata.Events(), "*.json")
		must(t, err)
		kept := 0
		for _, name := range files {
			if strings.Contains(name, "sweep") {
				continue
			}
			payload, err := fs.ReadFile(testdata.Events(), name)
			must(t, err)
			before := s.rejections()
			out, err := s.only(name, payload)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			decoded := event.Decode(payload)
			wantRejections(t, name, decoded, before, s.rejections())
			var answer struct{ Rejected, Served int }
			must(t, json.Unmarshal([]byte(out), &answer))
			var streams []chat.Stream
			for _, task := range decoded.Tasks {
				streams = append(streams, task.Streams()...)
			}
			if answer.Rejected != len(decoded.Rejected) || answer.Served != len(streams) {
				t.Errorf("%s: the answer is %s", name, out)
			}
			kept += len(decoded.Rejected)
		}
		if kept < 15 {
			t.Errorf("only %d rejections; the fixtures should have more", kept)
		}
	})
}

func wantRejections(t *testing.T, name string, e event.Event, before, after map[string]rejection) {
	t.Helper()
	if got, want := len(after)-len(before), len(e.Rejected); got != want {
		t.Errorf("%s: %d objects were kept, want %d", name, got, want)
		return
	}
	for _, want := range e.Rejected {
		key := fmt.Sprintf("rejected/2026-11-22/%s-%d.json", strings.ReplaceAll(name, ".json", ".2ejson"), want.N)
		got, ok := after[key]
		if !ok {
			t.Errorf("%s: %s is missing", name, key)
			continue
		}
		expected := rejection{
			Format: 1, RequestID: name, Event: string(e.Kind), Source: want.Source, Reason: want.Reason.Error(), At: got.At, Body: want.Body,
		}
		if diff := cmp.Diff(expected, got); diff != "" || time.Since(got.At) > time.Hour || got.At.Location() != time.UTC {
			t.Errorf("%s: %s (-want +got):\n%s", name, key, diff)
		}
	}
}

// What is wrong with a sweep's filter is found out later than what is wrong with a record.
func TestRejection_OfASweepHasItsRecordsNumber(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		_, err := s.only("r", cmq(`one`, `{"sweep":{"exlude":["*"]}}`, `{"group_id": `, `{"sweep":{"types":["NoSuchType"]}}`))
		must(t, err)
		reasons := make(map[string]string)
		for key, r := range s.rejections() {
			reasons[key[len("rejected/2026-11-22/"):]] = r.Reason
		}
		if len(reasons) != 3 || !strings.Contains(reasons["r-1.json"], "exlude") || !strings.Contains(reasons["r-2.json"], "JSON") ||
			!strings.Contains(reasons["r-3.json"], "types") {
			t.Errorf("kept: %v", reasons)
		}
	})
}

// Good records are exported, bad ones kept, and the next delivery of the same event changes nothing.
func TestRejection_OfSomeRecordsServesTheOthers(t *testing.T) {
	t.Parallel()
	for kind, payload := range map[string][]byte{
		"ckafka": ckafka(`one`, `{"group_id": `, `{"groups":[{"group_id":"two"},{"group_id":7.5e}]}`, ``, `{"group_id":"two"}`, `{"topic_id":"x"}`),
		"cmq":    cmq(`one`, `{"group_id": `, `{"groups":[{"group_id":"two"},{"group_id":7.5e}]}`, ``, `{"group_id":"two"}`, `{"topic_id":"x"}`),
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{})
				one, two := s.Group("one", 50), s.Group("two", 50)
				for _, id := range []string{"first", "first", "second"} { // a redelivery has the same request id, or a new one
					out, err := s.only(id, payload)
					if err != nil || !strings.Contains(out, `"rejected":4`) {
						t.Errorf("%s: %s, %v", id, out, err)
					}
				}
				for _, stream := range []chat.Stream{one, two} {
					if err := s.sound(stream); err != nil {
						t.Error(err)
					}
				}
				if got := len(s.rejections()); got != 8 {
					t.Errorf("%d objects were kept, want 4 for each request id", got)
				}
			})
		})
	}
}

func TestRejection_ThatCannotBeKeptComesAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		o := world.Options{}
		var refused atomic.Bool
		o.COS.Fault = func(r *cosemu.Request) *cosemu.Fault {
			if r.Op == cosemu.OpPut && strings.HasPrefix(r.Key, "rejected/") && refused.CompareAndSwap(false, true) {
				return &cosemu.Fault{Status: 403, Code: "AccessDenied"}
			}
			return nil
		}
		s := newSite(t, o)
		one := s.Group("one", 30)
		s.Push(ckafka("one", "{"))
		s.drain()
		if len(s.failures) != 1 || !strings.Contains(s.failures[0].Error(), "keep rejected event") || len(s.Queue.Dead()) != 0 {
			t.Errorf("failures %v, %d dead letters; want one failure and a redelivery", s.failures, len(s.Queue.Dead()))
		}
		if err := s.sound(one); err != nil {
			t.Error(err)
		}
		if got := len(s.rejections()); got != 1 {
			t.Errorf("%d objects were kept", got)
		}
	})
}

// A producer that broke fills whole batches of a partition; they must not block it.
func TestRejection_OfAWholeBatchFitsIntoAShortTimeLimit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		o := world.Options{TimeLimit: 10 * time.Second}
		o.COS.Latency = 50 * time.Millisecond
		s := newSite(t, o)
		s.Push(ckafka(make([]string, 1000)...))
		s.drain()
		if len(s.failures) > 0 || s.overrun > 0 || len(s.rejections()) != 1000 {
			t.Errorf("failures %v, %d times killed, %d objects", s.failures, s.overrun, len(s.rejections()))
		}
	})
}

func TestRejection_WithoutARequestIDIsKeptApart(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		s.platform = func(p *invocation.Platform) { *p = invocation.Platform{} }
		for _, payload := range []string{`{"a"`, `{"b"`} {
			if _, err := s.only("", []byte(payload)); err != nil {
				t.Error(err)
			}
		}
		if got := len(s.rejections()); got != 2 {
			t.Errorf("%d objects were kept, want 2", got)
		}
	})
}
