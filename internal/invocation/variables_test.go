package invocation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/invocation"
	"chatexport/internal/layout"
)

// Every variable does what the table says; what is read wrong is proved in package config.
func TestEveryVariableTakesEffect(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env   map[string]string
		chat  chatemu.Options
		check func(t *testing.T, s *site, stream chat.Stream)
	}{
		"CHAT_ADMIN": {map[string]string{"CHAT_ADMIN": "boss"}, chatemu.Options{Admins: []string{"boss"}}, func(t *testing.T, s *site, _ chat.Stream) {
			if got := s.Chat.Calls()[0].Identifier; got != "boss" {
				t.Errorf("called as %s", got)
			}
		}},
		"CHAT_QPS": {map[string]string{"CHAT_QPS": "2"}, chatemu.Options{}, func(t *testing.T, s *site, _ chat.Stream) {
			if got := s.Chat.Counters().MaxSecond; got > 3 {
				t.Errorf("%d calls in one second", got)
			}
		}},
		"CHAT_CONCURRENCY": {map[string]string{"CHAT_CONCURRENCY": "3"}, chatemu.Options{Latency: 200 * time.Millisecond}, func(t *testing.T, s *site, _ chat.Stream) {
			if got := s.Chat.Counters().MaxParallel; got != 3 {
				t.Errorf("%d calls at a time", got)
			}
		}},
		"EXPORT_MAX_HOPS": {
			map[string]string{"EXPORT_MAX_HOPS": "1", "CHAT_CONCURRENCY": "1", "EXPORT_SPAN": "20"}, chatemu.Options{Latency: 6 * time.Second},
			func(t *testing.T, s *site, stream chat.Stream) {
				if diff := cmp.Diff([]string{"continued", "hop_limit"}, s.outcomes(stream.GroupID)); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
				for range 5 {
					s.tick(stream)
				}
			},
		},
		"EXPORT_SPAN": {map[string]string{"EXPORT_SPAN": "70"}, chatemu.Options{}, func(t *testing.T, s *site, stream chat.Stream) {
			metas, _ := s.chain(stream)
			var his []chat.Seq
			for _, m := range metas {
				his = append(his, m.Hi)
			}
			if diff := cmp.Diff([]chat.Seq{70, 140, 205}, his); diff != "" {
				t.Errorf("chunks end at (-want +got):\n%s", diff)
			}
		}},
		"EXPORT_CHUNK_BYTES": {map[string]string{"EXPORT_CHUNK_BYTES": "1024"}, chatemu.Options{}, func(t *testing.T, s *site, stream chat.Stream) {
			if metas, _ := s.chain(stream); len(metas) < 2 {
				t.Errorf("%d chunk; it should be closed at about 1 kB", len(metas))
			}
		}},
		"COS_PREFIX": {map[string]string{"COS_PREFIX": "a/b"}, chatemu.Options{}, func(t *testing.T, s *site, _ chat.Stream) {
			for _, r := range s.COS.Log() {
				if r.Key != "" && !strings.HasPrefix(r.Key, "a/b/") {
					t.Errorf("%s %s is not below the prefix", r.Method, r.Key)
				}
			}
		}},
		"LOG_LEVEL debug": {map[string]string{"LOG_LEVEL": "debug"}, chatemu.Options{}, func(t *testing.T, s *site, _ chat.Stream) {
			if !strings.Contains(s.Logs.String(), `"level":"debug"`) || len(s.Logs.Batches()) == 0 {
				t.Errorf("logged: %s", s.Logs)
			}
		}},
		"LOG_LEVEL error": {map[string]string{"LOG_LEVEL": "error"}, chatemu.Options{}, func(t *testing.T, s *site, _ chat.Stream) {
			if s.Logs.String() != "" {
				t.Errorf("logged: %s", s.Logs)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{Env: tc.env, Chat: tc.chat})
				stream := s.Group("@TGS#1", 205)
				s.tick(stream)
				tc.check(t, s, stream) // before the archive is looked at, which calls COS, too
				if err := s.sound(stream); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Without endpoints, each service is where its region says.
func TestRegionsNameTheServices(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		s.Group("@TGS#1", 20)
		for _, tc := range []struct {
			unset string
			set   map[string]string
			want  string
		}{
			{"CHAT_ENDPOINT", map[string]string{"CHAT_REGION": "singapore"}, "adminapisgp.im.qcloud.com:443"},
			{"CHAT_ENDPOINT", nil, "console.tim.qq.com:443"},
			{"COS_ENDPOINT", map[string]string{"COS_BUCKET": "other-1250000001", "COS_REGION": "ap-hongkong"}, "other-1250000001.cos.ap-hongkong.myqcloud.com:443"},
		} {
			env := maps.Clone(s.Env)
			delete(env, tc.unset)
			maps.Copy(env, tc.set)
			var mu sync.Mutex
			var dialed []string
			h := invocation.New(func(name string) string { return env[name] }, s.Logs)
			h.DialWith(func(ctx context.Context, network, address string) (net.Conn, error) {
				if strings.HasSuffix(address, ":443") {
					mu.Lock()
					defer mu.Unlock()
					dialed = append(dialed, address)
					return nil, errors.New("not here")
				}
				return s.Network.Dial(ctx, network, address)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, err := h.Invoke(ctx, invocation.Platform{RequestID: "request", Function: world.Function}, []byte("@TGS#1"))
			cancel()
			if mu.Lock(); err == nil || !slices.Contains(dialed, tc.want) {
				t.Errorf("without %s: dialed %v, error %v; want %s", tc.unset, dialed, err, tc.want)
			}
			mu.Unlock()
		}
	})
}

// What is sent with a chunk keeps it write-once and whole.
func TestAChunkIsWrittenWithTheDocumentedHeaders(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := make(map[string]http.Header)
		s := newSite(t, world.Options{Wrap: func(service string, next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if service == "cos" && r.Method == http.MethodPut {
					mu.Lock()
					seen[strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)[0]] = r.Header.Clone()
					mu.Unlock()
				}
				next.ServeHTTP(w, r)
			})
		}})
		s.tick(s.Group("@TGS#1", 30))
		mu.Lock()
		defer mu.Unlock()
		for folder, want := range map[string][]string{
			"data": {"application/gzip", "true"}, "manifest": {"application/json", "true"}, "state": {"application/json", ""},
		} {
			h := seen[folder]
			got := []string{h.Get("Content-Type"), h.Get("X-Cos-Forbid-Overwrite")}
			if diff := cmp.Diff(want, got); diff != "" || h.Get("Content-Md5") == "" || h.Get("Content-Encoding") != "" {
				t.Errorf("%s/: headers %v (-want +got):\n%s", folder, h, diff)
			}
		}
	})
}

