package mediaemu_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/sample"
)

// client asks by hand and follows no redirect: the emulator is tested against HTTP, not against our own client.
type client struct {
	t    *testing.T
	http *http.Client
}

func start(t *testing.T, opts mediaemu.Options) (*mediaemu.Server, *client) {
	t.Helper()
	s := mediaemu.New(opts)
	s.StartT(t)
	transport := &http.Transport{DisableKeepAlives: true} // it asks again by itself when a connection that it kept breaks
	t.Cleanup(transport.CloseIdleConnections)
	return s, &client{t: t, http: &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type answer struct {
	status int // 0 if there was none
	header http.Header
	length int64
	body   []byte
	err    error // of the request, or of reading the body
}

func (c *client) get(ctx context.Context, url string) (a answer) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	a.status, a.header, a.length = resp.StatusCode, resp.Header, resp.ContentLength
	a.body, a.err = io.ReadAll(resp.Body)
	return a
}

func photo() mediaemu.Spec {
	return mediaemu.Spec{Content: mediaemu.Bytes(sample.PNG(1)), Type: "image/png"}
}

func TestFile_IsServedAsItIs(t *testing.T) {
	t.Parallel()
	s, c := start(t, mediaemu.Options{})
	empty := mediaemu.Spec{Name: "empty.bin"}
	hostile, untyped, chunked, named := photo(), photo(), photo(), photo()
	hostile.Type, untyped.Type, chunked.Chunked, named.Name = "text/html", "", true, "a b(1) ü?.png"
	slow := photo()
	slow.SlowBody, slow.SetsCookie = 5*time.Millisecond, true
	for name, spec := range map[string]mediaemu.Spec{
		"as usual": photo(), "empty": empty, "hostile type": hostile, "no type": untyped, "chunked": chunked, "named": named, "slow": slow,
	} {
		f := s.Add(spec)
		a := c.get(t.Context(), f.URL())
		sum := sha256.Sum256(a.body)
		if a.err != nil || a.status != http.StatusOK || hex.EncodeToString(sum[:]) != f.SHA256() || int64(len(a.body)) != f.Size() {
			t.Errorf("%s: status %d with %d bytes, %v", name, a.status, len(a.body), a.err)
		}
		want := f.Size()
		if spec.Chunked {
			want = -1
		}
		if got := a.header.Get("Content-Type"); a.length != want || got != spec.Type || a.header.Get("Set-Cookie") != "" != spec.SetsCookie {
			t.Errorf("%s: Content-Length %d, Content-Type %q, headers %v", name, a.length, got, a.header)
		}
		if r := f.Requests(); len(r) != 1 || !r[0].Whole || r[0].Signed || f.Count() != 1 || !f.Available(time.Now()) {
			t.Errorf("%s: requests %+v, counted %d", name, r, f.Count())
		}
	}
}

func TestFile_URLsLookLikeThoseOfMessages(t *testing.T) {
	t.Parallel()
	s, c := start(t, mediaemu.Options{})
	spec := photo()
	picture := s.Add(spec)
	spec.Name = "report.pdf"
	other := s.Add(spec)
	if u := picture.URL(); !strings.HasPrefix(u, "http://127.0.0.1:") || !strings.HasSuffix(u, "?imageMogr2/") || strings.Contains(u, ".png") {
		t.Errorf("a picture's URL is %s", u)
	}
	if !strings.HasSuffix(other.URL(), "-report.pdf") || other.SHA256() != picture.SHA256() {
		t.Errorf("%s should be another URL of the same bytes", other.URL())
	}
	if a := c.get(t.Context(), picture.URL()+"x"); a.status != http.StatusOK {
		t.Errorf("another query: status %d", a.status) // a service may sign its URLs anew in every answer
	}
	for url, want := range map[string]int{s.OffListURL("x"): http.StatusOK, picture.URL()[:40]: http.StatusNotFound} {
		if a := c.get(t.Context(), url); a.status != want {
			t.Errorf("%s: status %d, want %d", url, a.status, want)
		}
	}
	if n := s.Counters(); n.OffList != 1 || n.Unknown != 1 || n.Requests != 3 {
		t.Errorf("counters %+v", n)
	}
}

func TestFile_IsGoneWhenItExpired(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	s, c := start(t, mediaemu.Options{Now: func() time.Time { return now }})
	expiring, gone, hidden := photo(), photo(), photo()
	expiring.ExpiresAt = now.Add(time.Hour)
	gone.ExpiresAt, gone.GoneStatus = expiring.ExpiresAt, http.StatusGone
	hidden.Missing, hidden.Access = true, mediaemu.Signed403
	a, b, h := s.Add(expiring), s.Add(gone), s.Add(hidden)
	want := func(f *mediaemu.File, status int) {
		t.Helper()
		if got := c.get(t.Context(), f.URL()); got.status != status || f.Available(now) != (status == http.StatusOK) {
			t.Errorf("status %d, want %d; available: %t", got.status, status, f.Available(now))
		}
	}
	want(a, http.StatusOK)
	want(b, http.StatusOK)
	now = now.Add(time.Hour)
	want(a, http.StatusNotFound)
	want(b, http.StatusGone)
	want(h, http.StatusForbidden) // who may not read does not learn that it is gone
}

func TestSignature_OpensWhatNeedsOne(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	s, c := start(t, mediaemu.Options{Now: func() time.Time { return now }})
	for name, tc := range map[string]struct {
		change           func(*mediaemu.Spec)
		unsigned, signed int // HTTP status
		status           int // of get_cos_sig
	}{
		"open":     {func(*mediaemu.Spec) {}, 200, 200, mediaemu.StatusNormal},
		"403":      {func(p *mediaemu.Spec) { p.Access = mediaemu.Signed403 }, 403, 200, mediaemu.StatusNormal},
		"401":      {func(p *mediaemu.Spec) { p.Access, p.Name = mediaemu.Signed401, "x y.png" }, 401, 200, mediaemu.StatusNormal},
		"denied":   {func(p *mediaemu.Spec) { p.Access = mediaemu.Denied }, 403, 403, mediaemu.StatusNormal},
		"banned":   {func(p *mediaemu.Spec) { p.Access, p.Banned = mediaemu.Signed403, true }, 403, 200, mediaemu.StatusBanned},
		"no more":  {func(p *mediaemu.Spec) { p.Access, p.Missing = mediaemu.Signed403, true }, 403, 404, mediaemu.StatusNotExist},
		"expired":  {func(p *mediaemu.Spec) { p.Access, p.ExpiresAt = mediaemu.Signed403, now }, 403, 404, mediaemu.StatusNotExist},
		"expiring": {func(p *mediaemu.Spec) { p.ExpiresAt = now.Add(time.Second) }, 200, 200, mediaemu.StatusNormal},
	} {
		spec := photo()
		tc.change(&spec)
		f := s.Add(spec)
		if a := c.get(t.Context(), f.URL()); a.status != tc.unsigned {
			t.Errorf("%s: %d without a signature, want %d", name, a.status, tc.unsigned)
		}
		signed, status := s.Sign(f.URL())
		a := c.get(t.Context(), signed)
		if a.status != tc.signed || status != tc.status {
			t.Errorf("%s: %d with a signature, which had status %d; want %d, %d", name, a.status, status, tc.signed, tc.status)
		}
		if f.Available(now) != (tc.signed == http.StatusOK) {
			t.Errorf("%s: available: %t", name, f.Available(now))
		}
		for _, r := range f.Requests() {
			if strings.Contains(r.Query, "sign") || strings.Contains(r.Query, "expires") {
				t.Errorf("%s: the record has a signature: %s", name, r.Query)
			}
		}
		if r := f.Requests(); len(r) != 2 || r[0].Signed || !r[1].Signed || r[0].Query != r[1].Query {
			t.Errorf("%s: requests %+v", name, r)
		}
	}
}

func TestSignature_IsNoOthersAndEnds(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	s, c := start(t, mediaemu.Options{Now: func() time.Time { return now }})
	spec := photo()
	spec.Access = mediaemu.Signed403
	a, b := s.Add(spec), s.Add(spec)
	spec.Unsignable = true
	if signed, status := s.Sign(s.Add(spec).URL()); signed != "" || status != mediaemu.StatusNormal {
		t.Errorf("what cannot be signed is signed: %q, status %d", signed, status)
	}
	if signed, status := s.Sign("https://elsewhere.example/x"); signed != "" || status != mediaemu.StatusNotExist {
		t.Errorf("a URL of another host is signed: %q, status %d", signed, status)
	}
	signed, _ := s.Sign(a.URL())
	ofA, _, _ := strings.Cut(a.URL(), "?")
	ofB, _, _ := strings.Cut(b.URL(), "?")
	for name, url := range map[string]string{
		"of another file": strings.Replace(signed, ofA, ofB, 1), "longer valid": strings.Replace(signed, "expires=1", "expires=2", 1), "of nothing": ofA + "?&sign=",
	} {
		if got := c.get(t.Context(), url); got.status != http.StatusForbidden {
			t.Errorf("a signature %s: status %d", name, got.status)
		}
	}
	now = now.Add(mediaemu.Validity - time.Second)
	if got := c.get(t.Context(), signed); got.status != http.StatusOK {
		t.Errorf("just before its end: status %d", got.status)
	}
	now = now.Add(time.Second)
	if got := c.get(t.Context(), signed); got.status != http.StatusForbidden || s.Counters().BadSignatures != 4 {
		t.Errorf("at its end: status %d, counters %+v", got.status, s.Counters())
	}
}

func TestTrouble_ComesAsOftenAsItSays(t *testing.T) {
	t.Parallel()
	s, c := start(t, mediaemu.Options{})
	spec := photo()
	spec.Access = mediaemu.Signed403
	spec.Troubles = []mediaemu.Trouble{{Times: 2, Status: 503}, {Status: 429}, {Reset: true}, {Cut: true}}
	f := s.Add(spec)
	url, _ := s.Sign(f.URL())
	for i, want := range []int{503, 503, 429, 0, 200, 200, 200} {
		a := c.get(t.Context(), url)
		cut := errors.Is(a.err, io.ErrUnexpectedEOF)
		if a.status != want || cut != (i == 4) || cut && int64(len(a.body)) != f.Size()/2 {
			t.Errorf("answer %d: status %d with %d bytes, %v; want %d", i, a.status, len(a.body), a.err, want)
		}
		c.get(t.Context(), f.URL()) // refused, which is none of its times
	}
	if !f.Available(time.Now()) {
		t.Error("not available, although its troubles pass")
	}
	for name, always := range map[string]mediaemu.Trouble{
		"cut": {Times: -1, Cut: true}, "500": {Times: -1, Status: 500}, "reset": {Times: -1, Reset: true},
	} {
		spec := photo()
		spec.Troubles, spec.Chunked = []mediaemu.Trouble{always}, true
		f := s.Add(spec)
		for range 3 {
			if a := c.get(t.Context(), f.URL()); a.err == nil && a.status == http.StatusOK || f.Available(time.Now()) {
				t.Errorf("%s: status %d, available: %t", name, a.status, f.Available(time.Now()))
			}
		}
	}
}

func TestTrouble_StallLastsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	s, c := start(t, mediaemu.Options{})
	for stall, want := range map[mediaemu.Stall]int64{mediaemu.StallBefore: -1, mediaemu.StallHeaders: 0, mediaemu.StallBody: photo().Content.Size() / 2} {
		spec := photo()
		spec.Troubles = []mediaemu.Trouble{{Stall: stall}}
		f := s.Add(spec)
		ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
		a := c.get(ctx, f.URL())
		leave()
		got := int64(len(a.body))
		if a.status == 0 {
			got = -1
		}
		if !errors.Is(a.err, context.DeadlineExceeded) || got != want {
			t.Errorf("stall %d: %d bytes came (%v), want %d", stall, got, a.err, want)
		}
		if a := c.get(t.Context(), f.URL()); a.err != nil || int64(len(a.body)) != f.Size() {
			t.Errorf("stall %d: the second time brings %d bytes, %v", stall, len(a.body), a.err)
		}
	}
}

