package cosstore_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
)

// first makes the first n requests of an operation go wrong.
func first(n int, op cosemu.Op, f cosemu.Fault) cosemu.FaultFunc {
	return func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == op && r.N <= n {
			return &f
		}
		return nil
	}
}

func status(code int, text string) cosemu.Fault { return cosemu.Fault{Status: code, Code: text} }

const always = 1 << 30

// faultCase is one row of the fault tables: what goes wrong how often, what the caller is told, at what price.
type faultCase struct {
	name     string
	times    int
	fault    cosemu.Fault
	want     []error // all that the error matches; none for success
	not      []error // what it must not match
	requests int
	stored   bool // a write: whether the object is there afterwards
}

func writeFaults() []faultCase {
	unknown, exist, denied := objstore.ErrUnknown, objstore.ErrExist, objstore.ErrDenied
	early := status(503, "ServiceUnavailable")
	early.Early = true
	lied := status(503, "SlowDown")
	lied.AfterWork = true
	return []faultCase{
		{name: "slow down once", times: 1, fault: status(503, "SlowDown"), requests: 2, stored: true},
		{name: "early 503 once", times: 1, fault: early, requests: 2, stored: true},
		{name: "slow down always", times: always, fault: status(503, "SlowDown"), want: []error{unknown}, requests: 4},
		{name: "internal error once", times: 1, fault: status(500, "InternalError"), requests: 2, stored: true},
		{name: "bad gateway once", times: 1, fault: status(502, ""), requests: 2, stored: true},
		{name: "gateway timeout thrice", times: 3, fault: status(504, ""), requests: 4, stored: true},
		{name: "disk full once", times: 1, fault: cosemu.Fault{DiskFull: true}, requests: 2, stored: true},
		{name: "request timeout once", times: 1, fault: status(400, "RequestTimeout"), requests: 2, stored: true},
		{name: "bad digest once", times: 1, fault: status(400, "BadDigest"), requests: 2, stored: true},
		{name: "bad digest always", times: always, fault: status(400, "BadDigest"), want: []error{objstore.ErrCorrupt}, not: []error{unknown}, requests: 4},
		{name: "incomplete body once", times: 1, fault: status(400, "IncompleteBody"), requests: 2, stored: true},
		{name: "408 once", times: 1, fault: status(408, ""), requests: 2, stored: true},
		{name: "429 once", times: 1, fault: status(429, "TooManyRequests"), requests: 2, stored: true},
		{name: "reset before the body once", times: 1, fault: cosemu.Fault{Reset: true}, requests: 2, stored: true},
		{name: "reset in the body once", times: 1, fault: cosemu.Fault{Reset: true, ResetAfter: 1000}, requests: 2, stored: true},
		{name: "reset in the body always", times: always, fault: cosemu.Fault{Reset: true, ResetAfter: 1000}, want: []error{unknown}, requests: 4},
		{name: "delay", times: 1, fault: cosemu.Fault{Delay: 20 * time.Millisecond}, requests: 1, stored: true},
		{name: "hang once", times: 1, fault: cosemu.Fault{Hang: true}, requests: 2, stored: true},
		{name: "invalid argument", times: 1, fault: status(400, "InvalidArgument"), not: []error{unknown, denied, exist}, requests: 1, want: []error{}},
		{name: "not implemented", times: 1, fault: status(501, "NotImplemented"), not: []error{unknown}, want: []error{}, requests: 1},
		{name: "access denied", times: 1, fault: status(403, "AccessDenied"), want: []error{denied}, not: []error{unknown}, requests: 1},
		{name: "clock skewed", times: 1, fault: status(403, "RequestTimeTooSkewed"), want: []error{denied}, requests: 1},
		{name: "expired token", times: 1, fault: status(400, "ExpiredToken"), want: []error{denied}, not: []error{unknown}, requests: 1},
		{name: "in arrears", times: 1, fault: status(451, "Arrears"), want: []error{denied}, requests: 1},
		{name: "no bucket", times: 1, fault: status(404, "NoSuchBucket"), want: []error{objstore.ErrNoBucket}, not: []error{objstore.ErrNotExist}, requests: 1},
		{name: "redirect", times: 1, fault: status(301, "PermanentRedirect"), want: []error{objstore.ErrNoBucket}, requests: 1},
		{name: "unknown 404", times: always, fault: status(404, "Novel"), want: []error{}, not: []error{objstore.ErrNotExist, unknown}, requests: 3},
		{name: "lied about always", times: always, fault: lied, want: []error{unknown}, requests: 4, stored: true},
	}
}

