package cosstore

import (
	"context"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout = 5 * time.Second // for a connection, and again for its TLS handshake
	idleConns   = 16              // as many as a batch has requests in flight, and more
)

func newTransport(cfg Config) *http.Transport {
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: conn, timeout: cfg.StallTimeout}, nil
		},
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     cfg.StallTimeout / 2, // before the connection's own limit, and long before COS closes it
		DisableCompression:  true,                 // objects are gzip files: they must arrive as they are
	}
}

// watchedConn fails when no byte moves in either direction for too long. A limit on whole requests would have to grow
// with their size, and would still find a dead connection late.
type watchedConn struct {
	net.Conn

	timeout time.Duration
}

// Read waits for bytes until none has moved for too long; what is written meanwhile counts.
func (c *watchedConn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write is the same for the other direction.
func (c *watchedConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
