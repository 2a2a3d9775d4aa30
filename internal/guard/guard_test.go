package guard_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
)

// call is one call of a client, at one endpoint.
type call func(ctx context.Context, endpoint string) error

// calls are all calls that the program makes with credentials.
func calls() map[string]call {
	key := config.NewSecret("secret")
	role := config.Credentials{SecretID: key, SecretKey: key, Token: key}
	stream := chat.Stream{GroupID: "g"}
	ask := func(do func(context.Context, *chatapi.Client) error) call {
		return func(ctx context.Context, endpoint string) error {
			client, err := chatapi.New(chatapi.Config{SDKAppID: 1, SecretKey: key, BaseURL: endpoint})
			if err != nil {
				return err
			}
			defer client.CloseIdleConnections()
			return do(ctx, client)
		}
	}
	store := func(do func(context.Context, *cosstore.Store) error) call {
		return func(ctx context.Context, endpoint string) error {
			s, err := cosstore.New(cosstore.Config{
				Bucket: "archive-1250000000", Region: "ap-guangzhou", Endpoint: endpoint, Credentials: role, Retry: retry.Policy{Attempts: 1},
			})
			if err != nil {
				return err
			}
			defer s.CloseIdleConnections()
			return do(ctx, s)
		}
	}
	return map[string]call{
		"Chat page": ask(func(ctx context.Context, c *chatapi.Client) error {
			_, err := c.Page(ctx, chat.Query{Stream: stream, Number: 20})
			return err
		}),
		"Chat group": ask(func(ctx context.Context, c *chatapi.Client) error {
			_, err := c.Group(ctx, stream)
			return err
		}),
		"Chat list": ask(func(ctx context.Context, c *chatapi.Client) error {
			_, _, err := c.GroupIDs(ctx, 0, 100, "")
			return err
		}),
		"Chat topics": ask(func(ctx context.Context, c *chatapi.Client) error {
			_, err := c.Topics(ctx, "g")
			return err
		}),
		"Chat signatures": ask(func(ctx context.Context, c *chatapi.Client) error {
			_, err := c.Signatures(ctx, []string{"https://files.example.com/a"})
			return err
		}),
		"COS open": store(func(ctx context.Context, s *cosstore.Store) error {
			_, _, err := s.Open(ctx, layout.State(stream))
			return err
		}),
		"COS get": store(func(ctx context.Context, s *cosstore.Store) error {
			_, _, err := s.Get(ctx, layout.State(stream))
			return err
		}),
		"COS head": store(func(ctx context.Context, s *cosstore.Store) error {
			_, err := s.Head(ctx, layout.State(stream))
			return err
		}),
		"COS create": store(func(ctx context.Context, s *cosstore.Store) error {
			_, err := s.Create(ctx, "k", objstore.Write{Body: []byte("x")})
			return err
		}),
		"COS overwrite": store(func(ctx context.Context, s *cosstore.Store) error {
			_, err := s.Overwrite(ctx, "k", objstore.Write{Body: []byte("x")})
			return err
		}),
		"COS list": store(func(ctx context.Context, s *cosstore.Store) error {
			for _, err := range s.List(ctx, "data/", "") {
				return err
			}
			return nil
		}),
		"COS preflight": store(func(ctx context.Context, s *cosstore.Store) error { return s.Preflight(ctx) }),
		"COS delete": store(func(ctx context.Context, s *cosstore.Store) error {
			_, err := s.MayDelete(ctx, "data/")
			return err
		}),
		"cloud Invoke": func(ctx context.Context, endpoint string) error {
			return requeue.New(requeue.Config{Region: "r", Function: "f", Endpoint: endpoint, Credentials: role}).Publish(ctx, []byte("{}"))
		},
		"cloud PublishCmqMsg": func(ctx context.Context, endpoint string) error {
			return requeue.New(requeue.Config{Region: "r", Topic: "t", Endpoint: endpoint, Credentials: role}).Publish(ctx, []byte("{}"))
		},
	}
}

// every runs a test of every call, with little time for repetitions.
func every(t *testing.T, test func(t *testing.T, name string, do func(endpoint string) error)) {
	t.Helper()
	for name, do := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, func(endpoint string) error {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				return do(ctx, endpoint)
			})
		})
	}
}

func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

// A redirect would carry a signature to another host, and bring a stranger's answer back.
func TestClients_FollowNoRedirect(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, _ string, do func(string) error) {
		var followed atomic.Int64
		stranger := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			followed.Add(1)
			_, _ = fmt.Fprint(w, `{"Response":{"RequestId":"r"},"ActionStatus":"OK","ErrorCode":0}`)
		})
		for _, status := range []int{301, 302, 303, 307, 308} {
			endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, stranger+r.URL.Path, status) })
			if err := do(endpoint); err == nil {
				t.Errorf("%d: no error", status)
			}
		}
		if n := followed.Load(); n > 0 {
			t.Errorf("%d requests came to another host", n)
		}
	})
}

// Nobody can fill the memory by answering for ever.
func TestClients_ReadNoAnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	// What the client reads, of each attempt; the rest is on its way when the connection ends.
	const most, underway = 4<<20 + 1<<16, 8 << 20
	block := []byte(strings.Repeat("<Contents>", 6<<10))
	every(t, func(t *testing.T, name string, do func(string) error) {
		for _, status := range []int{200, 404, 500} {
			var longest atomic.Int64
			endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(status)
				_, _ = fmt.Fprint(w, "<ListBucketResult>")
				for n := int64(0); r.Method != http.MethodHead && n < 1<<30; n += int64(len(block)) {
					if _, err := w.Write(block); err != nil {
						return
					}
					longest.Store(max(longest.Load(), n))
				}
			})
			err := do(endpoint)
			if err == nil && (status == 500 || name != "COS delete") { // which wants no body
				t.Errorf("%d: no error", status)
			}
			if n := longest.Load(); n > most+underway {
				t.Errorf("%d: %d bytes were sent", status, n)
			}
		}
	})
}

// The credentials, and messages, are in every request.
func TestClients_SpeakPlainHTTPToThisMachineOnly(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, _ string, do func(string) error) {
		for _, endpoint := range []string{"http://example.com", "http://10.0.0.1", "http://169.254.0.23", "http://127.0.0.1.example.com", "http://localhost@example.com"} {
			if err := do(endpoint); err == nil || !strings.Contains(err.Error(), "plain http") && !strings.Contains(err.Error(), "user") {
				t.Errorf("%s: %v", endpoint, err)
			}
		}
	})
}

// A client that is made anywhere else is held back, too.
func TestClients_AreMadeWithAGuard(t *testing.T) {
	t.Parallel()
	makes, guarded := regexp.MustCompile(`\bhttp\.Client\{|NewCommonClient\(`), regexp.MustCompile(`guard\.Transport\{`)
	found := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "emulator" || entry.Name() == "bench"): // loopback only
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		if err == nil && makes.Match(source) {
			found++
			if !guarded.Match(source) {
				t.Errorf("%s makes a client without a guard", path)
			}
		}
		return err
	})
	if err != nil || found < 3 {
		t.Errorf("%d files make clients, %v", found, err)
	}
}
