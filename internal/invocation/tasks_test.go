package invocation_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/event"
)

var randomOf = regexp.MustCompile(`"writer":"[0-9a-f]*",?|,"owner":"[0-9a-f]+"|,"failed":\[["0-9a-f,]+\]`)

// published returns the tasks that were handed on, in order: legible, and without the random names of batches and the
// owner, a hash.
func (s *site) published() []string {
	var payloads []string
	for _, c := range s.Cloud.Calls() {
		if c.Code == "" && c.Status == 200 {
			payloads = append(payloads, randomOf.ReplaceAllString(legible(s.t, c.Payload), ""))
		}
	}
	return payloads
}

// legible shows what the function tells itself.
func legible(t testing.TB, payload []byte) string {
	t.Helper()
	var task struct {
		event.Task

		Continue json.RawMessage `json:"continue,omitempty"`
		Attempt  json.RawMessage `json:"attempt,omitempty"`
	}
	var err error
	task.Task, err = event.ParseTask(payload)
	must(t, err)
	if task.Own() && !seal().Fits(task.Task) {
		t.Errorf("not sealed: %s", payload)
	}
	task.Continue, task.Attempt, task.MAC = task.Task.Continue, task.Task.Attempt, nil
	shown, err := json.Marshal(task)
	must(t, err)
	return string(shown)
}

// outcomes returns how the batches of a group ended, in order.
func (s *site) outcomes(group string) []string {
	var found []string
	for _, b := range s.Logs.Batches() {
		if b["group_id"] == group {
			found = append(found, fmt.Sprint(b["outcome"]))
		}
	}
	return found
}

const attempt = `{"group_id":"bad","v":1,"attempt":{"n":%d}}`

func TestTasks_ThatFailAreHandedOnAloneAndRecordedInTheEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		event func(s *site) []byte
		group bool // "good" is in the event, too
	}{
		"groups":               {func(s *site) []byte { return s.Timer(chat.Stream{GroupID: "bad"}, chat.Stream{GroupID: "good"}) }, true},
		"CMQ records":          {func(*site) []byte { return cmq("good", "bad") }, true},
		"CKafka records":       {func(*site) []byte { return ckafka("bad", "good") }, true},
		"a single CKafka task": {func(*site) []byte { return ckafka("bad") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{Chat: chatemu.Options{Fault: breaks("bad", 1<<30)}})
				good := s.Group("good", 30)
				bad := s.Group("bad", 30)
				s.Push(tc.event(s))
				s.drain()
				if len(s.failures) > 0 || len(s.Queue.Dead()) > 0 {
					t.Errorf("the platform was told of failures: %v", s.failures)
				}
				want := []string{fmt.Sprintf(attempt, 1), fmt.Sprintf(attempt, 2), fmt.Sprintf(attempt, 3)}
				if diff := cmp.Diff(want, s.published()); diff != "" {
					t.Errorf("handed on (-want +got):\n%s", diff)
				}
				if got := s.state(bad); got.Status != archive.StatusFailed || got.Lease != nil || got.Error == nil || got.Error.Code != "10002" {
					t.Errorf("state %+v, error %+v", got, got.Error)
				}
				if tc.group {
					if err := s.sound(good); err != nil {
						t.Error(err)
					}
				}
				s.Chat.SetFault(nil)
				s.tick(bad) // the next tick finds a stream that is not worse off
				if err := s.sound(bad); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// breaks makes the Chat service fail for a group, retries included, in the first n calls.
func breaks(group string, n int64) chatemu.FaultFunc {
	var asked atomic.Int64
	return func(c chatemu.Call) *chatemu.Fault {
		if c.Query.Stream.GroupID != group || asked.Add(1) > n {
			return nil
		}
		return &chatemu.Fault{ErrorCode: 10002}
	}
}

func TestTasks_ThatRecoverAreExported(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		const perDelivery = 6 // attempts that a batch makes of a call
		s := newSite(t, world.Options{Chat: chatemu.Options{Fault: breaks("bad", 3*perDelivery)}})
		bad, good := s.Group("bad", 30), s.Group("good", 30)
		s.Push(s.Timer(bad, good))
		s.drain()
		if diff := cmp.Diff([]string{"error", "error", "error", "complete"}, s.outcomes("bad")); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		if err := s.sound(bad); err != nil || len(s.failures) > 0 {
			t.Error(err, s.failures)
		}
	})
}