func createFaults() []faultCase {
	lied := status(500, "InternalError")
	lied.AfterWork = true
	return append(writeFaults(),
		faultCase{name: "lost answer", times: 1, fault: cosemu.Fault{LoseAnswer: true}, want: []error{objstore.ErrExist}, not: []error{objstore.ErrUnknown}, requests: 2, stored: true},
		faultCase{name: "lied about once", times: 1, fault: lied, want: []error{objstore.ErrExist}, requests: 2, stored: true},
		faultCase{name: "wrong checksum", times: 1, fault: cosemu.Fault{WrongCRC: true}, want: []error{objstore.ErrExist}, requests: 2, stored: true},
		faultCase{name: "missing checksum", times: 1, fault: cosemu.Fault{NoCRC: true}, want: []error{objstore.ErrExist}, requests: 2, stored: true},
		faultCase{name: "conflict once", times: 1, fault: status(409, "PathConflict"), requests: 2, stored: true},
		faultCase{name: "conflict always", times: always, fault: status(409, "PathConflict"), want: []error{objstore.ErrExist}, requests: 4},
		faultCase{name: "taken", times: 1, fault: status(409, "FileAlreadyExists"), want: []error{objstore.ErrExist}, requests: 1},
	)
}

func overwriteFaults() []faultCase {
	return append(writeFaults(),
		faultCase{name: "lost answer", times: 1, fault: cosemu.Fault{LoseAnswer: true}, requests: 2, stored: true},
		faultCase{name: "lost answer always", times: always, fault: cosemu.Fault{LoseAnswer: true}, want: []error{objstore.ErrUnknown}, requests: 4, stored: true},
		faultCase{name: "wrong checksum once", times: 1, fault: cosemu.Fault{WrongCRC: true}, requests: 2, stored: true},
		faultCase{name: "wrong checksum always", times: always, fault: cosemu.Fault{WrongCRC: true}, want: []error{objstore.ErrUnknown, objstore.ErrCorrupt}, requests: 4, stored: true},
		faultCase{name: "conflict once", times: 1, fault: status(409, "PathConflict"), requests: 2, stored: true},
		faultCase{name: "conflict always", times: always, fault: status(409, "PathConflict"), not: []error{objstore.ErrExist}, want: []error{}, requests: 4},
	)
}

func TestFaults_OfCreate(t *testing.T) {
	t.Parallel()
	testWriteFaults(t, createFaults(), (*cosstore.Store).Create)
}

func TestFaults_OfOverwrite(t *testing.T) {
	t.Parallel()
	testWriteFaults(t, overwriteFaults(), (*cosstore.Store).Overwrite)
}

type writeFunc func(*cosstore.Store, context.Context, string, objstore.Write) (objstore.Object, error)

