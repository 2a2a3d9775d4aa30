package scfemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// startedAgain is the variable that tells a process that it has its own network.
	startedAgain = "CHATEXPORT_ALONE"
	// codeNotAlone is the exit code of one that cannot use it; no program here has it.
	codeNotAlone = 97
)

// Alone gives this program a network of its own, in which there is nothing but loopback: the emulators, which need no
// more, and the function, which listens on all addresses, can be reached from nowhere else. For that the program is
// started once more, and ends with the exit code of that start; in there, and where there was no other network to begin
// with, Alone returns nil. It is to be called once, before anything has begun.
//
// Where the system does not allow it the error says so, and what that means. It needs root, or a system that lets its
// users make namespaces.
func Alone() error {
	if os.Getenv(startedAgain) != "" {
		if os.Unsetenv(startedAgain) != nil || raiseLoopback() != nil {
			os.Exit(codeNotAlone)
		}
		return nil
	}
	interfaces, err := net.Interfaces()
	if err == nil && len(interfaces) == 1 && interfaces[0].Flags&(net.FlagLoopback|net.FlagUp) == net.FlagLoopback|net.FlagUp {
		return nil
	}
	if err := startAgain(); err != nil {
		return fmt.Errorf("%w: %w", errOpen, err)
	}
	return nil
}

// startAgain starts this program in a new network and ends with it. It returns if that cannot be.
func startAgain() error {
	// The death of the thread that started it kills the program (Pdeathsig).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(context.Background(), "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), startedAgain+"=1")
	// A group of its own: what is typed at the terminal reaches it once, from here.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN} // of the new network only
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	defer close(signals)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { // ends with this function, or this process
		for s := range signals {
			_ = cmd.Process.Signal(s) // fails only if it has ended already
		}
	}()
	err := cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return err
	case status.Signaled():
		const bySignal = 128 // as shells say it
		os.Exit(bySignal + int(status.Signal()))
	case status.ExitStatus() != codeNotAlone:
		os.Exit(status.ExitStatus())
	}
	return errors.New("loopback cannot be used there")
}

// raiseLoopback does what "ip link set lo up" does.
func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was sent
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo); err != nil {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
