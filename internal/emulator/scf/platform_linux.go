package scfemu

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// attributes keep an interrupt at the terminal from the function (the platform ends it, nobody else), and end it when
// this process is gone, however that ended: nothing must be left that listens.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// reservation keeps a port from being given to anybody who asks for a free one. Its socket is bound but does not listen,
// so that the function may bind the port beside it: both allow the reuse of the address.
type reservation struct {
	number int
	close  func() error
}

func reservePort() (*reservation, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("reserve port: %w", err)
	}
	r := &reservation{close: sync.OnceValue(func() error { return syscall.Close(fd) })}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		r.release()
		return nil, fmt.Errorf("reserve port: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{}); err != nil {
		r.release()
		return nil, fmt.Errorf("reserve port: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	address, ok := name.(*syscall.SockaddrInet4)
	if err != nil || !ok {
		r.release()
		return nil, fmt.Errorf("reserve port: no address: %w", err)
	}
	r.number = address.Port
	return r, nil
}

func (r *reservation) release() {
	_ = r.close() // nothing was written to it
}

func (in *instance) freeze() error { return in.cmd.Process.Signal(syscall.SIGSTOP) }

func (in *instance) thaw() error { return in.cmd.Process.Signal(syscall.SIGCONT) }

// peakMemory reads the largest resident size of the process so far.
func (in *instance) peakMemory() int64 {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(in.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0 // the process has ended
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kilobytes, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			if err != nil {
				return 0
			}
			return kilobytes << 10
		}
	}
	return 0
}