// A single task that handed nothing on is the platform's to deliver again, whatever queue it came by; after its last
// delivery the next tick goes on.
func TestTasks_ThatFailAloneAreLeftToThePlatform(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string][]byte{"invoke": []byte("bad"), "cmq": cmq("bad")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{Chat: chatemu.Options{Fault: breaks("bad", 1<<30)}})
				bad := s.Group("bad", 30)
				s.Push(payload)
				s.drain()
				if len(s.failures) != 3 || len(s.Queue.Dead()) != 1 || len(s.published()) != 0 {
					t.Errorf("%d failures, %d dead letters, published %q", len(s.failures), len(s.Queue.Dead()), s.published())
				}
				for _, err := range s.failures {
					if !strings.Contains(err.Error(), "export bad") || !strings.Contains(err.Error(), "10002") {
						t.Errorf("the error does not say what failed: %v", err)
					}
				}
				if got := s.state(bad); got.Error == nil || got.Lease != nil {
					t.Errorf("state %+v", got)
				}
			})
		})
	}
}

// A continuation that came in a queue's batch keeps its place, and counts its attempts.
func TestTasks_ThatFailKeepTheirContinuation(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "20"}})
		bad := s.Group("bad", 40)
		s.tick(bad)
		must(t, s.Chat.Generate(bad, 40, plain))
		s.Chat.SetFault(breaks("bad", 1<<30))
		run := "20261122T083000Z-0badcafe"
		proceed := fmt.Sprintf(`{"cursor":41,"after":21,"head":80,"run":%q,"hop":3}`, run)
		s.Push(cmq(string(own(t, "bad", proceed, `{"n":2}`)), "none"))
		d, err := s.Queue.Next(t.Context())
		must(t, err)
		_, err = s.deliver(d)
		must(t, err)
		must(t, s.Queue.Ack(d.ID))
		want := []string{`{"group_id":"bad","v":1,"continue":` + proceed + `,"attempt":{"n":3}}`}
		if diff := cmp.Diff(want, s.published()); diff != "" {
			t.Errorf("handed on (-want +got):\n%s", diff)
		}
		s.Chat.SetFault(nil)
		s.drain()
		if err := s.sound(bad); err != nil {
			t.Error(err)
		}
	})
}