func testWriteFaults(t *testing.T, cases []faultCase, write writeFunc) {
	t.Helper()
	body := []byte(strings.Repeat("0123456789", 20000))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			emu, url := startEmulator(t, nil)
			s := openStore(t, url, func(cfg *cosstore.Config) { cfg.StallTimeout = stallFor(c) })
			emu.SetFault(first(c.times, cosemu.OpPut, c.fault))
			_, err := write(s, t.Context(), "k", objstore.Write{Body: body, ContentType: "application/gzip"})
			c.check(t, err)
			if n := emu.Counts()[cosemu.OpPut]; n != c.requests {
				t.Errorf("%d PUTs, want %d", n, c.requests)
			}
			emu.SetFault(nil)
			got, _, err := openStore(t, url, nil).Get(t.Context(), "k")
			if stored := err == nil && string(got) == string(body); stored != c.stored || !stored && !errors.Is(err, objstore.ErrNotExist) {
				t.Errorf("stored %v (%v), want %v", stored, err, c.stored)
			}
		})
	}
}

// stallFor is short only where the stall is what is tested.
func stallFor(c faultCase) time.Duration {
	if c.fault.Hang {
		return 700 * time.Millisecond
	}
	return 10 * time.Second
}

func (c *faultCase) check(t *testing.T, err error) {
	t.Helper()
	if (err != nil) != (c.want != nil) {
		t.Fatalf("error %v, want an error: %v", err, c.want != nil)
	}
	if err == nil {
		return
	}
	for _, want := range c.want {
		if !errors.Is(err, want) {
			t.Errorf("error %q does not match %q", err, want)
		}
	}
	for _, not := range c.not {
		if errors.Is(err, not) {
			t.Errorf("error %q must not match %q", err, not)
		}
	}
	e, ok := errors.AsType[*objstore.Error](err)
	if !ok || e.Attempts != c.requests {
		t.Errorf("error %#v, want %d attempts", err, c.requests)
	}
	if c.fault.Status != 0 && (e.RequestID == "" || e.Date.IsZero()) {
		t.Errorf("error %#v has no request id or date", e)
	}
}

func TestFaults_OfGet(t *testing.T) {
	t.Parallel()
	testReadFaults(t, cosemu.OpGet, []faultCase{
		{name: "slow down once", times: 1, fault: status(503, "SlowDown"), requests: 2},
		{name: "internal error always", times: always, fault: status(500, "InternalError"), want: []error{}, not: []error{objstore.ErrUnknown}, requests: 4},
		{name: "reset once", times: 1, fault: cosemu.Fault{Reset: true}, requests: 2},
		{name: "reset always", times: always, fault: cosemu.Fault{Reset: true}, want: []error{}, requests: 4},
		{name: "hang once", times: 1, fault: cosemu.Fault{Hang: true}, requests: 2},
		{name: "cut short once", times: 1, fault: cosemu.Fault{Truncate: true}, requests: 2},
		{name: "cut short always", times: always, fault: cosemu.Fault{Truncate: true}, want: []error{}, requests: 4},
		{name: "damaged once", times: 1, fault: cosemu.Fault{Damage: true}, requests: 2},
		{name: "damaged always", times: always, fault: cosemu.Fault{Damage: true}, want: []error{objstore.ErrCorrupt}, requests: 4},
		{name: "wrong checksum once", times: 1, fault: cosemu.Fault{WrongCRC: true}, requests: 2},
		{name: "no checksum always", times: always, fault: cosemu.Fault{NoCRC: true}, want: []error{objstore.ErrCorrupt}, requests: 4},
		{name: "no such bucket", times: 1, fault: status(404, "NoSuchBucket"), want: []error{objstore.ErrNoBucket}, not: []error{objstore.ErrNotExist}, requests: 1},
		{name: "404 without code", times: always, fault: status(404, ""), want: []error{}, not: []error{objstore.ErrNotExist}, requests: 3},
		{name: "no such key", times: 1, fault: status(404, "NoSuchKey"), want: []error{objstore.ErrNotExist}, requests: 1},
		{name: "404 with an unknown code", times: always, fault: status(404, "SomethingNew"), want: []error{}, not: []error{objstore.ErrNotExist}, requests: 3},
		{name: "withheld", times: always, fault: status(451, "UnavailableForLegalReasons"), want: []error{}, not: []error{objstore.ErrNotExist}, requests: 1},
		{name: "stale new object", times: 1, fault: cosemu.Fault{Stale: true}, want: []error{objstore.ErrNotExist}, requests: 1},
		{name: "denied", times: 1, fault: status(403, "AccessDenied"), want: []error{objstore.ErrDenied}, requests: 1},
		{name: "archived", times: 1, fault: status(403, "InvalidObjectState"), want: []error{}, not: []error{objstore.ErrDenied}, requests: 1},
		{name: "method not allowed", times: 1, fault: status(405, "MethodNotAllowed"), want: []error{}, requests: 1},
	}, func(s *cosstore.Store, ctx context.Context) error {
		_, _, err := s.Get(ctx, "k")
		return err
	})
}

