package guard_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/guard"
)

// pipe is a watched connection and its other end.
func pipe(t *testing.T) (near, far net.Conn) {
	t.Helper()
	var err error
	near, err = guard.NewPool(1, guard.Stall, func(context.Context, string, string) (c net.Conn, _ error) {
		c, far = net.Pipe()
		return c, nil
	}).DialContext(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

func TestConn_FailsWhenNothingMoves(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(net.Conn) error{
		"read":  func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
		"write": func(c net.Conn) error { _, err := c.Write(make([]byte, 1)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, _ := pipe(t)
				began := time.Now()
				if err := wait(near); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != guard.Stall {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
			})
		})
	}
}

func TestConn_LivesAsLongAsOneDirectionMoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := pipe(t)
		go func() { // an upload of ten minutes, and then the answer
			for range 60 {
				time.Sleep(10 * time.Second)
				if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
					t.Error(err)
				}
			}
			if _, err := far.Write([]byte("x")); err != nil {
				t.Error(err)
			}
		}()
		go func() {
			for range 60 {
				if _, err := near.Write([]byte("x")); err != nil {
					t.Error(err)
				}
			}
		}()
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Errorf("the read of the answer: %v", err)
		}
	})
}
