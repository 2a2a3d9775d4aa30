package cosemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"chatexport/internal/emulator/loopback"
)

var bucketName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]+$`)

func validBucket(name string) bool { return bucketName.MatchString(name) }

// Server is the emulator. Its methods are safe for concurrent use.
type Server struct {
	opts    Options
	buckets map[string]*bucket
	journal *journal

	mu    sync.Mutex // guards everything below
	fault FaultFunc
	stop  func() error // nil until it listens
}

// Open makes the buckets below opts.Root, or finds what an earlier server left of them. It listens nowhere yet.
func Open(opts Options) (*Server, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, buckets: map[string]*bucket{}, journal: newJournal(opts.LogSize),
		fault: opts.Fault,
	}
	for _, b := range opts.Buckets {
		var err error
		if s.buckets[b.Name], err = openBucket(&opts, b.Name); err != nil {
			return nil, fmt.Errorf("cos emulator: open bucket %s: %w", b.Name, err)
		}
	}
	for _, b := range opts.Buckets {
		if b.Versioning != VersioningNever {
			if err := s.SetVersioning(b.Name, b.Versioning); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Start opens a server and listens. The base URL is the server's URL.
func Start(opts Options) (*Server, string, error) {
	s, err := Open(opts)
	if err != nil {
		return nil, "", err
	}
	url, err := s.Start()
	return s, url, err
}

// Start listens on Options.Addr and returns the base URL, such as http://127.0.0.1:40123. Close ends it.
func (s *Server) Start() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return "", errors.New("cos emulator: already started")
	}
	url, stop, err := loopback.Serve(context.Background(), s.opts.Addr, &http.Server{Handler: s})
	if err != nil {
		return "", fmt.Errorf("cos emulator: %w", err)
	}
	s.stop = stop
	return url, nil
}

// Close ends all connections, hanging requests too, and waits until nothing is served any more. A server that others
// serve must be stopped by them first. What was acknowledged is on disk.
func (s *Server) Close() error {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	var err error
	if stop != nil {
		err = stop()
	}
	for _, b := range s.buckets {
		err = errors.Join(err, b.store.Close())
	}
	return err
}

// SetFault replaces the fault function; nil ends all faults.
func (s *Server) SetFault(f FaultFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *Server) faultOf(req *Request) *Fault {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f != nil {
		if fault := f(req); fault != nil {
			return fault
		}
	}
	return &Fault{}
}

// SetVersioning changes a bucket's versioning as its owner would in the console.
func (s *Server) SetVersioning(bucketName string, v Versioning) error {
	b := s.buckets[bucketName]
	if b == nil {
		return fmt.Errorf("cos emulator: no bucket %q", bucketName)
	}
	if v == VersioningNever && b.status() != VersioningNever {
		return fmt.Errorf("cos emulator: bucket %s: versioning cannot be made undone", bucketName)
	}
	return b.setStatus(v)
}

// bucketOf finds the bucket that the host names. A bare IP address or localhost stands for the only bucket.
func (s *Server) bucketOf(host string) *bucket {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if len(s.buckets) == 1 && (host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil) {
		for _, b := range s.buckets {
			return b
		}
	}
	name, rest, _ := strings.Cut(host, ".")
	if !strings.HasPrefix(rest, "cos.") && !strings.HasPrefix(rest, "cos-internal.") {
		return nil
	}
	if !strings.HasSuffix(rest, ".myqcloud.com") && !strings.HasSuffix(rest, ".tencentcos.cn") {
		return nil
	}
	return s.buckets[name]
}
