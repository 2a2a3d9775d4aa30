package chatemu_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	chatemu "chatexport/internal/emulator/chat"
)

func TestSignature_AndQueryAreVerified(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.OtherRegionApps = []int{77}
	s, c := start(t, opts)
	plain(t, s, 1)
	gen := func(app int, key, id string, ttl int) string {
		sig, err := tencentyun.GenUserSig(app, key, id, ttl)
		must(t, err)
		return sig
	}
	set := func(key, value string) func(url.Values) { return func(q url.Values) { q.Set(key, value) } }
	tests := []struct {
		name   string
		change func(url.Values)
		code   int
	}{
		{"all right", func(url.Values) {}, 0},
		{"no sdkappid", func(q url.Values) { q.Del("sdkappid") }, 60012},
		{"parameter of another case", func(q url.Values) { q.Del("sdkappid"); q.Set("SdkAppId", "1400000001") }, 60012},
		{"unknown sdkappid", set("sdkappid", "1400000002"), 60006},
		{"sdkappid no number", set("sdkappid", "x"), 60006},
		{"sdkappid of another region", set("sdkappid", "77"), 70020},
		{"no identifier", func(q url.Values) { q.Del("identifier") }, 60004},
		{"no usersig", func(q url.Values) { q.Del("usersig") }, 70002},
		{"empty usersig", set("usersig", ""), 70002},
		{"broken usersig", set("usersig", "eJw-"), 70003},
		{"usersig no base64", set("usersig", "%%%"), 70003},
		{"other key", set("usersig", gen(testApp, "other", testAdmin, 86400)), 70009},
		{"other identifier", set("identifier", "Administrator"), 70013},
		{"other app signed", set("usersig", gen(5, testKey, testAdmin, 86400)), 70014},
		{"expired", set("usersig", gen(testApp, testKey, testAdmin, -2)), 70001},
		{"not an admin", func(q url.Values) { q.Set("identifier", "u"); q.Set("usersig", gen(testApp, testKey, "u", 86400)) }, 60010},
		{"random above uint32", set("random", "4294967296"), 60002},
		{"other content type", set("contenttype", "xml"), 60002},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			query := c.query()
			tt.change(query)
			a, err := c.send(http.MethodPost, pagePath, query, `{"GroupId":"g","ReqMsgNumber":1}`)
			must(t, err)
			if a.Status != http.StatusOK || a.ErrorCode != tt.code || (a.ActionStatus == "OK") != (tt.code == 0) {
				t.Errorf("answer %d %s, want code %d", a.Status, a.Raw, tt.code)
			}
		})
	}
}

func TestCall_URLAndBodyAreChecked(t *testing.T) {
	t.Parallel()
	s, c := start(t, options())
	plain(t, s, 1)
	tests := []struct {
		name, method, path, body string
		code                     int
	}{
		{"GET", http.MethodGet, pagePath, "", 60002},
		{"no command", http.MethodPost, "/v4/group_open_http_svc", "{}", 60002},
		{"other version", http.MethodPost, "/v3/group_open_http_svc/group_msg_get_simple", "{}", 60002},
		{"unknown service", http.MethodPost, "/v4/group_open_svc/group_msg_get_simple", "{}", 60008},
		{"unknown command", http.MethodPost, "/v4/group_open_http_svc/group_msg_get", "{}", 10003},
		{"command of the other service", http.MethodPost, "/v4/group_open_http_svc/get_topic", "{}", 10003},
		{"empty body", http.MethodPost, pagePath, "", 60003},
		{"comment", http.MethodPost, pagePath, "{} // page", 60003},
		{"array", http.MethodPost, pagePath, "[]", 60003},
		{"null", http.MethodPost, pagePath, "null", 60003},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := c.send(tt.method, tt.path, c.query(), tt.body)
			must(t, err)
			if a.Status != http.StatusOK || a.ErrorCode != tt.code {
				t.Errorf("answer %d %s, want code %d", a.Status, a.Raw, tt.code)
			}
			if tt.code == 60008 && a.ErrorInfo != "service timeout or request format error,please check and try again" {
				t.Errorf("ErrorInfo %q", a.ErrorInfo)
			}
			if tt.code == 60002 && a.ErrorInfo != "HTTP parse Error" {
				t.Errorf("ErrorInfo %q", a.ErrorInfo)
			}
		})
	}
}

func TestCall_IPListIsAnswered(t *testing.T) {
	t.Parallel()
	opts := options()
	opts.AllowedIPs = []string{"10.0.0.1"}
	_, c := start(t, opts)
	if a := c.page(-1, 1); a.ErrorCode != 60021 {
		t.Errorf("answer %s, want 60021", a.Raw)
	}
}

func TestSignature_OldOnesAreRefusedThoughTheyLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.MaxSigAge = time.Hour
		s := chatemu.New(opts)
		plain(t, s, 1)
		c := memory(t, s)
		time.Sleep(time.Hour)
		if a := c.page(-1, 1); a.ErrorCode != 0 {
			t.Errorf("after an hour: %s", a.Raw)
		}
		time.Sleep(time.Second)
		if a := c.page(-1, 1); a.ErrorCode != 70001 {
			t.Errorf("after more than an hour: %s, want 70001", a.Raw)
		}
		c.sig = sign(t)
		if a := c.page(-1, 1); a.ErrorCode != 0 {
			t.Errorf("signed again: %s", a.Raw)
		}
	})
}

func TestSignature_ManyBadOnesLockTheAppForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.MaxBadSigs = 2
		s := chatemu.New(opts)
		plain(t, s, 1)
		c := memory(t, s)
		good := c.sig
		c.sig = "x"
		for range 3 {
			if a := c.page(-1, 1); a.ErrorCode != 70003 {
				t.Fatalf("bad signature: %s", a.Raw)
			}
		}
		c.sig = good
		if a := c.page(-1, 1); a.ErrorCode != 70050 {
			t.Errorf("good signature after three bad ones: %s, want 70050", a.Raw)
		}
		time.Sleep(time.Minute)
		if a := c.page(-1, 1); a.ErrorCode != 0 {
			t.Errorf("a minute later: %s", a.Raw)
		}
		if n := s.Counters().BadSigs; n != 3 {
			t.Errorf("BadSigs = %d, want 3", n)
		}
	})
}

func TestLoopback_CallerFromElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	s := chatemu.New(options())
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pagePath, strings.NewReader("{}"))
	r.RemoteAddr = "192.0.2.1:1234"
	s.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || s.Counters().Calls != 0 {
		t.Errorf("a caller from elsewhere was answered %d", w.Code)
	}
}

func TestLog_HoldsNoUserSig(t *testing.T) {
	t.Parallel()
	var seen string
	opts := options()
	opts.OnCall = func(c chatemu.Call) { seen = c.URL }
	s, c := start(t, opts)
	plain(t, s, 1)
	c.page(7, 3)
	calls := s.Calls()
	if len(calls) != 1 || calls[0].SigTime == 0 || calls[0].Query.Seq != 7 || calls[0].Query.Number != 3 ||
		calls[0].Query.Stream != stream() || calls[0].Command != "group_msg_get_simple" || calls[0].Random != "4294967295" || calls[0].Found != 1 {
		t.Fatalf("calls %+v", calls)
	}
	for _, text := range []string{seen, calls[0].URL} {
		if strings.Contains(text, c.sig) || strings.Contains(text, url.QueryEscape(c.sig)) || !strings.Contains(text, "usersig=redacted") {
			t.Errorf("URL %s", text)
		}
	}
	if bytes.Contains(calls[0].Body, []byte(c.sig)) {
		t.Error("the signature is in the body")
	}
}