func TestFaults_OfHead(t *testing.T) {
	t.Parallel()
	testReadFaults(t, cosemu.OpHead, []faultCase{
		{name: "slow down once", times: 1, fault: status(503, "SlowDown"), requests: 2},
		{name: "unavailable always", times: always, fault: status(503, ""), want: []error{}, not: []error{objstore.ErrNotExist}, requests: 4},
		{name: "reset once", times: 1, fault: cosemu.Fault{Reset: true}, requests: 2},
		{name: "hang once", times: 1, fault: cosemu.Fault{Hang: true}, requests: 2},
		{name: "no checksum once", times: 1, fault: cosemu.Fault{NoCRC: true}, requests: 2},
		{name: "no checksum always", times: always, fault: cosemu.Fault{NoCRC: true}, want: []error{objstore.ErrCorrupt}, requests: 4},
		{name: "404", times: 1, fault: status(404, ""), want: []error{objstore.ErrNotExist}, requests: 1},
		{name: "403", times: 1, fault: status(403, ""), want: []error{objstore.ErrDenied}, requests: 1},
		{name: "400", times: always, fault: status(http.StatusBadRequest, ""), want: []error{}, not: []error{objstore.ErrNotExist}, requests: 3},
		{name: "stale new object", times: 1, fault: cosemu.Fault{Stale: true}, want: []error{objstore.ErrNotExist}, requests: 1},
	}, func(s *cosstore.Store, ctx context.Context) error {
		_, err := s.Head(ctx, "k")
		return err
	})
}

func testReadFaults(t *testing.T, op cosemu.Op, cases []faultCase, read func(*cosstore.Store, context.Context) error) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			emu, url := startEmulator(t, nil)
			seed := openStore(t, url, nil) // another store, since net/http repeats a GET whose reused connection broke
			if _, err := seed.Create(t.Context(), "k", objstore.Write{Body: []byte(strings.Repeat("x", 50000))}); err != nil {
				t.Fatal(err)
			}
			emu.SetFault(first(c.times, op, c.fault))
			s := openStore(t, url, func(cfg *cosstore.Config) { cfg.StallTimeout = stallFor(c) })
			c.check(t, read(s, t.Context()))
			if n := emu.Counts()[op]; n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
}

// TestFaults_DamagedCreateIsFoundByItsChecksum proves what callers rely on after ErrExist: the stored object's CRC64 is told.
func TestFaults_DamagedCreateIsFoundByItsChecksum(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, nil)
	emu.SetFault(first(1, cosemu.OpPut, cosemu.Fault{Damage: true}))
	s := openStore(t, url, nil)
	body := []byte("the body")
	if _, err := s.Create(t.Context(), "k", objstore.Write{Body: body}); !errors.Is(err, objstore.ErrExist) {
		t.Fatalf("create: %v, want ErrExist", err)
	}
	o, err := s.Head(t.Context(), "k")
	if err != nil || o.Size != int64(len(body)) || o.CRC64 == objstore.CRC64(body) {
		t.Errorf("head: %+v (%v), want another checksum than the body's", o, err)
	}
}
