// Package scfemu is the part of Tencent SCF that runs a function: it starts the built binary, speaks the Go1 runtime's
// protocol (net/rpc) with it, kills it at the time limit, and delivers a queue's events to it, again where that failed.
//
// It is for tests, the demo and local use. It owns the processes that it starts and a record of what they did. It must
// never be imported by production code, nor know anything of what the function does.
//
// What it cannot show: the platform's read-only root file system, its memory limit (only the peak is recorded), and
// its own limits of rate. The pinned runtime library listens on all addresses of the machine (0.0.0.0), not on
// loopback alone: what runs functions calls Alone first, so that there are no others.
package scfemu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	cloudemu "chatexport/internal/emulator/cloud"
)

// errOpen is what it means that a program cannot be alone.
var errOpen = errors.New("no network of its own: other machines may reach the function's port while it runs")

// Platform runs one function. Make it with New, end it with Close.
type Platform struct {
	config Config
	folder string

	mu          sync.Mutex
	idle        []*instance
	all         map[*instance]struct{}
	starts      int
	began       int
	invocations []Invocation
}

// New prepares a function, without starting a process.
func New(c Config) (*Platform, error) {
	binary, err := filepath.Abs(c.Binary)
	if err != nil {
		return nil, fmt.Errorf("prepare function: %w", err)
	}
	if stat, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("prepare function: %w", err)
	} else if stat.IsDir() || stat.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("prepare function: %s is not executable", binary)
	}
	if err := checkEnvironment(c.Environment); err != nil {
		return nil, fmt.Errorf("prepare function: %w", err)
	}
	folder, err := os.MkdirTemp("", "scf-")
	if err != nil {
		return nil, fmt.Errorf("prepare function: %w", err)
	}
	c.Binary = binary
	return &Platform{config: c.withDefaults(), folder: folder, all: make(map[*instance]struct{})}, nil
}

// Invoke delivers one event and waits for its end. The error is only that of ctx: what goes wrong with the function
// is in the invocation. The process is killed when ctx ends.
func (p *Platform) Invoke(ctx context.Context, payload []byte) (Invocation, error) {
	return p.invoke(ctx, cloudemu.Delivery{RequestID: newRequestID(), Payload: payload, Attempt: 1})
}

// Run delivers the queue's events, on as many instances as there may be, until the queue is drained or ctx ends. An
// event that is under way when ctx ends is neither acknowledged nor refused.
func (p *Platform) Run(ctx context.Context, queue *cloudemu.Queue) error {
	return p.serve(ctx, queue, queue.NextOrDrained)
}

// Serve is Run that waits for events until ctx ends, and then returns its cause.
func (p *Platform) Serve(ctx context.Context, queue *cloudemu.Queue) error {
	return p.serve(ctx, queue, queue.Next)
}

func (p *Platform) serve(ctx context.Context, queue *cloudemu.Queue, next func(context.Context) (cloudemu.Delivery, error)) error {
	workers, ctx := errgroup.WithContext(ctx)
	for range p.config.Instances {
		workers.Go(func() (err error) {
			defer func() {
				if r := recover(); r != nil {
					err = fmt.Errorf("serve the queue: panic: %v", r)
				}
			}()
			for {
				d, err := next(ctx)
				if errors.Is(err, cloudemu.ErrDrained) {
					return nil
				}
				if err != nil {
					return err
				}
				if err := p.deliver(ctx, queue, d); err != nil {
					return err
				}
			}
		})
	}
	return workers.Wait()
}

func (p *Platform) deliver(ctx context.Context, queue *cloudemu.Queue, d cloudemu.Delivery) error {
	invocation, err := p.invoke(ctx, d)
	if err != nil {
		return err
	}
	if invocation.Status == StatusOK {
		return queue.Ack(d.ID)
	}
	return queue.Nack(d.ID, fmt.Sprintf("%d %s", invocation.Status, invocation.Error))
}

func (p *Platform) invoke(ctx context.Context, d cloudemu.Delivery) (Invocation, error) {
	v := p.begin(d)
	var fault Fault
	if p.config.Fault != nil {
		fault = p.config.Fault(v)
	}
	if err := p.run(ctx, &v, fault); err != nil {
		return v, err
	}
	v.Duration = time.Since(v.Started)
	p.mu.Lock()
	p.invocations = append(p.invocations, v)
	p.mu.Unlock()
	if p.config.Observe != nil {
		p.config.Observe(v)
	}
	return v, nil
}

func (p *Platform) begin(d cloudemu.Delivery) Invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began++
	return Invocation{N: p.began, RequestID: d.RequestID, EventID: d.ID, Attempt: d.Attempt, Payload: slices.Clone(d.Payload), Started: time.Now()}
}

func (p *Platform) run(ctx context.Context, v *Invocation, fault Fault) error {
	in, err := p.acquire(ctx, v)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		v.Status, v.Error = StatusInit, err.Error()
		return nil
	}
	keep := p.call(ctx, in, v, fault)
	if fault.LoseAnswer && v.Status == StatusOK {
		v.Status, v.Error = StatusPlatform, "the answer was lost"
	}
	p.release(in, v, keep)
	if ctx.Err() != nil && v.Status == StatusExited {
		return context.Cause(ctx)
	}
	return nil
}

// acquire returns an idle process, or a new one.
func (p *Platform) acquire(ctx context.Context, v *Invocation) (*instance, error) {
	for {
		p.mu.Lock()
		var in *instance
		if n := len(p.idle); n > 0 {
			in, p.idle = p.idle[n-1], p.idle[:n-1]
		}
		p.mu.Unlock()
		if in == nil {
			break
		}
		if in.alive() && in.thaw() == nil {
			v.Instance = in.number
			return in, nil
		}
		p.discard(in)
	}
	p.mu.Lock()
	p.starts++
	number := p.starts
	p.mu.Unlock()
	begin := time.Now()
	in, err := p.start(ctx, number)
	if err != nil {
		return nil, err
	}
	v.Instance, v.Cold, v.Start = number, true, time.Since(begin)
	return in, nil
}

// release takes the process's output and keeps the process for the next event, if it may be kept.
func (p *Platform) release(in *instance, v *Invocation, keep bool) {
	in.uses++
	v.PeakMemory, v.CPUTime = in.peakMemory(), in.cpuTime()
	if !keep || (p.config.MaxUses > 0 && in.uses >= p.config.MaxUses) {
		in.end()
		keep = false
	}
	v.Logs, v.Stderr = in.output()
	if !keep || (p.config.Freeze && in.freeze() != nil) {
		p.discard(in)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, in)
}

func (p *Platform) discard(in *instance) {
	in.end()
	in.remove()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, in)
}

// Kill kills all processes at once, as a crash of theirs would end them: an invocation that is under way ends with
// StatusExited. It may be called from an emulator's fault, to crash the function at an exact step.
func (p *Platform) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for in := range p.all {
		in.kill()
	}
}

// Temporary returns how many bytes the processes have in their temporary folders at this moment, in files that have lost
// their names included; 0 where the system does not tell.
func (p *Platform) Temporary() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var size int64
	for in := range p.all {
		size += in.temporary()
	}
	return size
}

// Close kills the processes that are left and removes what they wrote. No invocation may be under way.
func (p *Platform) Close() error {
	p.mu.Lock()
	left := slices.Collect(maps.Keys(p.all))
	p.idle = nil
	p.mu.Unlock()
	for _, in := range left {
		p.discard(in)
	}
	return os.RemoveAll(p.folder)
}
