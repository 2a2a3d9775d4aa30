// Package cloudemu is a part of Tencent's cloud API on a loopback address: scf Invoke and tdmq PublishCmqMsg, checked as
// the service checks them, and the queue of asynchronous events that both feed.
//
// It is for tests, the demo and local use. It owns its queue and a record of the calls. It must never be imported by
// production code, and it never listens on anything but a loopback address.
package cloudemu

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"chatexport/internal/emulator/loopback"
)

// Credential is one that the cloud knows.
type Credential struct {
	SecretID  string
	SecretKey string
	Token     string // empty for a permanent key
}

// Function is one that can be invoked.
type Function struct{ Namespace, Name, Qualifier string }

// Config says what exists. An empty list of functions or topics means that every name exists.
type Config struct {
	Credentials []Credential
	Region      string // empty: any
	Functions   []Function
	Topics      []string
	Queue       *Queue // receives the events; nil: a new one in memory
	// Fault, if set, decides what goes wrong with a call. It may be called concurrently, and must not keep the call.
	Fault func(*Call) *Fault
}

// Fault is what goes wrong with one call. Without Lose and Duplicate, a fault happens instead of the work: nothing is
// queued.
type Fault struct {
	Code    string        // answer with this error code
	Status  int           // answer with this HTTP status and a JSON body
	HTML    bool          // the body is HTML, as from a gateway; with Status, or 502
	Reset   bool          // the connection breaks before the work is done
	Hang    bool          // no answer until the caller gives up, and no work
	Delay   time.Duration // wait first; alone, the call then succeeds
	Lose    bool          // the work is done, then the connection breaks
	Publish bool          // the work is done, then Code, Status or HTML is answered

	Duplicate bool // the work is done, and the event delivered twice
}

// Call is the record of one request.
type Call struct {
	N         int // from 1
	At        time.Time
	Service   string
	Version   string
	Action    string
	Region    string
	SecretID  string
	Token     string
	Function  string // of Invoke
	Namespace string // of Invoke
	Qualifier string // of Invoke
	Topic     string // of PublishCmqMsg
	Payload   []byte // ClientContext or MsgContent

	RequestID string
	Code      string // of the answer; empty for success
	Status    int    // of the answer; 0 if there was none
	Queued    int    // events that the call queued
}

// Server is the emulator. Make it with New.
type Server struct {
	config Config

	mu    sync.Mutex
	calls []Call
	stop  func() error // nil until it listens
}

// New returns an emulator that listens nowhere yet: it is an http.Handler, and Transport leads to it without a socket.
func New(c Config) *Server {
	if c.Queue == nil {
		c.Queue = NewQueue(QueueOptions{})
	}
	return &Server{config: c}
}

// Queue returns the queue that the calls feed.
func (s *Server) Queue() *Queue { return s.config.Queue }

// Calls returns the record of all calls so far, in the order in which they arrived.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Count returns how many calls had an answer of this code; the empty code counts those that succeeded.
func (s *Server) Count(code string) int {
	n := 0
	for _, c := range s.Calls() {
		if c.Code == code && c.Status != 0 {
			n++
		}
	}
	return n
}

// Listen serves on address, which must be a loopback one (port 0 for a free port), and returns the base URL. Close
// ends it.
func (s *Server) Listen(ctx context.Context, address string) (string, error) {
	url, stop, err := loopback.Serve(ctx, address, &http.Server{Handler: s})
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = stop
	return url, nil
}

// Close stops listening and breaks the connections that are open.
func (s *Server) Close() error {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	if stop == nil {
		return nil
	}
	return stop()
}

// Transport leads to the emulator without a socket, so that tests can run it in a bubble of testing/synctest.
func (s *Server) Transport() http.RoundTripper { return loopback.Transport(s) }

// answer is the body of every answer.
type answer struct {
	Response map[string]any `json:"Response"`
}

func write(w http.ResponseWriter, status int, members map[string]any) {
	raw, err := json.Marshal(answer{Response: members})
	if err != nil {
		panic(err) // impossible: strings, numbers and booleans only
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the caller may have gone; the record says what was answered
}