// A manifest lists 500 chunks at most: it is written as soon as there are so many, and the run's last one ends it.
func TestManifestsAreWrittenAsSoonAsTheyAreFull(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 10 * time.Minute, Env: map[string]string{"EXPORT_SPAN": "1"}})
		stream := s.Group("@TGS#1", 510)
		s.tick(stream)
		if err := s.sound(stream); err != nil {
			t.Error(err)
		}
		var got []string
		for _, lo := range []chat.Seq{1, 501} {
			body, _, err := s.Store.Get(t.Context(), layout.Manifest(stream, lo))
			must(t, err)
			m, err := archive.ParseManifest(body)
			must(t, err)
			got = append(got, fmt.Sprint(m.Status, " ", m.Lo, "-", m.Hi, " ", m.Totals.Chunks))
		}
		if diff := cmp.Diff([]string{"partial 1-500 500", "complete 501-510 10"}, got); diff != "" {
			t.Errorf("manifests (-want +got):\n%s", diff)
		}
		var order []string
		for _, r := range s.COS.Log() {
			if r.Method == http.MethodPut && r.Status == http.StatusOK && !strings.HasPrefix(r.Key, "state/") {
				order = append(order, r.Key)
			}
		}
		at := slices.Index(order, layout.Manifest(stream, 1))
		if before := slices.Index(order, layout.Chunk(stream, 500)); at < before || at > before+3 {
			t.Errorf("the first manifest was write %d, the 500th chunk %d", at, before)
		}
	})
}
