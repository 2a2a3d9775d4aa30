package invocation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	"chatexport/internal/emulator/world"
	"chatexport/internal/event"
	"chatexport/internal/invocation"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// long skips what takes long under the race detector and proves nothing more there.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it counts, and races with nothing")
	}
}

func seal() event.Seal { return event.NewSeal(world.SecretKey, world.Bucket, "") }

// own is a task of the function's own: what a batch tells the next one, and what is told of a failure.
func own(t testing.TB, group, proceed, tried string) []byte {
	t.Helper()
	body, err := seal().Put(event.Task{GroupID: group, V: event.Version, Continue: []byte(proceed), Attempt: []byte(tried)}).Encode()
	must(t, err)
	return body
}

// bubble runs a test in virtual time, on a day on which the emulated messages are old.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC)))
		f(t)
	})
}

// site is a virtual world with the platform that runs the function in it: it delivers the queue's events, keeps
// processes between them, and kills one at the time limit.
type site struct {
	*world.World

	t        *testing.T
	limit    time.Duration
	workers  int                          // processes at a time
	platform func(p *invocation.Platform) // changes what the platform says; nil for nothing
	began    func(*world.Process)         // told of every process
	keys     *keyring

	mu       sync.Mutex
	idle     []*process
	served   int
	killed   int
	overrun  int // killed at the limit
	failures []error
}

type process struct {
	*world.Process

	handler *invocation.Handler
}

// newSite makes a virtual world whose queue delivers a failed event again after a minute, as the platform does.
func newSite(t *testing.T, o world.Options) *site {
	t.Helper()
	o.Virtual = true
	if o.TimeLimit == 0 {
		o.TimeLimit = 30 * time.Second
	}
	if o.Queue.Delay == nil {
		o.Queue.Delay = func(int) time.Duration { return time.Minute }
	}
	return &site{World: world.New(t, o), t: t, limit: o.TimeLimit, workers: 1}
}

func (s *site) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		p := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return p
	}
	h, p := s.Process()
	if s.began != nil {
		s.began(p)
	}
	return &process{p, h}
}

// deliver serves one event as the platform does. A process that is killed meanwhile never answers.
func (s *site) deliver(d cloudemu.Delivery) (string, error) {
	p := s.process()
	ctx, cancel := context.WithTimeout(p.Context(), s.limit)
	defer cancel()
	platform := invocation.Platform{
		RequestID: d.RequestID, Function: world.Function, Version: "$LATEST", Namespace: "default", Region: world.Region,
		MemoryMB: 128, TimeLimit: s.limit,
	}
	if s.platform != nil {
		s.platform(&platform)
	}
	atLimit := time.AfterFunc(s.limit, func() {
		s.mu.Lock()
		s.overrun++
		s.mu.Unlock()
		p.Kill()
	})
	out, err := p.handler.Invoke(ctx, platform, d.Payload)
	atLimit.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served++
	if p.Dead() {
		s.killed++
		return "", errKilled
	}
	if err != nil {
		s.failures = append(s.failures, err)
	}
	s.idle = append(s.idle, p)
	return string(out), err
}

var errKilled = errors.New("the process was killed")

// drain delivers until nothing is left, or until that seems never to happen.
func (s *site) drain() {
	s.t.Helper()
	const most = 300 // deliveries to one worker
	var group sync.WaitGroup
	for range s.workers {
		group.Go(func() {
			for n := 0; ; n++ {
				if n == most {
					s.t.Errorf("%d deliveries, and no end", n)
					return
				}
				d, err := s.Queue.NextOrDrained(s.t.Context())
				if errors.Is(err, cloudemu.ErrDrained) {
					return
				}
				if err != nil {
					s.t.Error(err)
					return
				}
				if _, failure := s.deliver(d); failure != nil {
					err = s.Queue.Nack(d.ID, failure.Error())
				} else {
					err = s.Queue.Ack(d.ID)
				}
				if err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// tick fires a timer for the streams and drains the queue. Between two ticks an hour passes.
func (s *site) tick(streams ...chat.Stream) {
	s.t.Helper()
	time.Sleep(time.Hour)
	s.Push(s.Timer(streams...))
	s.drain()
}

// once delivers a tick for the streams, only once, whatever comes of it.
func (s *site) once(streams ...chat.Stream) (string, error) {
	s.t.Helper()
	return s.deliver(cloudemu.Delivery{RequestID: "request", Payload: s.Timer(streams...), Attempt: 1})
}

// state reads a stream's state, the zero one if there is none.
func (s *site) state(stream chat.Stream) archive.State {
	s.t.Helper()
	body, _, err := s.Store.Get(s.t.Context(), layout.State(stream))
	if errors.Is(err, objstore.ErrNotExist) {
		return archive.State{}
	}
	must(s.t, err)
	state, err := archive.ParseState(body)
	must(s.t, err)
	return state
}

// chain is what the chunks of a stream say, from the first to the last, with everything that they hold.
func (s *site) chain(stream chat.Stream) (chunks []archive.ChunkMeta, lines []string) {
	s.t.Helper()
	for lo := chat.Seq(1); ; {
		body, object, err := s.Store.Get(s.t.Context(), layout.Chunk(stream, lo))
		if errors.Is(err, objstore.ErrNotExist) {
			return chunks, lines
		}
		must(s.t, err)
		meta, err := archive.ParseChunkMeta(object.Metadata)
		must(s.t, err)
		chunks = append(chunks, meta)
		_, err = archive.ReadChunk(bytes.NewReader(body), stream, lo, meta.Hi, func(e chat.Element) error {
			lines = append(lines, string(e.JSON))
			return nil
		})
		must(s.t, err)
		lo = meta.Hi + 1
	}
}

// sound proves that the archive of a stream is whole: it verifies, it is finished up to the newest message, and it has
// exactly what the service holds, in order.
func (s *site) sound(stream chat.Stream) error {
	report, err := verify.Stream(s.t.Context(), s.Store, stream, verify.Options{SDKAppID: world.SDKAppID})
	if err != nil {
		return err
	}
	var problems []error
	for _, f := range report.Findings {
		problems = append(problems, errors.New(f.String()))
	}
	truth, newest, err := s.Chat.Truth(stream)
	if err != nil {
		return err
	}
	if report.Hi != newest || report.ListedTo != newest || report.Finished != archive.StatusComplete {
		problems = append(problems, fmt.Errorf("archived up to %d and listed up to %d (%q) of %d", report.Hi, report.ListedTo, report.Finished, newest))
	}
	diff, err := verify.Compare(s.t.Context(), s.Store, stream, func(yield func(chat.Seq, []byte) bool) {
		for r := range truth {
			if r.JSON != nil && !yield(r.Seq, r.JSON) {
				return
			}
		}
	})
	if err == nil && !diff.Same() {
		err = errors.New(diff.String())
	}
	return errors.Join(append(problems, err)...)
}

// plain makes ordinary short messages.
func plain(chat.Seq) chatemu.Message { return chatemu.Message{From: "user1"} }
