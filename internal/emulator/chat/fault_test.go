package chatemu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	chatemu "chatexport/internal/emulator/chat"
)

func TestFaults_OfEveryKind(t *testing.T) {
	t.Parallel()
	broken := func(_ answer, err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }
	tests := []struct {
		name  string
		fault chatemu.Fault
		check func(a answer, err error) bool
		found int // messages that the emulator says it sent: the work was done
	}{
		{"code", chatemu.Fault{ErrorCode: 10002}, func(a answer, err error) bool {
			return err == nil && a.ErrorCode == 10002 && a.ActionStatus == "FAIL" && a.ErrorInfo != "" && a.Status == 200
		}, 0},
		{"FAIL with code 0", chatemu.Fault{ActionStatus: "FAIL"}, func(a answer, err error) bool {
			return err == nil && a.ErrorCode == 0 && a.ActionStatus == "FAIL"
		}, 0},
		{"OK with a code", chatemu.Fault{ActionStatus: "OK", ErrorCode: 1, ErrorInfo: "one"}, func(a answer, err error) bool {
			return err == nil && a.ErrorCode == 1 && a.ActionStatus == "OK" && a.ErrorInfo == "one"
		}, 0},
		{"gateway", chatemu.Fault{Status: 502}, func(a answer, err error) bool {
			return err != nil && a.Status == 502 && bytes.Contains(a.Raw, []byte("<html>")) && a.Header.Get("Content-Type") == "text/html"
		}, 0},
		{"HTML with 200", chatemu.Fault{HTML: true}, func(a answer, err error) bool {
			return err != nil && a.Status == 200 && bytes.Contains(a.Raw, []byte("<html>"))
		}, 0},
		{"body", chatemu.Fault{Status: 503, Body: []byte("{}")}, func(a answer, err error) bool {
			return err == nil && a.Status == 503 && string(a.Raw) == "{}"
		}, 0},
		{"truncated JSON", chatemu.Fault{TruncateBody: true}, func(a answer, err error) bool {
			_, ok := errors.AsType[*json.SyntaxError](err)
			return ok && a.Status == 200
		}, 20},
		{"broken body", chatemu.Fault{BreakBody: true}, func(_ answer, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }, 20},
		{"reset before", chatemu.Fault{ResetBefore: true}, broken, 0},
		{"reset after", chatemu.Fault{ResetAfter: true}, broken, 20},
		{
			"mutated",
			chatemu.Fault{Mutate: func(b []byte) []byte { return bytes.Replace(b, []byte(`"ErrorCode":0`), []byte(`"ErrorCode":9`), 1) }},
			func(a answer, err error) bool {
				return err == nil && a.ErrorCode == 9
			}, 20,
		},
		{"slow body", chatemu.Fault{SlowBody: 8 * time.Millisecond}, func(a answer, err error) bool {
			return err == nil && len(a.RspMsgList) == 20
		}, 20},
		{"own quirks", chatemu.Fault{Quirks: &chatemu.Quirks{FinishedOmitted: true}}, func(a answer, err error) bool {
			return err == nil && a.IsFinished == nil
		}, 20},
		{"delay, then right", chatemu.Fault{Delay: time.Millisecond}, func(a answer, err error) bool {
			return err == nil && len(a.RspMsgList) == 20
		}, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := options()
			opts.Fault = chatemu.FaultAt(1, tt.fault)
			s, c := start(t, opts)
			plain(t, s, 25)
			c.http.Transport.(*http.Transport).DisableKeepAlives = true // the client's own retries stay out
			body := `{"GroupId":"g","ReqMsgNumber":20}`
			a, err := c.send(http.MethodPost, pagePath, c.query(), body)
			if !tt.check(a, err) {
				t.Errorf("answer %d %s, error %v", a.Status, a.Raw, err)
			}
			if again, err := c.send(http.MethodPost, pagePath, c.query(), body); err != nil || len(again.RspMsgList) != 20 {
				t.Errorf("the next call: %s, %v", again.Raw, err)
			}
			calls := s.Calls()
			if len(calls) != 2 || !calls[0].Faulted || calls[1].Faulted || calls[0].Found != tt.found {
				t.Errorf("log %+v", calls)
			}
		})
	}
}

func TestFaults_HangingCallEndsWithTheClient(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Fault = chatemu.FaultAt(1, chatemu.Fault{Hang: true})
	s, c := start(t, opts)
	plain(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	s.SetOnCall(func(chatemu.Call) { cancel() })
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+pagePath, strings.NewReader("{}"))
	must(t, err)
	if resp, err := c.http.Do(req); !errors.Is(err, context.Canceled) {
		_ = resp.Body.Close()
		t.Fatalf("err = %v, want canceled", err)
	}
}

func TestFaults_WithoutSockets(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Fault = chatemu.FaultAny(
		chatemu.FaultAt(1, chatemu.Fault{ResetBefore: true}), chatemu.FaultAt(2, chatemu.Fault{BreakBody: true}),
		chatemu.FaultAt(3, chatemu.Fault{Status: 504}),
	)
	s := chatemu.New(opts)
	plain(t, s, 25)
	c := memory(t, s)
	send := func() (answer, error) {
		return c.send(http.MethodPost, pagePath, c.query(), `{"GroupId":"g","ReqMsgNumber":20}`)
	}
	if a, err := send(); err == nil {
		t.Errorf("reset: %s", a.Raw)
	}
	if _, err := send(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken body: %v", err)
	}
	if a, err := send(); a.Status != 504 || err == nil {
		t.Errorf("gateway: %d %v", a.Status, err)
	}
	if a, err := send(); err != nil || len(a.RspMsgList) != 20 {
		t.Errorf("no fault: %s %v", a.Raw, err)
	}
}

func TestHooks_ChangeTheAppBetweenCalls(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	plain(t, s, 30)
	s.SetOnCall(func(call chatemu.Call) {
		switch call.N {
		case 2:
			must(t, s.Append(stream(), chatemu.Message{}, chatemu.Message{}))
		case 3:
			must(t, s.SetFloor(stream(), 21))
		case 4:
			must(t, s.Dissolve("g"))
		case 5:
			must(t, s.Recreate(chatemu.Group{ID: "g", CreateTime: 5}))
			must(t, s.Append(stream(), chatemu.Message{}))
		}
	})
	if got := c.page(-1, 1).seqs(); got[0] != 30 {
		t.Errorf("call 1: %v", got)
	}
	if got := c.page(-1, 1).seqs(); got[0] != 32 {
		t.Errorf("call 2: %v", got)
	}
	if a := c.page(22, 20); a.finished() != 2 || a.elements()[2].Place != 1 || a.elements()[1].Place != 0 {
		t.Errorf("call 3: %s", a.Raw)
	}
	if a := c.page(-1, 1); a.ErrorCode != 10010 {
		t.Errorf("call 4: %s", a.Raw)
	}
	if got := c.page(-1, 1).seqs(); len(got) != 1 || got[0] != 1 {
		t.Errorf("call 5: %v", got)
	}
}

func TestConnections_AreCountedAndClosed(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.Quirks.CloseAfter = 3
	s, c := start(t, opts)
	plain(t, s, 1)
	for range 7 {
		c.page(-1, 1)
	}
	n := s.Counters()
	if n.Connections != 3 || n.Reused != 4 {
		t.Errorf("connections %d, reused %d, want 3 and 4", n.Connections, n.Reused)
	}
	if last := s.Calls()[6]; last.Conn != 3 || last.ConnCall != 1 {
		t.Errorf("last call %+v", last)
	}
}
