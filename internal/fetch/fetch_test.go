package fetch_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatexport/internal/config"
	"chatexport/internal/fetch"
)

func TestLink_IsFetchedFromTheListOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") })
	s.at["private.example.com"], s.at["metadata.example.com"] = "10.0.0.5", "169.254.0.23"
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "plain") }))
	t.Cleanup(plain.Close)
	hosts := config.Hosts{listed, "private.example.com", "metadata.example.com", "10.0.0.1", "::1", "127.0.0.1", "localhost"}
	onLoopback := strings.Replace(plain.URL, "http:", "https:", 1)
	for name, c := range map[string]struct {
		url      string
		loopback bool
		want     string
	}{
		"Tencent's":               {url: s.link(tencent, "/a"), want: "body"},
		"Tencent's, in capitals":  {url: "HTTPS://" + strings.ToUpper(tencent) + ".:" + s.port + "/a", want: "body"},
		"Tencent's, over http":    {url: "http://" + tencent + ":" + s.port + "/a", want: "body"},
		"of a user":               {url: "https://u:p@" + tencent + ":" + s.port + "/a", want: "refused user"},
		"of a name like a host's": {url: "https://" + tencent + ":p@example.com/a", want: "external host"},
		"external":                {url: s.link("example.com", "/a"), want: "external host"},
		"of a longer name":        {url: s.link(tencent+".example.com", "/a"), want: "external host"},
		"of a parent":             {url: s.link("myqcloud.com", "/a"), want: "external host"},
		"of an address":           {url: s.link("1.1.1.1", "/a"), want: "external host"},
		"of an odd address":       {url: s.link("2130706433", "/a"), want: "external host"},
		"ftp":                     {url: "ftp://" + tencent + "/a", want: "refused scheme"},
		"ftp, external":           {url: "ftp://example.com/a", want: "refused scheme"},
		"no scheme":               {url: "//" + tencent + "/a", want: "refused scheme"},
		"data":                    {url: "data:text/plain,x", want: "refused scheme"},
		"no host":                 {url: "https:///a?" + secret, want: "refused url"},
		"no URL":                  {url: "https://[" + secret, want: "refused url"},
		"no port":                 {url: "https://" + tencent + ":70000/", want: "refused url"},
		"listed, private":         {url: s.link("private.example.com", "/a"), want: "refused address"},
		"listed, metadata":        {url: s.link("metadata.example.com", "/a"), want: "refused address"},
		"listed, this machine":    {url: s.link(listed, "/a"), want: "refused address"},
		"listed, private address": {url: s.link("10.0.0.1", "/a"), want: "refused address"},
		"listed, loopback":        {url: plain.URL, want: "refused address"},
		"listed, IPv6":            {url: s.link("[::1]", "/a"), want: "refused address"},
		"allowed, plain":          {url: plain.URL, loopback: true, want: "plain"},
		"allowed, https":          {url: s.link("127.0.0.1", "/a"), loopback: true, want: "body"},
		"allowed, a name":         {url: s.link("localhost", "/a"), loopback: true, want: "body"},
		"allowed, no TLS there":   {url: onLoopback, loopback: true, want: "failed network, passing"},
		"allowed, not listed":     {url: s.link("127.0.0.2", "/a"), loopback: true, want: "external host"},
		"allowed, another host":   {url: s.link(listed, "/a"), loopback: true, want: "refused address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := s.fetcher(t, nil, func(cfg *fetch.Config) { cfg.Hosts, cfg.Loopback = hosts, c.loopback })
			if got := bring(t, f, fetch.Link{URL: c.url})[0].String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Cleanup(func() {
		for _, request := range s.seen() {
			if host, _, _ := strings.Cut(request, "/"); !slices.Contains([]string{tencent, "127.0.0.1", "localhost"}, strings.TrimSuffix(strings.ToLower(host), ".")) {
				t.Errorf("%s was asked", host)
			}
		}
	})
}

// answers are what the server says in order; the last stands for all that follow.
type answers []http.HandlerFunc

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "an error page")
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// cut answers with less than it promises.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "10")
	_, _ = io.WriteString(w, "bo")
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// untold answers with a body whose end is that of the connection.
func untold(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + text)
			_ = buffered.Flush()
			_ = c.Close()
		}
	}
}

