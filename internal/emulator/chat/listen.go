package chatemu

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"chatexport/internal/emulator/loopback"
)

// connKey is the context key of a request's connection.
type connKey struct{}

// connection counts the calls of one connection; guarded by the recorder.
type connection struct{ number, calls int }

// Start listens on addr ("" means a free port of 127.0.0.1) and serves until stop is called or ctx ends. stop ends
// every call that hangs, waits for all of them and may be called more than once.
func (s *Server) Start(ctx context.Context, addr string) (baseURL string, stop func() error, err error) {
	baseURL, stop, err = loopback.Serve(ctx, addr, &http.Server{Handler: s, ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, &connection{number: s.record.connected()})
	}})
	if err != nil {
		return "", nil, fmt.Errorf("start the chat emulator: %w", err)
	}
	return baseURL, stop, nil
}

// RoundTripper returns a transport that calls the server without sockets. SlowBody delays an answer instead of dripping.
func (s *Server) RoundTripper() http.RoundTripper { return loopback.Transport(s) }

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
