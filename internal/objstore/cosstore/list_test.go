package cosstore_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
)

// nastyKeys are keys that break clients which build URLs, XML or file names carelessly.
func nastyKeys() []string {
	return []string{
		"g=@TGS#1/a b.ndjson.gz", "a+b", "a%2Fb", "a%20b", "q?x=1&y=2#f", "ü/漢字/🙂", "ctl\x01\x1f", "<&\"'>",
		"a//b", "a/../b", "./a", "trailing/", strings.Repeat("long/", 80) + "key", "!*'()~;:@$,[]{}|^`\\",
	}
}

func TestKeys_NastyOnesRoundTripAndAreListed(t *testing.T) {
	t.Parallel()
	_, url := startEmulator(t, nil)
	s := openStore(t, url, nil)
	for _, key := range nastyKeys() {
		if _, err := s.Create(t.Context(), key, objstore.Write{Body: []byte("body of " + key)}); err != nil {
			t.Fatalf("create %q: %v", key, err)
		}
	}
	for _, key := range nastyKeys() {
		body, _, err := s.Get(t.Context(), key)
		if err != nil || string(body) != "body of "+key {
			t.Errorf("get %q: %q, %v", key, body, err)
		}
	}
	want := nastyKeys()
	slices.Sort(want)
	if diff := cmp.Diff(want, listKeys(t, s, "", "")); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
}

func listKeys(t *testing.T, s *cosstore.Store, prefix, after string) []string {
	t.Helper()
	var keys []string
	for e, err := range s.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatal(err)
		}
		if e.LastModified.IsZero() {
			t.Errorf("no time of %q", e.Key)
		}
		keys = append(keys, e.Key)
	}
	return keys
}

func TestList_GoesThroughAllPagesOfItsPrefix(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, func(o *cosemu.Options) { o.ListMax = 10 })
	s := openStore(t, url, nil)
	other := openStore(t, url, func(c *cosstore.Config) { c.Prefix = "archive2/" })
	var want []string
	for i := range 25 {
		key := fmt.Sprintf("data/%04d", i)
		want = append(want, key)
		if _, err := s.Create(t.Context(), key, objstore.Write{Body: []byte(key)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, write := range []func() error{
		func() error { _, err := s.Create(t.Context(), "dat", objstore.Write{}); return err },
		func() error { _, err := s.Create(t.Context(), "state/x", objstore.Write{}); return err },
		func() error { _, err := other.Create(t.Context(), "data/x", objstore.Write{}); return err },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, listKeys(t, s, "data/", "")); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	if n := emu.Counts()[cosemu.OpList]; n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
	if diff := cmp.Diff(want[20:], listKeys(t, s, "data/", "data/0019")); diff != "" {
		t.Errorf("listing behind a key (-want +got):\n%s", diff)
	}
	if got := listKeys(t, s, "nothing/", ""); got != nil {
		t.Errorf("listing of nothing: %v", got)
	}
	for e, err := range s.List(t.Context(), "data/", "") {
		if err != nil || e.Key != want[0] {
			t.Errorf("first entry %v (%v), want %s", e, err, want[0])
		}
		break // must not call the body again
	}
}

func TestList_RetriesAndReportsFailures(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, nil)
	s := openStore(t, url, nil)
	emu.SetFault(first(2, cosemu.OpList, status(503, "SlowDown")))
	if got := listKeys(t, s, "", ""); got != nil {
		t.Errorf("listing: %v", got)
	}
	emu.SetFault(first(always, cosemu.OpList, status(403, "AccessDenied")))
	seen := 0
	for _, err := range s.List(t.Context(), "", "") {
		seen++
		if !errors.Is(err, objstore.ErrDenied) {
			t.Errorf("listing: %v, want ErrDenied", err)
		}
	}
	if seen != 1 {
		t.Errorf("%d errors, want 1 that ends the listing", seen)
	}
}

// TestList_DoesNotLoopForEver proves the guard against servers that repeat a page.
func TestList_DoesNotLoopForEver(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"same page":     `<IsTruncated>true</IsTruncated><NextMarker>archive/a</NextMarker><Contents><Key>archive/a</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>`,
		"no marker":     `<IsTruncated>true</IsTruncated>`,
		"other prefix":  `<IsTruncated>false</IsTruncated><Contents><Key>elsewhere</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>`,
		"broken escape": `<EncodingType>url</EncodingType><Contents><Key>archive/%zz</Key></Contents>`,
		"no time":       `<Contents><Key>archive/a</Key></Contents>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if _, err := w.Write([]byte("<ListBucketResult>" + page + "</ListBucketResult>")); err != nil {
					t.Error(err)
				}
			}))
			defer srv.Close()
			var last error
			for _, err := range openStore(t, srv.URL, nil).List(t.Context(), "", "") {
				last = err
			}
			if last == nil || !strings.Contains(last.Error(), "malformed listing") {
				t.Errorf("listing ended with %v, want a malformed listing", last)
			}
		})
	}
}