// endless answers in pieces, without a length, with more than the limit.
func endless(w http.ResponseWriter, _ *http.Request) {
	for range 64 {
		_, _ = w.Write(make([]byte, 64<<10))
	}
}

func TestAnswer_IsAFileOrAFailure(t *testing.T) {
	t.Parallel()
	huge := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1048577") }
	for name, c := range map[string]struct {
		size     int64 // as the message says
		answers  answers
		want     string
		requests int
	}{
		"a file":                      {answers: answers{body("body")}, want: "body", requests: 1},
		"a file of that size":         {size: 4, answers: answers{body("body")}, want: "body", requests: 1},
		"an empty file":               {answers: answers{body("")}, want: "", requests: 1},
		"not found":                   {answers: answers{status(404)}, want: "gone http_404", requests: 1},
		"gone":                        {answers: answers{status(410)}, want: "gone http_410", requests: 1},
		"bad request":                 {answers: answers{status(400)}, want: "failed http_400", requests: 1},
		"no content":                  {answers: answers{status(204)}, want: "failed http_204", requests: 1},
		"a part":                      {answers: answers{status(206)}, want: "failed http_206", requests: 1},
		"unavailable":                 {answers: answers{status(503)}, want: "failed http_503, passing", requests: 3},
		"unavailable twice":           {answers: answers{status(503), status(500), body("body")}, want: "body", requests: 3},
		"throttled":                   {answers: answers{status(429)}, want: "failed http_429, passing", requests: 3},
		"arrears":                     {answers: answers{status(451)}, want: "failed http_451, passing", requests: 3},
		"unavailable, then not there": {answers: answers{status(503), status(404)}, want: "gone http_404", requests: 2},
		"cut":                         {answers: answers{cut}, want: "failed cut_off, passing", requests: 3},
		"cut, then whole":             {answers: answers{cut, body("body")}, want: "body", requests: 2},
		"another size":                {size: 5, answers: answers{body("body")}, want: "body, short", requests: 2},
		"another size, then right":    {size: 5, answers: answers{body("bo"), body("whole")}, want: "whole", requests: 2},
		"another size each time":      {size: 5, answers: answers{body("b"), body("bo"), body("bod")}, want: "failed size, passing", requests: 3},
		"another size, cut, the same": {size: 5, answers: answers{body("body"), cut, body("body")}, want: "body, short", requests: 3},
		"longer than told":            {size: 3, answers: answers{body("body")}, want: "body, short", requests: 2},
		"no length":                   {answers: answers{untold("body")}, want: "body", requests: 2},
		"no length, of that size":     {size: 4, answers: answers{untold("body")}, want: "body", requests: 1},
		"no length, cut once":         {answers: answers{untold("bo"), untold("body"), untold("body")}, want: "body", requests: 3},
		"too large by the message":    {size: 1<<20 + 1, answers: answers{body("body")}, want: "too-large message", requests: 0},
		"too large by its length":     {answers: answers{huge}, want: "too-large answer", requests: 1},
		"too large in pieces":         {answers: answers{endless}, want: "too-large answer", requests: 1},
		"sent on":                     {answers: answers{redirect("/b"), body("body")}, want: "body", requests: 2},
		"sent on over http":           {answers: answers{redirect("http://" + tencent + ":PORT/b"), body("body")}, want: "body", requests: 2},
		"sent on five times":          {answers: answers{redirect("/b"), redirect("/c"), redirect("/d"), redirect("/e"), redirect("/f"), body("body")}, want: "body", requests: 6},
		"sent on without end":         {answers: answers{redirect("/a")}, want: "refused redirects", requests: 6},
		"sent on to nowhere":          {answers: answers{redirect("")}, want: "refused redirect", requests: 1},
		"sent on off the list":        {answers: answers{redirect("https://127.0.0.1:PORT/b?" + secret), body("stolen")}, want: "refused redirect", requests: 1},
		"sent on to a file":           {answers: answers{redirect("file:///etc/passwd"), body("stolen")}, want: "refused redirect", requests: 1},
		"sent on to a user":           {answers: answers{redirect("https://u:p@" + tencent + ":PORT/b"), body("stolen")}, want: "refused redirect", requests: 1},
		"sent on to a neighbour":      {answers: answers{redirect("https://" + listed + ":PORT/b"), body("stolen")}, want: "refused address", requests: 1},
		"sent on, not found":          {answers: answers{redirect("/b"), status(404)}, want: "gone http_404", requests: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *site
			var n atomic.Int32
			s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
				for header := range r.Header {
					if !slices.Contains([]string{"User-Agent", "Accept"}, header) {
						t.Errorf("the request has the header %s", header)
					}
				}
				w.Header().Set("Set-Cookie", "a=b")
				w.Header().Set("X-Port", s.port)
				c.answers[min(int(n.Add(1)), len(c.answers))-1](portWriter{w, s.port}, r)
			})
			got := bring(t, s.fetcher(t, nil, nil), fetch.Link{URL: s.link(tencent, "/a"), Size: c.size})[0].String()
			if requests := len(s.seen()); got != c.want || requests != c.requests {
				t.Errorf("%q after %d requests, want %q after %d", got, requests, c.want, c.requests)
			}
		})
	}
}

