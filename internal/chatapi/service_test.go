package chatapi_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
)

const (
	appID  = 1400000000
	key    = "b3f1c5e7-this-key-signs-nothing-real-9d2a4c6e8f00"
	admin  = "admin@team 1"
	secret = "the words of a message" // stands for message text: no error may repeat it
)

// request is one call as the service saw it.
type request struct {
	Path    string
	Query   url.Values
	Header  http.Header
	Body    map[string]any
	UserSig string
}

// service is a small stand-in for the Chat service: it checks what every call must have and lets a test answer.
type service struct {
	*httptest.Server

	mu          sync.Mutex
	requests    []request
	connections map[string]bool
}

// newService starts a service whose answers come from reply. A reply that writes nothing gives an empty body.
func newService(t *testing.T, reply func(w http.ResponseWriter, r request)) *service {
	t.Helper()
	s := &service{connections: map[string]bool{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply(w, s.record(t, r))
	}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.connections[c.RemoteAddr().String()] = true
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *service) record(t *testing.T, r *http.Request) request {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("read request: %v", err)
	}
	seen := request{Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header, UserSig: r.URL.Query().Get("usersig")}
	if err := json.Unmarshal(raw, &seen.Body); err != nil {
		t.Errorf("request body is not a JSON object: %v", err)
	}
	if r.Method != http.MethodPost {
		t.Errorf("method %s, want POST", r.Method)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, seen)
	return seen
}

func (s *service) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

func (s *service) connectionCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.connections)
}

// newClient returns a client of the service at base; change may be nil.
func newClient(t *testing.T, base string, change func(*chatapi.Config)) *chatapi.Client {
	t.Helper()
	given := chatapi.Config{SDKAppID: appID, SecretKey: config.NewSecret(key), Admin: admin, BaseURL: base, Concurrency: 4, Timeout: 30 * time.Second}
	if change != nil {
		change(&given)
	}
	client, err := chatapi.New(given)
	if err != nil {
		t.Fatalf("new client: %v", err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func answer(body string) func(http.ResponseWriter, request) {
	return func(w http.ResponseWriter, _ request) { _, _ = io.WriteString(w, body) }
}

func failure(code int) string {
	return fmt.Sprintf(`{"ActionStatus":"FAIL","ErrorCode":%d,"ErrorInfo":"some reason"}`, code)
}

const emptyPage = `{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"GroupId":"@TGS#15ERQPAER","IsFinished":1}`

func newest() chat.Query {
	return chat.Query{Stream: chat.Stream{GroupID: "@TGS#15ERQPAER"}, Number: chat.PageSize}
}

func verify(userSig string, now time.Time) error {
	return tencentyun.VerifyUserSig(appID, key, admin, userSig, now)
}

// checkClean fails the test if an error, in whatever way it is printed, repeats a secret.
func checkClean(t *testing.T, err error, userSigs ...string) {
	t.Helper()
	for layer := err; layer != nil; layer = errors.Unwrap(layer) {
		texts := []string{layer.Error(), fmt.Sprintf("%v", layer), fmt.Sprintf("%+v", layer), fmt.Sprintf("%#v", layer), fmt.Sprintf("%q", layer)}
		for _, text := range texts {
			for _, bad := range append([]string{key, secret, "usersig=", "sdkappid=", "identifier="}, userSigs...) {
				if bad != "" && strings.Contains(text, bad) {
					t.Errorf("error repeats %q: %s", bad, text)
				}
			}
		}
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("error still holds a URL: %v", e.Op)
	}
}

func writeGzip(t *testing.T, w io.Writer, text string) {
	t.Helper()
	z := gzip.NewWriter(w)
	if _, err := io.WriteString(z, text); err != nil {
		t.Errorf("gzip: %v", err)
	}
	if err := z.Close(); err != nil {
		t.Errorf("gzip: %v", err)
	}
}
