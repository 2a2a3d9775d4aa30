package invocation_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/invocation"
)

// pace is how fast the services are.
type pace struct {
	chat, cos, put, cloud time.Duration // put: writes of chunks, beside cos
}

func (p pace) options(limit time.Duration) world.Options {
	return world.Options{
		TimeLimit: limit, Chat: chatemu.Options{Latency: p.chat},
		COS: cosemu.Options{Latency: p.cos, Fault: func(r *cosemu.Request) *cosemu.Fault {
			if r.Op == cosemu.OpPut && strings.HasPrefix(r.Key, "data/") {
				return &cosemu.Fault{Delay: p.put}
			}
			return nil
		}},
		Cloud: func(*cloudemu.Call) *cloudemu.Fault { return &cloudemu.Fault{Delay: p.cloud} },
		Env:   map[string]string{"EXPORT_SPAN": "400", "CHAT_CONCURRENCY": "4"},
	}
}

// Whatever is slow, an invocation ends itself before the platform does, has got on, and hands the rest on, until the
// group is archived. Nothing fails on the way.
func TestTime_SoftStopComesBeforeTheDeadline(t *testing.T) {
	long(t)
	t.Parallel()
	const ms = time.Millisecond
	for _, tc := range []struct {
		limit    time.Duration
		pace     pace
		qps      string
		messages int
		least    int // batches
	}{
		{limit: time.Second, pace: pace{chat: 30 * ms}, messages: 1500, least: 2},
		{limit: time.Second, pace: pace{chat: 50 * ms, cos: 10 * ms, cloud: 20 * ms}, messages: 800, least: 2},
		{limit: 2 * time.Second, pace: pace{chat: 300 * ms}, messages: 400, least: 2},
		{limit: 2 * time.Second, pace: pace{chat: 50 * ms, cos: 60 * ms}, messages: 2000, least: 2},
		{limit: 3 * time.Second, pace: pace{chat: 100 * ms, cos: 20 * ms, put: 250 * ms}, messages: 1500, least: 2},
		{limit: 3 * time.Second, pace: pace{chat: 100 * ms, cloud: 300 * ms}, messages: 1500, least: 2},
		{limit: 30 * time.Second, pace: pace{chat: 2 * time.Second}, messages: 1200, least: 2},
		{limit: 30 * time.Second, pace: pace{chat: 400 * ms, cos: 200 * ms}, messages: 5000, least: 2},
		{limit: 30 * time.Second, pace: pace{chat: 400 * ms, put: 3 * time.Second}, messages: 5000, least: 2},
		{limit: 30 * time.Second, pace: pace{chat: 400 * ms, cos: 50 * ms, put: 5 * time.Second}, messages: 4000, least: 2},
		// The reserve has to fit these writes: a fifth of the time is too little.
		{limit: 10 * time.Second, pace: pace{chat: 100 * ms, put: 2 * time.Second}, messages: 5000, least: 3},
		{limit: 30 * time.Second, pace: pace{chat: 300 * ms, put: 7 * time.Second}, messages: 5000, least: 3},
		{limit: 30 * time.Second, pace: pace{chat: 400 * ms, cos: 2 * time.Second}, messages: 1500, least: 2},
		{limit: 30 * time.Second, pace: pace{chat: 400 * ms, cloud: 2 * time.Second}, messages: 5000, least: 2},
		{limit: 900 * time.Second, pace: pace{chat: 3 * time.Second, cos: 300 * ms}, qps: "1", messages: 20_000, least: 2},
	} {
		t.Run(fmt.Sprintf("%v %+v", tc.limit, tc.pace), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				o := tc.pace.options(tc.limit)
				if tc.qps != "" {
					o.Env["CHAT_QPS"] = tc.qps
				}
				s := newSite(t, o)
				stream := chat.Stream{GroupID: "@TGS#1"}
				s.Group(stream.GroupID, 0)
				must(t, s.Chat.Generate(stream, tc.messages, plain))
				s.tick(stream)
				if err := s.sound(stream); err != nil {
					t.Error(err)
				}
				batches := s.Logs.Batches()
				if len(batches) < tc.least || s.overrun > 0 || len(s.failures) > 0 {
					t.Errorf("%d batches, %d killed at the limit, failures: %v", len(batches), s.overrun, s.failures)
				}
				for i, b := range batches {
					took := time.Duration(b["elapsed_ms"].(float64) * float64(ms))
					if took > tc.limit {
						t.Errorf("batch %d took %v", i, took)
					}
					// A limit that is left unused is a hop more.
					most := tc.limit / 2
					if tc.limit >= 900*time.Second {
						most = 30 * time.Second
					}
					if unused := tc.limit - took; b["outcome"] == "continued" && unused > most {
						t.Errorf("batch %d left %v of %v unused", i, unused, tc.limit)
					}
				}
				t.Logf("%d batches", len(batches))
			})
		})
	}
}

