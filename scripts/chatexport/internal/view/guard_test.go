package view_test

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
)

func TestGuard_NobodyElseGetsAnything(t *testing.T) {
	t.Parallel()
	s := show(t)
	port := s.origin[strings.LastIndexByte(s.origin, ':'):]
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	enter := strings.TrimPrefix(s.address, s.origin)
	for name, test := range map[string]struct {
		path   string
		change func(*http.Request)
		status int
	}{
		"with all":                      {"/", nil, 200},
		"as localhost":                  {enter, host("localhost" + port), 200},
		"another name":                  {"/", host("evil.example" + port), 403},
		"another name, with the token":  {enter, host("evil.example" + port), 403},
		"another port":                  {"/", host("127.0.0.1:1"), 403},
		"no port":                       {"/", host("127.0.0.1"), 403},
		"an origin of this server":      {"/", header("Origin", s.origin), 200},
		"another origin":                {"/", header("Origin", "http://evil.example"), 403},
		"another origin, the token":     {enter, header("Origin", "http://evil.example"), 403},
		"no origin of its own":          {"/", header("Origin", "null"), 403},
		"from another site":             {"/", header("Sec-Fetch-Site", "cross-site"), 403},
		"from another port":             {"/", header("Sec-Fetch-Site", "same-site"), 403},
		"from another site, with token": {enter, header("Sec-Fetch-Site", "cross-site"), 200},
		"another token":                 {enter + "x", nil, 403},
		"no token":                      {"/enter/", nil, 403},
		"a post":                        {"/", func(r *http.Request) { r.Method = http.MethodPost }, 405},
		"a delete":                      {"/", func(r *http.Request) { r.Method = http.MethodDelete }, 405},
		"head only":                     {"/", func(r *http.Request) { r.Method = http.MethodHead }, 200},
	} {
		who := *s
		if test.status == 403 && strings.Contains(name, "token") {
			who.client = &http.Client{} // without the cookie
		}
		r, body := who.ask(test.path, test.change) //nolint:bodyclose // ask has closed it
		if r.StatusCode != test.status || test.status != 200 && strings.Contains(body, "TGS") {
			t.Errorf("%s: %s\n%.300s", name, r.Status, body)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "Cache-Control": "no-store",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", test.path, name, got)
			}
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none';") || strings.Contains(csp, "script") {
			t.Errorf("%s: policy %q", test.path, csp)
		}
	}
}

func TestGuard_TheCookieIsNeededAndGuarded(t *testing.T) {
	t.Parallel()
	s := show(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.client.Jar = jar
	for _, path := range []string{"/", "/style.css", "/talk/gid=hostile/tid=-/", "/search?q=x", "/enter", "/enter/../"} {
		if r, _ := s.ask(path, nil); r.StatusCode != http.StatusForbidden { //nolint:bodyclose // ask has closed it
			t.Errorf("%s without a cookie: %s", path, r.Status)
		}
	}
	r, _ := s.ask(strings.TrimPrefix(s.address, s.origin), nil) //nolint:bodyclose // ask has closed it
	cookie := r.Header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") || strings.Contains(cookie, s.address[len(s.address)-20:]) {
		t.Errorf("cookie %q", cookie)
	}
}

// What is no path of this server is none of the file system's either.
func checkPath(t *testing.T, s *scene, path string) {
	t.Helper()
	r, body := s.ask("/", func(r *http.Request) { r.URL.Opaque = "//" + r.URL.Host + path }) //nolint:bodyclose // ask has closed it
	if r.StatusCode >= 500 || strings.Contains(body, "root:x:0") || strings.Contains(body, `"sdkappid"`) {
		t.Errorf("%q: %s\n%.300s", path, r.Status, body)
	}
}

func paths() []string {
	return []string{
		"/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/talk/../../etc/passwd", "/talk/gid=../tid=-/", "/talk/gid=%2e%2e%2f/tid=-/", "/talk/gid=.2e.2e/tid=-/",
		"/talk/gid=hostile/tid=-/../../../manifest/gid=hostile/tid=-/genesis.json", "/talk/gid=hostile/tid=-/proof?seq=99999999999999999999", "/talk//etc/passwd/",
		"/file/../manifest/gid=hostile/tid=-/genesis.json", "/file/%2e%2e%2fstate", "/file/" + strings.Repeat("a", 63), "/file/" + strings.Repeat("A", 64), "/file/x%00",
		"//evil.example/", "/\\evil.example", "/manifest/gid=hostile/tid=-/genesis.json", "/data/", "/?tz=../../etc/passwd", "/?tz=/etc/passwd", "/?tz=..%5C..%5Cx",
		"/search?in=../x&q=a", "/search?q=a&since=x", "/search?q=%00%ff", "/talk/gid=hostile/tid=-/jump?to=//evil.example", "/talk/gid=hostile/tid=-/?day=0000-00-00&seq=-1",
		"/talk/gid=hostile/tid=-/?day=2026-01-02%0d%0aX:y", "/talk/gid=hostile/tid=-/jump?to=9999-12-31+23:59",
	}
}

func TestPaths_LeadNowhereElse(t *testing.T) {
	t.Parallel()
	s := show(t)
	for _, path := range paths() {
		checkPath(t, s, path)
	}
}

func FuzzPath(f *testing.F) {
	for _, path := range paths() {
		f.Add(path)
	}
	s := show(f)
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return
		}
		one := *s
		one.t = t
		checkPath(t, &one, path)
	})
}
