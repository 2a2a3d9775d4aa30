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

// Serve listens on address ("" means a free port of 127.0.0.1) and serves until stop is called or ctx ends. stop breaks
// the connections that are open, which ends the contexts of their requests, and may be called more than once.
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
	base, cancel := context.WithCancel(ctx)
	srv.BaseContext = func(net.Listener) context.Context { return base }
	srv.ReadHeaderTimeout = time.Minute
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }() // net/http recovers what handlers panic with; stop waits for it
	closed := make(chan struct{})
	context.AfterFunc(base, func() {
		defer close(closed)
		_ = srv.Close() // the listener is gone either way
	})
	stop = sync.OnceValue(func() error {
		cancel()
		<-closed
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve on %s: %w", address, err)
		}
		return nil
	})
	return "http://" + listener.Addr().String(), stop, nil
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
