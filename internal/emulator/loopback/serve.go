// Package loopback is how an emulator is reached: on a loopback address that no other machine can reach, or without a
// socket at all.
//
// It owns that rule and the life of the listening server. It must never listen on anything else, and knows no service.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrNotLoopback means that an address is one that other machines can reach, or none.
var ErrNotLoopback = errors.New("not a loopback address: an emulator listens on 127.0.0.1 or ::1 only")

// Serve listens on address ("" means a free port of 127.0.0.1) and runs a server there.
func Serve(ctx context.Context, address string, srv *http.Server) (baseURL string, stop func() error, err error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	if !Is(address) {
		return "", nil, fmt.Errorf("listen on %s: %w", address, ErrNotLoopback)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	return "http://" + listener.Addr().String(), Run(ctx, listener, srv), nil
}

// Run serves what a listener accepts until stop is called or ctx ends. That breaks the connections that are open and
// ends the contexts of their requests. stop returns when no handler runs any more, and may be called more than once.
func Run(ctx context.Context, listener net.Listener, srv *http.Server) (stop func() error) {
	base, cancel := context.WithCancel(ctx)
	g := &gate{next: srv.Handler}
	srv.Handler = g
	srv.BaseContext = func(net.Listener) context.Context { return base }
	srv.ReadHeaderTimeout = time.Hour // a slow client is a test's own affair
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }() // net/http recovers what handlers panic with; stop waits for it
	closed := make(chan struct{})
	context.AfterFunc(base, func() {
		defer close(closed)
		_ = srv.Close() // the listener is gone either way
	})
	return sync.OnceValue(func() error {
		cancel()
		<-closed
		err := <-served
		g.close()
		if !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
		}
		return nil
	})
}

// gate counts the requests that are being served, for which http.Server.Close does not wait.
type gate struct {
	next   http.Handler
	active sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

// ServeHTTP lets a request pass until the gate is closed.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	g.active.Add(1)
	g.mu.Unlock()
	defer g.active.Done()
	g.next.ServeHTTP(w, r)
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.active.Wait()
}

// Is reports whether an address, host and port, is a loopback one. Names are none: they may come to mean anything.
func Is(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Pause waits for d. It reports false when the client left first, or the server was stopped.
func Pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
