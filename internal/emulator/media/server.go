// Package mediaemu is an emulator of the hosts that serve the files of Chat messages: a real HTTP server on loopback with
// pictures, sounds and documents that expire, need a signature, redirect, stall and whatever else such hosts do.
//
// It owns the files, how each of them behaves, the signatures of their URLs, and a record of the requests. It is for
// tests, the demo and local use only: it must never be part of production, listen on an address that is not loopback,
// or keep a signature in its record.
//
// What a real host answers without a signature is unknown, as is what it answers once a file has expired: both are
// fields of Spec, so that a client has to bear all of them.
package mediaemu

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"chatexport/internal/emulator/loopback"
)

// Options describe a host. The zero value is a host without latency.
type Options struct {
	Secret       string        // signs URLs; one of its own if empty
	Latency      time.Duration // before every answer; ends early when the client leaves
	Now          func() time.Time
	KeepRequests int // that Requests returns: 0 means the last 1024, negative all
}

// Server is one host. It is safe for concurrent use.
type Server struct {
	opts Options

	mu     sync.Mutex // guards base and what follows
	base   string
	files  map[string]*File // by the escaped path of their URLs
	record record
}

var _ http.Handler = (*Server)(nil)

// New returns a host without files.
func New(opts Options) *Server {
	if opts.Secret == "" {
		opts.Secret = "the media host's own secret"
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Server{opts: opts, files: map[string]*File{}, record: newRecord(opts.KeepRequests)}
}

// Start listens on addr ("" means a free port of 127.0.0.1) and serves until stop is called or ctx ends. stop ends every
// request that stalls, waits for all of them and may be called more than once.
func (s *Server) Start(ctx context.Context, addr string) (baseURL string, stop func() error, err error) {
	baseURL, stop, err = loopback.Serve(ctx, addr, &http.Server{Handler: s})
	if err != nil {
		return "", nil, fmt.Errorf("start the media host: %w", err)
	}
	s.ServedAt(baseURL)
	return baseURL, stop, nil
}

// ServedAt tells a server that somebody else serves it, and at which base URL (http://127.0.0.1:40123). Files have no URL
// before that.
func (s *Server) ServedAt(baseURL string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = baseURL
}

func (s *Server) baseURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// TB is the part of *testing.T that StartT needs.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Fatalf(format string, args ...any)
}

// StartT starts the server for one test and stops it when that ends.
func (s *Server) StartT(t TB) (baseURL string) {
	t.Helper()
	baseURL, stop, err := s.Start(context.WithoutCancel(t.Context()), "")
	if err != nil {
		t.Fatalf("start the media host: %v", err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Fatalf("stop the media host: %v", err)
		}
	})
	return baseURL
}

// Now is the host's clock, by which files and signatures expire.
func (s *Server) Now() time.Time { return s.opts.Now() }

// Add adds a file.
func (s *Server) Add(spec Spec) *File {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := newFile(s, spec, len(s.files))
	s.files[f.path] = f
	return f
}

// OffListURL returns a URL of this very server under a name that nobody lists, so that a client that asks it after all is
// seen (Counters.OffList). It is answered, with a body that must never be archived.
func (s *Server) OffListURL(path string) string {
	return strings.Replace(s.baseURL(), "127.0.0.1", "localhost", 1) + "/" + path
}

// NowhereURL returns a URL of this server where no file is, so that a client that asks it is seen (Counters.Unknown).
func (s *Server) NowhereURL(path string) string { return s.baseURL() + "/nowhere/" + path }

// linkLocalURL is where machines of a cloud are told their keys.
const linkLocalURL = "http://169.254.0.23/latest/meta-data/"

// movedPrefix stands before the path of a file that moved, with the hops that are left.
const movedPrefix = "/moved/"

// find returns the file of a path and the redirects that are still before it, -1 for a file that was not asked for by a
// redirect's path.
func (s *Server) find(path string) (f *File, left int) {
	left = -1
	if rest, ok := strings.CutPrefix(path, movedPrefix); ok {
		hops, moved, _ := strings.Cut(rest, "/")
		n, err := strconv.Atoi(hops)
		if err != nil {
			return nil, 0
		}
		path, left = "/"+moved, n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[path], left
}
