package cosemu_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/cos-go-sdk-v5"

	cosemu "chatexport/internal/emulator/cos"
)

// clock is a clock that moves only when told.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func TestDates_AreWholeSecondsOfTheServersClock(t *testing.T) {
	t.Parallel()
	opts, at := options(t.TempDir()), newClock()
	opts.Now = at.now
	_, c := start(t, opts)
	put(t, c, "k", "x")
	at.advance(1500 * time.Millisecond)
	resp, err := c.Object.Head(t.Context(), "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Last-Modified"); got != "Fri, 02 Jan 2026 03:04:05 GMT" {
		t.Errorf("Last-Modified %s", got)
	}
	if got := resp.Header.Get("Date"); got != "Fri, 02 Jan 2026 03:04:07 GMT" {
		t.Errorf("Date %s", got)
	}
}

func TestLag_NewKeysAppearLateInListings(t *testing.T) {
	t.Parallel()
	opts, at := options(t.TempDir()), newClock()
	opts.Now, opts.ListLag = at.now, time.Minute
	_, c := start(t, opts)
	list := func() int {
		page, _, err := c.Bucket.Get(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Contents)
	}
	put(t, c, "k", "x")
	if n := list(); n != 0 {
		t.Errorf("%d keys at once, want 0", n)
	}
	if got := get(t, c, "k"); got != "x" {
		t.Errorf("get shows %q", got)
	}
	at.advance(time.Minute)
	if n := list(); n != 1 {
		t.Errorf("%d keys after the lag, want 1", n)
	}
	put(t, c, "k", "y")
	if n := list(); n != 1 {
		t.Errorf("%d keys after an overwrite, want 1", n)
	}
}

func TestLag_ReadsMayBeStale(t *testing.T) {
	t.Parallel()
	opts, at := options(t.TempDir()), newClock()
	opts.Now, opts.StaleFor, opts.AbsentFor = at.now, time.Minute, time.Second
	_, c := start(t, opts)
	put(t, c, "k", "one")
	_, err := c.Object.Head(t.Context(), "k", nil)
	wantCode(t, "head of a new object", err, http.StatusNotFound, "")
	if got := get(t, c, "k"); got != "one" {
		t.Errorf("get of a new object: %q", got)
	}
	at.advance(time.Second)
	if _, err := c.Object.Head(t.Context(), "k", nil); err != nil {
		t.Errorf("head after a second: %v", err)
	}
	put(t, c, "k", "second")
	resp, err := c.Object.Head(t.Context(), "k", nil)
	if err != nil || resp.ContentLength != 3 {
		t.Errorf("head after an overwrite: %v, want the old length 3", err)
	}
	if got := get(t, c, "k"); got != "one" {
		t.Errorf("get after an overwrite: %q, want the old object", got)
	}
	at.advance(time.Minute)
	if got := get(t, c, "k"); got != "second" {
		t.Errorf("get after the lag: %q", got)
	}
}

func TestLag_StaleFaultShowsWhatWasBefore(t *testing.T) {
	t.Parallel()
	emu, c := start(t, options(t.TempDir()))
	put(t, c, "k", "one")
	emu.SetFault(func(*cosemu.Request) *cosemu.Fault { return &cosemu.Fault{Stale: true} })
	_, err := c.Object.Get(t.Context(), "k", nil)
	wantCode(t, "stale get of a new object", err, http.StatusNotFound, "NoSuchKey")
	put(t, c, "k", "two")
	if got := get(t, c, "k"); got != "one" {
		t.Errorf("stale get: %q", got)
	}
	emu.SetFault(nil)
	if got := get(t, c, "k"); got != "two" {
		t.Errorf("get: %q", got)
	}
}

func TestDamage_OfAPutKeepsTheChecksumsOfWhatIsStored(t *testing.T) {
	t.Parallel()
	emu, c := start(t, options(t.TempDir()))
	emu.SetFault(func(*cosemu.Request) *cosemu.Fault { return &cosemu.Fault{Damage: true} })
	if resp, err := c.Object.Put(t.Context(), "k", newBody("abc"), nil); err == nil {
		t.Errorf("the SDK accepted checksum %s", resp.Header.Get("x-cos-hash-crc64ecma"))
	}
	emu.SetFault(nil)
	if got := get(t, c, "k"); got != "`bc" {
		t.Errorf("stored %q", got)
	}
}

func TestLog_IsBoundedAndHoldsNoCredentials(t *testing.T) {
	t.Parallel()
	opts, at := options(t.TempDir()), newClock()
	opts.Now, opts.LogSize = at.now, 3
	opts.Fault = func(r *cosemu.Request) *cosemu.Fault {
		if r.Header.Get("Authorization") != "" || r.Header.Get("x-cos-security-token") != "" {
			t.Error("a fault function sees credentials")
		}
		switch {
		case r.Key == "lost" && r.Op == cosemu.OpPut:
			return &cosemu.Fault{LoseAnswer: true}
		case r.Key == "slow" && r.N == 1:
			return &cosemu.Fault{Status: 503, Code: "SlowDown"}
		}
		return nil
	}
	emu, c := start(t, opts)
	put(t, c, "first", "x")
	if _, err := c.Object.Put(t.Context(), "lost", newBody("x"), nil); err == nil {
		t.Error("a lost answer arrived")
	}
	for range 2 {
		_, _ = c.Object.Get(t.Context(), "slow", nil) // its error is in the log
	}
	record := func(op cosemu.Op, method, key string, n, status int, code string, fault bool) cosemu.Record {
		return cosemu.Record{Time: at.now(), Op: op, Method: method, Bucket: bucket, Key: key, N: n, Status: status, Code: code, Fault: fault}
	}
	want := []cosemu.Record{
		record(cosemu.OpPut, http.MethodPut, "lost", 1, 0, "", true),
		record(cosemu.OpGet, http.MethodGet, "slow", 1, 503, "SlowDown", true),
		record(cosemu.OpGet, http.MethodGet, "slow", 2, 404, "NoSuchKey", false),
	}
	if diff := cmp.Diff(want, emu.Log()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[cosemu.Op]int{cosemu.OpPut: 2, cosemu.OpGet: 2}, emu.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if got := get(t, c, "lost"); got != "x" {
		t.Errorf("the lost write stored %q", got)
	}
}

func TestSignature_AnonymousAndWrongSecretsAreRefused(t *testing.T) {
	t.Parallel()
	_, base := listen(t, options(t.TempDir()))
	put(t, client(t, transport(t, base)), "k", "x")
	for code, auth := range map[string]*cos.AuthorizationTransport{
		"AccessDenied":          {},
		"SignatureDoesNotMatch": {SecretID: secretID, SecretKey: "x", SessionToken: token},
		"InvalidAccessKeyId":    {SecretID: "x", SecretKey: secretKey, SessionToken: token},
	} {
		auth.Transport = transport(t, base)
		_, err := client(t, auth).Object.Get(t.Context(), "k", nil)
		wantCode(t, code, err, http.StatusForbidden, code)
	}
}
