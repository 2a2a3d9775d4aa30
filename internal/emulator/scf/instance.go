package scfemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction/messages"
)

const (
	dialPause  = 5 * time.Millisecond
	stdoutFile = "stdout"
	stderrFile = "stderr"

	temporaryFolder = "tmp" // TMPDIR, in the folder of the process

	pingMethod = "Function.Ping"
)

// instance is one process of the function. It serves one invocation at a time.
type instance struct {
	number int
	folder string
	cmd    *exec.Cmd
	client *rpc.Client
	exited chan struct{} // closed when the process has ended and was waited for
	port   *reservation
	uses   int
	read   map[string]int64 // how much of each output file was read
}

// start starts the process and waits until it answers.
func (p *Platform) start(ctx context.Context, number int) (*instance, error) {
	folder := filepath.Join(p.folder, strconv.Itoa(number))
	if err := os.MkdirAll(filepath.Join(folder, temporaryFolder), 0o700); err != nil {
		return nil, fmt.Errorf("start process: %w", err)
	}
	port, err := reservePort()
	if err != nil {
		return nil, fmt.Errorf("start process: %w", err)
	}
	in := &instance{number: number, folder: folder, exited: make(chan struct{}), port: port, read: make(map[string]int64)}
	if err := p.spawn(ctx, in); err != nil {
		port.release()
		return nil, fmt.Errorf("start process: %w", err)
	}
	p.mu.Lock()
	p.all[in] = struct{}{}
	p.mu.Unlock()
	if err := in.connect(ctx, p.config.InitLimit); err != nil {
		_, stderr := in.output()
		p.discard(in)
		return nil, fmt.Errorf("start process: %w: %s", err, strings.Join(stderr, "; "))
	}
	return in, nil
}

// spawn starts the process with the platform's environment only. Its output goes to files, not to a pipe: when the
// answer of an invocation is here, all that it wrote is there.
func (p *Platform) spawn(ctx context.Context, in *instance) error {
	stdout, err := os.OpenFile(filepath.Join(in.folder, stdoutFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = stdout.Close() }() // the process has its own
	stderr, err := os.OpenFile(filepath.Join(in.folder, stderrFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = stderr.Close() }() // the process has its own

	in.cmd = exec.CommandContext(context.WithoutCancel(ctx), p.config.Binary) // it outlives the invocation
	in.cmd.Dir = in.folder
	in.cmd.Stdout, in.cmd.Stderr = stdout, stderr
	in.cmd.SysProcAttr = attributes()
	in.cmd.Env = append([]string{
		"_LAMBDA_SERVER_PORT=" + strconv.Itoa(in.port.number),
		"TENCENTCLOUD_RUNENV=SCF",
		"HOME=" + in.folder, "PWD=" + in.folder, "TMPDIR=" + filepath.Join(in.folder, temporaryFolder), "USER=qcloud", "PATH=/usr/bin:/bin",
	}, p.config.ProcessEnvironment...)
	if p.config.Prepare != nil {
		p.config.Prepare(in.cmd)
	}

	started := make(chan error, 1)
	go func() {
		// The process dies with the thread that started it (see attributes), so that thread must not end before.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := in.cmd.Start()
		started <- err
		if err == nil {
			_ = in.cmd.Wait() // how it ended is in its output; that it was killed is no error here
		}
		close(in.exited)
	}()
	return <-started
}

// connect dials the process until it answers a ping.
func (in *instance) connect(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(in.port.number)))
		if err == nil {
			in.client = rpc.NewClient(conn)
			return in.ping(ctx)
		}
		pause := time.NewTimer(dialPause)
		select {
		case <-pause.C:
		case <-in.exited:
			pause.Stop()
			return errors.New("the process ended before it served")
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("the process does not serve: %w", context.Cause(ctx))
		}
	}
}

func (in *instance) ping(ctx context.Context) error {
	call := in.client.Go(pingMethod, &messages.PingRequest{}, &messages.PingResponse{}, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return call.Error
	case <-ctx.Done():
		return fmt.Errorf("the process does not answer: %w", context.Cause(ctx))
	}
}

func (in *instance) alive() bool {
	select {
	case <-in.exited:
		return false
	default:
		return true
	}
}

// kill ends the process as a crash does: it cannot notice.
func (in *instance) kill() {
	_ = in.cmd.Process.Kill() // fails only if the process has ended already
}

// end kills the process and waits until it is gone.
func (in *instance) end() {
	in.kill()
	<-in.exited
	if in.client != nil {
		_ = in.client.Close() // its other end is gone
	}
	in.port.release()
}

func (in *instance) remove() {
	_ = os.RemoveAll(in.folder) // Close removes the folder above once more, and reports what fails
}

// output returns the lines that the process wrote since the last call.
func (in *instance) output() (stdout, stderr []string) {
	return in.lines(stdoutFile), in.lines(stderrFile)
}

func (in *instance) lines(name string) []string {
	f, err := os.Open(filepath.Join(in.folder, name))
	if err != nil {
		return nil // the process never began
	}
	defer func() { _ = f.Close() }() // read only
	raw, err := io.ReadAll(io.NewSectionReader(f, in.read[name], 1<<40))
	if err != nil {
		return []string{"output cannot be read: " + err.Error()}
	}
	in.read[name] += int64(len(raw))
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	if len(raw) == 0 {
		return nil
	}
	return strings.Split(string(raw), "\n")
}