// Where nothing can be handed on, only a redelivery keeps the event. Where something was, a redelivery would double it.
func TestTasks_FailTheirEventOnlyWhereNothingWasHandedOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		refuse func(c *cloudemu.Call) bool
		fails  bool
	}{
		"cloud API refuses everything": {func(*cloudemu.Call) bool { return true }, true},
		"it refuses the second group":  {func(c *cloudemu.Call) bool { return strings.Contains(string(c.Payload), "bad2") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{
					Chat: chatemu.Options{Fault: chatemu.FaultAny(breaks("bad", 1<<30), breaks("bad2", 1<<30))},
					Cloud: func(c *cloudemu.Call) *cloudemu.Fault {
						if tc.refuse(c) {
							return &cloudemu.Fault{Code: "UnauthorizedOperation.CAM"}
						}
						return nil
					},
				})
				s.Group("bad", 10)
				s.Group("bad2", 10)
				good := s.Group("good", 10)
				out, err := s.only("request", ckafka("bad", "bad2", "good"))
				if (err != nil) != tc.fails {
					t.Errorf("%s, error %v", out, err)
				}
				if tc.fails && !strings.Contains(err.Error(), "UnauthorizedOperation.CAM") {
					t.Errorf("the error does not say why: %v", err)
				}
				if !tc.fails && !strings.Contains(s.Logs.String(), "part of the event is left to the next tick") {
					t.Error("nobody is told that a group is left to the next tick")
				}
				if err := s.sound(good); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Whatever is not served is handed on in time, ticks together and continuations as they came.
func TestTasks_WithoutTimeAreHandedOn(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]time.Duration{"3 s": 3 * time.Second, "60 s": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{TimeLimit: limit, Chat: chatemu.Options{Latency: 200 * time.Millisecond}})
				var streams []chat.Stream
				for n := range 80 {
					streams = append(streams, s.Group(fmt.Sprintf("g%03d", n), 25))
				}
				s.Push(s.Timer(streams...))
				s.drain()
				for _, stream := range streams {
					if err := s.sound(stream); err != nil {
						t.Errorf("%s: %v", stream, err)
					}
				}
				if len(s.failures) > 0 || s.overrun > 0 || len(s.Queue.Dead()) > 0 {
					t.Errorf("failures %v, %d times killed at the limit", s.failures, s.overrun)
				}
				if s.served < 2 {
					t.Errorf("%d invocations; the test means several", s.served)
				}
				for _, payload := range s.published() {
					var task event.Task
					must(t, json.Unmarshal([]byte(payload), &task))
					if len(task.Groups) == 0 || task.Continue != nil {
						t.Errorf("handed on: %s", payload)
					}
				}
			})
		})
	}
}

func TestTasks_WithoutTimeKeepTheirContinuation(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 3 * time.Second, Chat: chatemu.Options{Latency: 450 * time.Millisecond}})
		one, two, three := s.Group("one", 30), s.Group("two", 30), s.Group("three", 30)
		last := own(t, "three", `{"cursor":21,"after":1,"head":30,"run":"20261122T083000Z-0badcafe","hop":7}`, `{"n":1}`)
		d, err := s.only("request", ckafka("one", "two", string(last)))
		must(t, err)
		if !strings.Contains(d, `"handed_on":2`) {
			t.Errorf("the answer is %s", d)
		}
		if diff := cmp.Diff([]string{legible(t, last), `{"groups":[{"group_id":"two"}]}`}, s.published()); diff != "" {
			t.Errorf("handed on (-want +got):\n%s", diff)
		}
		s.drain()
		for _, stream := range []chat.Stream{one, two, three} {
			if err := s.sound(stream); err != nil {
				t.Error(err)
			}
		}
	})
}

// A batch that hangs until its end must leave time to hand its task on: a partition would stand still otherwise.
func TestTasks_ThatFailAtTheLastMomentAreHandedOn(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string][]byte{
		"CKafka":         ckafka("one"),
		"a second try":   own(t, "one", "", `{"n":1}`),
		"several groups": []byte(`{"groups":[{"group_id":"one"},{"group_id":"two"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				o := world.Options{TimeLimit: 20 * time.Second}
				var hung atomic.Bool
				o.COS.Fault = func(r *cosemu.Request) *cosemu.Fault {
					if r.Op == cosemu.OpPut && strings.HasPrefix(r.Key, "data/gid=one/") && hung.CompareAndSwap(false, true) {
						return &cosemu.Fault{Hang: true}
					}
					return nil
				}
				s := newSite(t, o)
				one, two := s.Group("one", 30), s.Group("two", 30)
				s.Push(payload)
				s.drain()
				if len(s.failures) > 0 || s.overrun > 0 || len(s.Queue.Dead()) > 0 {
					t.Errorf("failures %v, %d times killed at the limit", s.failures, s.overrun)
				}
				if err := s.sound(one); err != nil {
					t.Error(err)
				}
				if name == "several groups" {
					if err := s.sound(two); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
