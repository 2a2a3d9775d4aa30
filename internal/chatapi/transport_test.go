package chatapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

// hijack takes the connection from the server.
func hijack(t *testing.T, w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
	t.Helper()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Errorf("hijack: %v", err)
	}
	return conn, rw
}

// reset makes the connection end in an RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// say answers with raw bytes and closes the connection.
func say(t *testing.T, raw string) func(http.ResponseWriter, request) {
	t.Helper()
	return func(w http.ResponseWriter, _ request) {
		conn, rw := hijack(t, w)
		_, _ = rw.WriteString(raw)
		_ = rw.Flush()
		_ = conn.Close()
	}
}

func TestBrokenConnectionsAreTransientAndSilent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		reply func(http.ResponseWriter, request)
		is    error
	}{
		{"closed without an answer", say(t, ""), io.ErrUnexpectedEOF},
		{"reset without an answer", func(w http.ResponseWriter, _ request) {
			conn, _ := hijack(t, w)
			reset(conn)
		}, syscall.ECONNRESET},
		{"closed in the body", say(t, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+emptyPage), io.ErrUnexpectedEOF},
		{"not HTTP", say(t, secret+"\r\n\r\n"), nil},
		{"a broken header", say(t, "HTTP/1.1 200 OK\r\n"+secret+"\r\n\r\n"), nil},
		{"a broken status", say(t, "HTTP/1.1 "+secret+"\r\n\r\n"), nil},
		{"broken chunks", say(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+secret+"\r\n"), nil},
		{"broken compression", say(t, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n"+secret), nil},
		{"an endless header", say(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat(secret, 1<<13)+"\r\n\r\n"), nil},
		{"an answer beyond all limits", func(w http.ResponseWriter, _ request) {
			_, _ = io.WriteString(w, `{"ActionStatus":"OK","ErrorCode":0,"Padding":"`)
			for range 5 {
				_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
			}
			_, _ = io.WriteString(w, `"}`)
		}, chat.ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, test.reply)
			_, err := newClient(t, s.URL, nil).Page(t.Context(), newest())
			if got := retry.ClassOf(err); got != retry.Transient {
				t.Errorf("class %v: %v", got, err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error is not %q: %v", test.is, err)
			}
			if _, ok := errors.AsType[*chat.MalformedError](err); ok {
				t.Errorf("what is not whole counts against a message: %v", err)
			}
			if n := len(s.seen()); n != 1 {
				t.Fatalf("%d attempts, want 1", n)
			}
			checkClean(t, err, s.seen()[0].UserSig)
		})
	}
}

func TestUnreachableServicesAreTransientAndSilent(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	_ = listener.Close()
	unknown := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "chat.invalid", IsNotFound: true}}
	}}
	tests := []struct{ name, base, says string }{
		{"nobody listens", "http://" + closed, "connection refused"},
		{"certificate of nobody", untrusted.URL, "certificate"},
		{"no TLS where it is expected", strings.Replace(plain.URL, "http:", "https:", 1), "HTTP response to HTTPS"},
		{"no such host", "https://chat.invalid", "lookup"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, test.base, func(c *chatapi.Config) {
				if strings.HasSuffix(test.base, ".invalid") {
					c.Transport = unknown
				}
			}).Page(t.Context(), newest())
			if got := retry.ClassOf(err); got != retry.Transient {
				t.Errorf("class %v: %v", got, err)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v does not say %q", err, test.says)
			}
			checkClean(t, err)
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	other := newService(t, answer(emptyPage))
	s := newService(t, func(w http.ResponseWriter, r request) {
		w.Header().Set("Location", other.URL+"/?"+r.Query.Encode())
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	_, err := newClient(t, s.URL, nil).Page(t.Context(), newest())
	if retry.ClassOf(err) != retry.Doubtful || !strings.Contains(err.Error(), "CHAT_ENDPOINT") {
		t.Errorf("class %v: %v", retry.ClassOf(err), err)
	}
	if n := len(other.seen()); n != 0 {
		t.Errorf("the redirect was followed")
	}
	checkClean(t, err, s.seen()[0].UserSig)
}

// stall never answers, until the test ends.
func stall(t *testing.T) func(http.ResponseWriter, request) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { close(done) }) // runs before the server closes, which waits for the handler
	return func(http.ResponseWriter, request) { <-done }
}

// newStalled starts a service that never answers. The release is registered after the server's Close, to run before it.
func newStalled(t *testing.T) *service {
	t.Helper()
	var reply func(http.ResponseWriter, request)
	s := newService(t, func(w http.ResponseWriter, r request) { reply(w, r) })
	reply = stall(t)
	return s
}

func TestAnAttemptThatTakesTooLongIsTransient(t *testing.T) {
	t.Parallel()
	s := newStalled(t)
	client := newClient(t, s.URL, func(c *chatapi.Config) { c.Timeout = 400 * time.Millisecond })
	_, err := client.Page(t.Context(), newest())
	if retry.ClassOf(err) != retry.Transient || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("class %v: %v", retry.ClassOf(err), err)
	}
	if !strings.Contains(err.Error(), "400ms") {
		t.Errorf("error does not tell the limit: %v", err)
	}
	checkClean(t, err, s.seen()[0].UserSig)
}

func TestASlowBodyIsBoundedByTheAttempt(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	s := newService(t, func(w http.ResponseWriter, _ request) {
		_, _ = io.WriteString(w, emptyPage[:30])
		_ = http.NewResponseController(w).Flush()
		<-hold
	})
	t.Cleanup(func() { close(hold) })
	client := newClient(t, s.URL, func(c *chatapi.Config) { c.Timeout = 100 * time.Millisecond })
	_, err := client.Page(t.Context(), newest())
	if retry.ClassOf(err) != retry.Transient || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("class %v: %v", retry.ClassOf(err), err)
	}
	checkClean(t, err)
}

func TestNothingIsRepeatedOnceTheCallerIsDone(t *testing.T) {
	t.Parallel()
	s := newStalled(t)
	client := newClient(t, s.URL, nil)
	why := errors.New("the batch has ended")
	tests := []struct {
		name string
		ctx  func() (context.Context, context.CancelFunc)
		is   []error
	}{
		{"deadline", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 20*time.Millisecond)
		}, []error{context.DeadlineExceeded}},
		{"cancelled with a cause", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(t.Context())
			stop := time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
			return ctx, func() { stop.Stop(); cancel(nil) }
		}, []error{context.Canceled, why}},
		{"cancelled before", func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx, cancel
		}, []error{context.Canceled}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := test.ctx()
			defer cancel()
			_, err := client.Page(ctx, newest())
			if got := retry.ClassOf(err); got != retry.Permanent {
				t.Errorf("class %v: %v", got, err)
			}
			for _, is := range test.is {
				if !errors.Is(err, is) {
					t.Errorf("error is not %q: %v", is, err)
				}
			}
			if errors.Is(err, chatapi.ErrConfiguration) {
				t.Errorf("error blames the configuration: %v", err)
			}
			checkClean(t, err)
		})
	}
	if n := len(s.seen()); n > 2 {
		t.Errorf("%d attempts, want at most 2: a cancelled context makes none", n)
	}
}
