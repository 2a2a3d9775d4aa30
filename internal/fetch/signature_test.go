package fetch_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/fetch"
	"chatexport/internal/retry"
)

// newPrivate is a site that wants a signature for what begins with /private.
func newPrivate(t *testing.T) *site {
	t.Helper()
	return newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/private") && r.URL.Query().Get("sign") != "good":
			status(http.StatusForbidden)(w, r)
		case r.URL.Path == "/private/gone":
			status(http.StatusNotFound)(w, r)
		default:
			body("body of "+r.URL.Path)(w, r)
		}
	})
}

func signed(url string) string { return url + "&sign=good" }

func TestSignature_OpensWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path     string
		sign     func(url string) chat.Signature
		fail     error
		want     string
		requests int
		calls    int
	}{
		"nothing refused": {path: "/public", want: "body of /public", requests: 1},
		"signed":          {path: "/private", sign: func(url string) chat.Signature { return chat.Signature{URL: signed(url)} }, want: "body of /private", requests: 2, calls: 1},
		"signed in vain":  {path: "/private", sign: func(url string) chat.Signature { return chat.Signature{URL: url} }, want: "refused http_403, passing", requests: 4, calls: 1},
		"signed but gone": {path: "/private/gone", sign: func(url string) chat.Signature { return chat.Signature{URL: signed(url)} }, want: "gone http_404", requests: 2, calls: 1},
		"banned":          {path: "/private", sign: func(url string) chat.Signature { return chat.Signature{URL: signed(url), Status: chat.FileBanned} }, want: "banned banned", requests: 1, calls: 1},
		"does not exist":  {path: "/private", sign: func(url string) chat.Signature { return chat.Signature{Status: chat.FileMissing} }, want: "gone missing", requests: 1, calls: 1},
		"not signed":      {path: "/private", want: "refused http_403, passing", requests: 1, calls: 1},
		"call fails":      {path: "/private", fail: errors.New("the service is down"), want: "refused http_403, passing", requests: 1, calls: 1},
		"no time to call": {path: "/private", fail: retry.ErrNoTime, want: "failed too-slow, passing", requests: 1, calls: 1},
		"signed for elsewhere": {path: "/private", sign: func(string) chat.Signature {
			return chat.Signature{URL: "https://evil.example.com/?" + secret}
		}, want: "refused http_403, passing", requests: 1, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service := newPrivate(t), &signer{sign: c.sign, fail: c.fail}
			got := bring(t, s.fetcher(t, service, nil), fetch.Link{URL: s.link(tencent, c.path)})[0]
			if requests := len(s.seen()); got.String() != c.want || requests != c.requests || len(service.calls) != c.calls {
				t.Errorf("%q after %d requests and %d calls, want %q, %d, %d", got, requests, len(service.calls), c.want, c.requests, c.calls)
			}
			if c.fail != nil && !errors.Is(got.failure, c.fail) {
				t.Errorf("%v does not tell why there is no signature", got.failure)
			}
		})
	}
}

func TestSignature_IsAskedForTwentyTogether(t *testing.T) {
	t.Parallel()
	s, service := newPrivate(t), &signer{sign: func(url string) chat.Signature { return chat.Signature{URL: signed(url)} }}
	var links []fetch.Link
	for i := range 45 {
		links = append(links, fetch.Link{URL: s.link(tencent, fmt.Sprintf("/private/%d", i))}, fetch.Link{URL: s.link(tencent, fmt.Sprintf("/public/%d", i))})
	}
	caller := &retry.Caller{Limiter: retry.NewLimiter(1e6), Policy: retry.Policy{Attempts: 1}}
	outcomes := bring(t, s.fetcher(t, service, nil).For(caller), links...)
	for i, link := range links {
		_, path, _ := strings.Cut(link.URL, s.port)
		path, _, _ = strings.Cut(path, "?")
		if got := outcomes[i].String(); got != "body of "+path {
			t.Errorf("link %d: %q", i, got)
		}
	}
	var sizes []int
	asked := map[string]int{}
	for _, call := range service.calls {
		sizes = append(sizes, len(call))
		for _, url := range call {
			asked[url]++
		}
	}
	// Where the machine is slow, some have waited long enough before twenty are together.
	if len(asked) != 45 || slices.Max(sizes) != 20 || len(sizes) > 10 || int(caller.Counts().Calls) != len(sizes) {
		t.Errorf("calls for %v URLs, %d different ones, %d counted", sizes, len(asked), caller.Counts().Calls)
	}
}

// One that is refused does not wait for the end of all others.
func TestSignature_IsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/slow":
			<-release
		case r.URL.Query().Get("sign") == "good":
			close(release)
		default:
			status(http.StatusUnauthorized)(w, r)
		}
	})
	service := &signer{sign: func(url string) chat.Signature { return chat.Signature{URL: signed(url)} }}
	began := time.Now()
	outcomes := bring(t, s.fetcher(t, service, nil), fetch.Link{URL: s.link(tencent, "/slow")}, fetch.Link{URL: s.link(tencent, "/private")})
	if outcomes[0].failure != nil || outcomes[1].failure != nil {
		t.Errorf("after %v: %v", time.Since(began), outcomes)
	}
}