// A limit that cannot suffice is told to the operator in time, instead of a kill at the deadline that tells nothing.
func TestTime_LimitThatCannotSufficeIsToldInTime(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]pace{
		"Chat answers after 5 s":        {chat: 5 * time.Second},
		"COS answers after 1 s":         {cos: time.Second},
		"a chunk takes 5 s":             {put: 5 * time.Second, chat: 50 * time.Millisecond},
		"the cloud API answers in 10 s": {cloud: 10 * time.Second, chat: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, p.options(3*time.Second))
				stream := s.Group("@TGS#1", 1500)
				began := time.Now()
				out, err := s.once(stream)
				if err == nil {
					t.Fatalf("no error: %s", out)
				}
				if took := time.Since(began); took > 3*time.Second || s.overrun > 0 {
					t.Errorf("took %v", took)
				}
				if text := err.Error(); !strings.Contains(text, "time") && !strings.Contains(text, "deadline") {
					t.Errorf("the error does not tell of time: %s", text)
				}
				t.Log(err)
			})
		})
	}
}

// What the platform says of the deadline may be zero, absurd or missing.
func TestTime_AbsurdDeadlineIsReplacedByTheLimit(t *testing.T) {
	t.Parallel()
	at := func(when time.Time) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, when)
		}
	}
	in := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	for _, tc := range []struct {
		name  string
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		limit time.Duration
		most  time.Duration
	}{
		{"the beginning of 1970", at(time.Unix(0, 0)), 4 * time.Second, 4 * time.Second},
		{"the zero time", at(time.Time{}), 4 * time.Second, 4 * time.Second},
		{"an hour ago", in(-time.Hour), 4 * time.Second, 4 * time.Second},
		{"in ten years", in(10 * 365 * 24 * time.Hour), 4 * time.Second, 4 * time.Second},
		{"none", context.WithCancel, 4 * time.Second, 4 * time.Second},
		{"none, no limit either", context.WithCancel, 0, 3 * time.Second},
		{"none, a limit below zero", context.WithCancel, -time.Second, 3 * time.Second},
		{"none, a limit of a day", context.WithCancel, 24 * time.Hour, 3 * time.Second},
		{"in ten years, no limit", in(10 * 365 * 24 * time.Hour), 0, 3 * time.Second},
		{"1970, no limit", at(time.Unix(0, 0)), 0, 3 * time.Second},
		{"before the limit", in(2 * time.Second), 4 * time.Second, 2 * time.Second},
		{"behind the limit", in(20 * time.Second), 4 * time.Second, 4 * time.Second},
		{"without a limit", in(5 * time.Second), 0, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, pace{chat: 100 * time.Millisecond}.options(time.Minute))
				stream := s.Group("@TGS#1", 3000)
				h := s.Instance()
				ctx, cancel := tc.ctx(t.Context())
				defer cancel()
				began := time.Now()
				out, err := h.Invoke(ctx, invocation.Platform{RequestID: "r", Function: world.Function, Version: "$LATEST", Namespace: "default", TimeLimit: tc.limit}, s.Timer(stream))
				took := time.Since(began)
				if err != nil || !strings.Contains(string(out), `"outcome":"continued"`) {
					t.Fatalf("after %v: %s, %v", took, out, err)
				}
				if took > tc.most || took < tc.most/2 {
					t.Errorf("took %v, want nearly %v", took, tc.most)
				}
			})
		})
	}
}

var ours = regexp.MustCompile(`(?m)^chatexport/internal/(export|invocation|chatapi|objstore/cosstore|requeue|retry)\.`)

// When the handler has returned, nothing runs any more: no goroutine of ours, and no request in the next hour. (Not
// parallel: other tests have goroutines of ours, too.)
func TestTime_NothingRunsAfterTheHandlerHasReturned(t *testing.T) { //nolint:paralleltest // see above
	for name, p := range map[string]pace{
		"all well":       {chat: 20 * time.Millisecond},
		"time runs out":  {chat: 300 * time.Millisecond},
		"Chat hangs":     {chat: time.Hour},
		"COS hangs":      {cos: time.Hour},
		"chunks hang":    {chat: 20 * time.Millisecond, put: time.Hour},
		"the cloud hang": {chat: 300 * time.Millisecond, cloud: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var requests atomic.Int64
				o := p.options(3 * time.Second)
				o.Wrap = func(_ string, next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						requests.Add(1)
						next.ServeHTTP(w, r)
					})
				}
				s := newSite(t, o)
				stream := s.Group("@TGS#1", 900)
				_, _ = s.once(stream) // what it came to does not matter here
				if s.overrun > 0 {
					t.Error("killed at the limit")
				}
				stacks := make([]byte, 1<<20)
				for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
					if ours.MatchString(stack) {
						t.Errorf("still there:\n%s", stack)
					}
				}
				before := requests.Load()
				time.Sleep(time.Hour)
				synctest.Wait()
				if after := requests.Load(); after != before {
					t.Errorf("%d requests after the handler had returned", after-before)
				}
			})
		})
	}
}
