package scfemu

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
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

// clockTick is the unit of CPU times in /proc (USER_HZ, which Linux fixes at 100 for all user programs).
const clockTick = 10 * time.Millisecond

// cpuTime reads the CPU time, user and system, that the process has used so far.
func (in *instance) cpuTime() time.Duration {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(in.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0 // the process has ended
	}
	// The second field, the program's name, may hold anything: count from its closing parenthesis.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	const user, system = 11, 12
	if len(fields) <= system {
		return 0
	}
	var ticks int64
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks * int64(clockTick))
}

// temporary adds up what is in the temporary folder: files by their names, and those without one that are still open.
func (in *instance) temporary() (size int64) {
	folder, descriptors := filepath.Join(in.folder, temporaryFolder), "/proc/"+strconv.Itoa(in.cmd.Process.Pid)+"/fd"
	add := func(path string) {
		if stat, err := os.Stat(path); err == nil && stat.Mode().IsRegular() {
			size += stat.Size()
		}
	}
	named, _ := os.ReadDir(folder) // what cannot be read has ended
	for _, entry := range named {
		add(filepath.Join(folder, entry.Name()))
	}
	open, _ := os.ReadDir(descriptors)
	for _, entry := range open {
		path := filepath.Join(descriptors, entry.Name())
		target, err := os.Readlink(path)
		if err == nil && strings.HasPrefix(target, folder+"/") && strings.HasSuffix(target, " (deleted)") {
			add(path)
		}
	}
	return size
}

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
