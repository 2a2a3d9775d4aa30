package chatemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ErrNotLoopback is wrapped when the server is asked to listen on an address that other machines can reach.
var ErrNotLoopback = errors.New("not a loopback address: the emulator listens on 127.0.0.1 or ::1 only")

// connKey is the context key of a request's connection.
type connKey struct{}

// connection counts the calls of one connection; guarded by the recorder.
type connection struct{ number, calls int }

// Start listens on addr ("" means a free port of 127.0.0.1) and serves until stop is called or ctx ends. stop ends
// every call that hangs, waits for all of them and may be called more than once.
func (s *Server) Start(ctx context.Context, addr string) (baseURL string, stop func() error, err error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if !isLoopback(addr) {
		return "", nil, fmt.Errorf("listen on %s: %w", addr, ErrNotLoopback)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("start the chat emulator: %w", err)
	}
	base, cancel := context.WithCancel(ctx)
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, &connection{number: s.record.connected()})
		},
	}
	served := make(chan error, 1)
	done := make(chan struct{})
	go func() { // net/http recovers what handlers panic with; this waits for stop
		served <- srv.Serve(listener)
		close(done)
	}()
	closed := make(chan struct{})
	context.AfterFunc(base, func() {
		defer close(closed)
		_ = srv.Close() // the listener is gone either way
	})
	stop = func() error {
		cancel()
		<-closed
		<-done
		s.record.wait()
		select {
		case err := <-served:
			if !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the chat emulator: %w", err)
			}
		default: // a second call
		}
		return nil
	}
	return "http://" + listener.Addr().String(), stop, nil
}

// TB is the part of *testing.T that StartT needs.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// StartT starts the server for one test and stops it when that ends.
func (s *Server) StartT(t TB) (baseURL string) {
	t.Helper()
	baseURL, stop, err := s.Start(context.WithoutCancel(t.Context()), "")
	if err != nil {
		t.Fatalf("start the chat emulator: %v", err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Fatalf("stop the chat emulator: %v", err)
		}
	})
	return baseURL
}