// portWriter puts the server's port into a Location.
type portWriter struct {
	http.ResponseWriter

	port string
}

func (w portWriter) WriteHeader(code int) {
	w.Header().Set("Location", strings.Replace(w.Header().Get("Location"), "PORT", w.port, 1))
	w.ResponseWriter.WriteHeader(code)
}

func (w portWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestType_IsKeptWhereItIsOne(t *testing.T) {
	t.Parallel()
	long := "image/" + strings.Repeat("x", 94)
	for served, want := range map[string]string{
		"image/jpeg": "image/jpeg", "Image/JPEG": "image/jpeg", "text/html; charset=utf-8": "text/html; charset=utf-8",
		"": "application/octet-stream", "image": "application/octet-stream", "a b/c": "application/octet-stream", "/": "application/octet-stream",
		"image/png; charset": "image/png", "image/png; a=" + strings.Repeat("x", 100): "image/png", long: long, long + "x": "application/octet-stream",
	} {
		s := newSite(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = []string{served} })
		o := bring(t, s.fetcher(t, nil, nil), fetch.Link{URL: s.link(tencent, "/a")})[0]
		if o.file == nil || o.file.Type != want || o.file.Write().ContentType != "application/octet-stream" {
			t.Errorf("%q became %+v, want %q", served, o, want)
		}
	}
}

// A file of the largest size goes through in bounded memory, and arrives with the sums of what was served. Not parallel: it
// measures memory.
func TestFile_IsStoredAsItWasServed(t *testing.T) {
	const size = 32 << 20
	serve := func(w io.Writer) {
		block := make([]byte, 64<<10)
		for i := range size / len(block) {
			block[0] = byte(i)
			_, _ = w.Write(block)
		}
	}
	sha, sum := sha256.New(), md5.New()
	serve(io.MultiWriter(sha, sum))
	s := newSite(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		serve(w)
	})
	f := s.fetcher(t, nil, func(c *fetch.Config) { c.MaxBytes = size })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := f.Fetch(t.Context(), time.Now().Add(time.Hour), []fetch.Link{{URL: s.link(tencent, "/a")}}, func(_ context.Context, _ int, file *fetch.File, err error) {
		if err != nil {
			t.Error(err)
			return
		}
		w := file.Write()
		if file.SHA256 != hex.EncodeToString(sha.Sum(nil)) || [md5.Size]byte(sum.Sum(nil)) != w.File.MD5 || file.Size != size || w.File.Size != size {
			t.Errorf("the file %+v is not what was served", file)
		}
		if err := w.File.CopyTo(io.Discard); err != nil { // as a store does
			t.Error(err)
		}
	})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Error(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > size/8 {
		t.Errorf("%d bytes were allocated for %d", used, size)
	}
}
