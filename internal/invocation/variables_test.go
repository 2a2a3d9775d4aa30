package invocation_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/invocation"
)

// Every variable does what the table says; what is read wrong is proved in package config.
func TestVariables_TakeEffect(t *testing.T) {
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
			map[string]string{"EXPORT_MAX_HOPS": "1", "CHAT_CONCURRENCY": "1", "EXPORT_SPAN": "20"},
			chatemu.Options{Latency: 6 * time.Second},
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
func TestVariables_NameTheServicesByRegion(t *testing.T) {
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
			delete(env, "MEDIA_HOSTS") // of this machine
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

func TestVariables_ProblemsAreReportedTogether(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{})
		stream := s.Group("@TGS#1", 30)
		right := maps.Clone(s.Env)
		wrong := map[string]string{
			"CHAT_SDKAPPID": "app", "CHAT_SECRET_KEY": "", "CHAT_ADMIN": "two words", "CHAT_REGION": "atlantis", "CHAT_ENDPOINT": "http://example.com",
			"CHAT_QPS": "0", "CHAT_CONCURRENCY": "1e3", "COS_BUCKET": "no-appid", "COS_REGION": "${env:REGION}", "COS_PREFIX": "../x",
			"COS_ENDPOINT": "ftp://127.0.0.1", "REQUEUE": "kafka", "CMQ_TOPIC": "9", "CLOUD_ENDPOINT": "http://8.8.8.8", "EXPORT_SPAN": "-1",
			"EXPORT_CHUNK_BYTES": "16 MB", "EXPORT_VOID": "maybe", "EXPORT_MAX_HOPS": "many", "EXPORT_MEDIA": "maybe", "EXPORT_LOOK": "soon",
			"MEDIA_HOSTS": "https://example.com", "MEDIA_MAX_BYTES": "1 GB", "CHAT_RETENTION_DAYS": "week", "LOG_LEVEL": "loud",
		}
		maps.Copy(s.Env, wrong)
		h := s.Instance() // one instance: it must serve as soon as an operator has mended the variables
		call := func() (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out, err := h.Invoke(ctx, invocation.Platform{RequestID: "request", Function: world.Function}, s.Timer(stream))
			return string(out), err
		}
		_, err := call()
		if err == nil {
			t.Fatal("served with a configuration that cannot work")
		}
		for name, value := range wrong {
			if !strings.Contains(err.Error(), name+": ") || !strings.Contains(s.Logs.String(), name+": ") {
				t.Errorf("the error, or its log line, does not name %s: %v", name, err)
			}
			if len(value) > 3 && strings.Contains(err.Error(), value) {
				t.Errorf("the error quotes the value of %s", name)
			}
		}
		if n := s.Chat.Counters().Calls + len(s.COS.Counts()) + len(s.Cloud.Calls()); n != 0 {
			t.Errorf("%d calls were made", n)
		}
		maps.Copy(s.Env, right)
		for name := range wrong {
			if _, ok := right[name]; !ok {
				delete(s.Env, name)
			}
		}
		if out, err := call(); err != nil {
			t.Fatal(out, err)
		}
		if err := s.sound(stream); err != nil {
			t.Error(err)
		}
	})
}
