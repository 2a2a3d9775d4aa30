package guard

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// Stall is how long nothing moves on a connection before it is given up. A limit on whole requests would have to grow
	// with their size, and would still find a dead connection late.
	Stall = 20 * time.Second

	dialTimeout = 5 * time.Second // for a connection, and again for its TLS handshake
	maxHeader   = 64 << 10
)

// Dialer makes connections, as net.Dialer.DialContext does.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// Proxy names the proxy for a request, nil for none, as http.ProxyFromEnvironment does, which never names one for loopback.
type Proxy = func(*http.Request) (*url.URL, error)

// NewPool returns a pool that keeps so many connections to a host, over HTTP/1.1 and without a proxy: the function has none. One on which no byte moves in either direction for as long as stall fails with
// os.ErrDeadlineExceeded; idle ones are closed before, since what the platform had frozen is dead. dial replaces the
// network, for tests in virtual time; nil otherwise.
func NewPool(connections int, stall time.Duration, dial Dialer) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c, stall: stall}, nil
		},
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    connections, // Go's default of two would open a new one for nearly every call
		IdleConnTimeout:        stall / 2,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// conn puts its deadline off whenever something begins to move. A deadline counts for what is being read and written
// at this moment, too.
type conn struct {
	net.Conn

	stall time.Duration
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
