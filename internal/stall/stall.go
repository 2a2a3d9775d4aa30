// Package stall gives up connections on which nothing moves any more.
//
// It owns that one limit. A limit on whole requests would have to grow with their size, and would still find a dead
// connection late. It must never know what a connection is for, or start anything.
package stall

import (
	"context"
	"net"
	"time"
)

// DialFunc is the form of net.Dialer.DialContext.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dial returns a dial whose connections fail with os.ErrDeadlineExceeded when no byte has moved in either direction for
// that long. One that is idle fails, too: who keeps idle connections must close them earlier.
func Dial(dial DialFunc, timeout time.Duration) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, timeout: timeout}, nil
	}
}

// conn puts its deadline off whenever something begins to move. A deadline counts for what is being read and written
// at this moment, too.
type conn struct {
	net.Conn

	timeout time.Duration
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
