package scfemu

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Invocation is the record of one delivery of one event.
type Invocation struct {
	N         int // from 1, in order of their beginning
	RequestID string
	EventID   string // of the queue; empty for Invoke
	Attempt   int    // from 1
	Payload   []byte

	Instance int  // number of the process, from 1
	Cold     bool // the process was started for this invocation
	Started  time.Time
	Duration time.Duration

	Status    int    // one of the constants Status...
	Response  []byte // of a handler that succeeded
	Error     string // what the platform was told
	ErrorType string // the Go type's name of a handler's error

	Logs       []string // lines of standard output
	Stderr     []string // lines of standard error: the library's, and a crash's trace
	PeakMemory int64    // bytes resident at most since the process began; 0 where the system does not tell
	// CPUTime is what the process has used since it began, to 10 ms; 0 where the system does not tell.
	CPUTime time.Duration
	Start   time.Duration // of a cold invocation: from starting the process until it answered
}

// Invocations returns the record of those that ended, in the order of their end.
func (p *Platform) Invocations() []Invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.invocations)
}

// Starts returns how many processes were started.
func (p *Platform) Starts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

// Logs returns the lines of standard output of all invocations that ended, in the order of their end.
func (p *Platform) Logs() []string {
	var lines []string
	for _, v := range p.Invocations() {
		lines = append(lines, v.Logs...)
	}
	return lines
}

// TimerEvent returns the event of a timer trigger whose argument is message. Another time makes another event, whatever
// the platform does: events are told apart by their bytes.
func TimerEvent(trigger, message string, at time.Time) []byte {
	raw, err := json.Marshal(struct{ Type, TriggerName, Time, Message string }{"Timer", trigger, at.UTC().Format(time.RFC3339Nano), message})
	if err != nil {
		panic(err) // impossible: strings only
	}
	return raw
}

// newRequestID returns an id that looks like the platform's.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
