package invocation_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
)

// A batch that fails may not get rid of its lease. What is handed on for it is another event, which that lease must not
// stop: nobody else goes on.
func TestAttempt_IsNotStoppedByTheLeaseOfTheOneBefore(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		down, leases := true, 0
		o := world.Options{TimeLimit: 60 * time.Second}
		o.COS.Fault = func(r *cosemu.Request) *cosemu.Fault {
			mu.Lock()
			defer mu.Unlock()
			if !down || r.Op != cosemu.OpPut || !strings.Contains(r.Key, "gid=bad/") {
				return nil
			}
			if strings.HasPrefix(r.Key, "state/") {
				if leases++; leases == 1 {
					return nil
				}
			}
			return &cosemu.Fault{Status: 503, Code: "ServiceUnavailable"}
		}
		s := newSite(t, o)
		bad, good := s.Group("bad", 30), s.Group("good", 30)
		s.Push(s.Timer(bad, good))
		d, err := s.Queue.Next(t.Context())
		must(t, err)
		_, err = s.deliver(d)
		must(t, err)
		mu.Lock()
		down = false
		mu.Unlock()
		must(t, s.Queue.Ack(d.ID))
		s.drain()
		if err := s.sound(bad); err != nil {
			t.Error("the run was lost:", s.outcomes("bad"), err)
		}
	})
}

// A PUT of a batch that failed may arrive when its retry is under way: that is no other delivery's, which would go on.
func TestAttempt_IsNotEndedByALateWriteOfTheOneBefore(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var held *http.Request
		var body []byte
		var later http.Handler
		landed := false
		o := world.Options{TimeLimit: 10 * time.Second, Chat: chatemu.Options{Latency: 700 * time.Millisecond}}
		o.Wrap = func(service string, next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				first := service != "chat" && r.Method == http.MethodPut && strings.Contains(r.URL.Path, "data/gid=bad/") && held == nil
				if first {
					held = r.Clone(t.Context())
					body, _ = io.ReadAll(r.Body)
					later = next
				}
				mu.Unlock()
				if first {
					<-r.Context().Done()
					return
				}
				next.ServeHTTP(w, r)
			})
		}
		s := newSite(t, o)
		bad, good := s.Group("bad", 30), s.Group("good", 30)
		s.Chat.SetOnCall(func(c chatemu.Call) {
			mu.Lock()
			defer mu.Unlock()
			if held == nil || landed || c.Query.Stream.GroupID != "bad" || !c.Query.HasSeq {
				return
			}
			landed = true
			req := held.Clone(t.Context())
			req.Body = io.NopCloser(bytes.NewReader(body))
			later.ServeHTTP(httptest.NewRecorder(), req)
		})
		s.Push(s.Timer(bad, good))
		s.drain()
		if err := s.sound(bad); err != nil || !landed {
			t.Error("the run was lost:", landed, s.outcomes("bad"), err)
		}
	})
}

// What cannot be read is no attempt: the task is served as if it had never failed.
func TestAttempt_UnreadableIsTheFirst(t *testing.T) {
	t.Parallel()
	for _, told := range []string{`x`, `[]`, `{"n":"1"}`, `{"n":1e30}`, `{"n":1,"failed":"a"}`} {
		bubble(t, func(t *testing.T) {
			s := newSite(t, world.Options{Chat: chatemu.Options{Fault: breaks("bad", 1<<30)}})
			s.Group("bad", 30)
			_, err := s.only("request", own(t, "bad", "", told))
			if err == nil || len(s.published()) > 0 || !strings.Contains(s.Logs.String(), "as if it had never failed") {
				t.Errorf("%s: error %v, published %q, logs %s", told, err, s.published(), s.Logs)
			}
		})
	}
}