func TestRedirect_GoesWhereItIsTold(t *testing.T) {
	t.Parallel()
	s, c := start(t, mediaemu.Options{})
	for redirect, prefix := range map[mediaemu.Redirect]string{
		mediaemu.RedirectOffList: s.OffListURL(""), mediaemu.RedirectLinkLocal: "http://169.254.0.23/", mediaemu.RedirectLoop: "/",
	} {
		spec := photo()
		spec.Redirect = redirect
		f := s.Add(spec)
		a := c.get(t.Context(), f.URL())
		to := a.header.Get("Location")
		if a.status != http.StatusFound || !strings.HasPrefix(to, prefix) || f.Available(time.Now()) {
			t.Errorf("status %d to %q, want one to %s...", a.status, to, prefix)
		}
		if redirect == mediaemu.RedirectLoop && !strings.HasSuffix(f.URL(), to) {
			t.Errorf("the loop leads from %s to %s", f.URL(), to)
		}
	}
	spec := photo()
	spec.Redirect, spec.Hops, spec.Access = mediaemu.RedirectWithin, 3, mediaemu.Signed403
	f := s.Add(spec)
	url, _ := s.Sign(f.URL())
	for hop := range 4 {
		a := c.get(t.Context(), url)
		if last := hop == 3; last != (a.status == http.StatusOK && bytes.Equal(a.body, sample.PNG(1))) || !last && a.status != http.StatusFound {
			t.Fatalf("hop %d: status %d", hop, a.status)
		}
		url = a.header.Get("Location")
	}
	if !f.Available(time.Now()) || f.Count() != 4 {
		t.Errorf("available: %t; %d requests", f.Available(time.Now()), f.Count())
	}
}

