package cosstore_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"chatexport/internal/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
	"chatexport/internal/retry"
)

func TestContext_DeadlineInAHangingWriteLeavesItUnknown(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, nil)
	emu.SetFault(first(always, cosemu.OpPut, cosemu.Fault{Hang: true}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := openStore(t, url, nil).Create(ctx, "k", objstore.Write{Body: []byte("x")})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, objstore.ErrUnknown) {
		t.Errorf("create: %v, want DeadlineExceeded and ErrUnknown", err)
	}
	if n := emu.Counts()[cosemu.OpPut]; n != 1 {
		t.Errorf("%d PUTs, want 1", n)
	}
}

func TestContext_CancelEndsAReadAtOnce(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the invocation ends")
	emu.SetFault(func(*cosemu.Request) *cosemu.Fault {
		cancel(cause)
		return &cosemu.Fault{Hang: true}
	})
	_, _, err := openStore(t, url, nil).Get(ctx, "k")
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) || errors.Is(err, objstore.ErrUnknown) {
		t.Errorf("get: %v, want Canceled with its cause", err)
	}
}

func TestContext_NoAttemptBeginsThatTheDeadlineWouldCut(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, nil)
	emu.SetFault(first(always, cosemu.OpPut, status(503, "SlowDown")))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := openStore(t, url, func(cfg *cosstore.Config) {
		cfg.Retry = retry.Policy{Base: 1e6 * time.Hour, Cap: 1e6 * time.Hour, Attempts: 5}
	})
	_, err := s.Create(ctx, "k", objstore.Write{Body: []byte("x")})
	if !errors.Is(err, retry.ErrNoTime) || !errors.Is(err, objstore.ErrUnknown) {
		t.Errorf("create: %v, want ErrNoTime and ErrUnknown", err)
	}
	if n := emu.Counts()[cosemu.OpPut]; n != 1 {
		t.Errorf("%d PUTs, want 1", n)
	}
}

func TestFaults_RefusedConnectionIsAKnownOutcome(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = openStore(t, url, nil).Create(t.Context(), "k", objstore.Write{Body: []byte("x")})
	e, ok := errors.AsType[*objstore.Error](err)
	if !ok || e.Attempts != 4 || e.Status != 0 || errors.Is(err, objstore.ErrUnknown) {
		t.Errorf("create: %v, want 4 attempts and no ErrUnknown: nothing was ever sent", err)
	}
}

func TestGet_ObjectAboveTheLimitIsAskedForOnce(t *testing.T) {
	t.Parallel()
	emu, url := startEmulator(t, nil)
	s := openStore(t, url, nil)
	key := layout.State(chat.Stream{GroupID: "g"})
	if _, err := s.Create(t.Context(), key, objstore.Write{Body: make([]byte, layout.MaxBytes(key)+1)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), key); !errors.Is(err, objstore.ErrTooLarge) {
		t.Errorf("get: %v, want ErrTooLarge", err)
	}
	if n := emu.Count(cosemu.OpGet, "archive/"+key); n != 1 {
		t.Errorf("%d GETs, want 1", n)
	}
}
