//go:build !linux

package scfemu

import (
	"fmt"
	"net"
	"syscall"
	"time"
)

// Alone fails: elsewhere than on Linux a program cannot have a network of its own.
func Alone() error { return errOpen }

// attributes are those of any child: elsewhere than on Linux a function may outlive this process.
func attributes() *syscall.SysProcAttr { return nil }

// reservation is a port that was free a moment ago.
type reservation struct{ number int }

func reservePort() (*reservation, error) {
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = ln.Close() }() // the function takes it over
	address, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("find a free port: %v", ln.Addr())
	}
	return &reservation{number: address.Port}, nil
}

func (*reservation) release() {}

func (*instance) freeze() error { return nil }

func (*instance) thaw() error { return nil }

func (*instance) peakMemory() int64 { return 0 }

func (*instance) temporary() int64 { return 0 }

func (*instance) cpuTime() time.Duration { return 0 }