func TestContent_IsMadeAsItIsSent(t *testing.T) {
	t.Parallel()
	s, c := start(t, mediaemu.Options{})
	const size = 3<<20 + 5
	f := s.Add(mediaemu.Spec{Content: mediaemu.Generated(1, size), Type: "video/mp4", Name: "long.mp4"})
	other := s.Add(mediaemu.Spec{Content: mediaemu.Generated(2, size)})
	a := c.get(t.Context(), f.URL())
	sum := sha256.Sum256(a.body)
	if a.err != nil || len(a.body) != size || hex.EncodeToString(sum[:]) != f.SHA256() || f.SHA256() == other.SHA256() {
		t.Errorf("%d bytes came, %v", len(a.body), a.err)
	}
}

func TestRecord_TellsHowMuchWasAskedAtOnce(t *testing.T) {
	t.Parallel()
	s, c := start(t, mediaemu.Options{Latency: 100 * time.Millisecond, KeepRequests: 2})
	f := s.Add(photo())
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { c.get(t.Context(), f.URL()) })
	}
	group.Wait()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, f.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "a=b")
	resp, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	n, kept := s.Counters(), f.Requests()
	if n.MaxParallel != 3 || n.Statuses[http.StatusOK] != 3 || n.Statuses[http.StatusMethodNotAllowed] != 1 || n.Requests != f.Count() {
		t.Errorf("counters %+v", n)
	}
	if len(kept) != 2 || kept[1].Header.Get("Cookie") != "a=b" || kept[1].Method != http.MethodDelete || kept[1].N != 4 {
		t.Errorf("kept %+v", kept)
	}
}
