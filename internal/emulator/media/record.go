package mediaemu

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

const defaultKeep = 1024 // requests

// Request is one request as it came. It holds no signature.
type Request struct {
	N      int // from 1, over all files
	At     time.Time
	Method string
	Host   string
	Path   string // escaped
	Query  string // without the signature
	Header http.Header
	Signed bool  // with a valid signature
	Status int   // 0 when none was sent, or the client left before the end
	Sent   int64 // bytes of the body
	Whole  bool  // all of the file was sent

	file  *File
	ended bool
}

// Counters sum up all requests since New.
type Counters struct {
	Requests      int
	Statuses      map[int]int // of what has ended; 0: no answer
	Bytes         int64       // of bodies
	Signed        int         // with a valid signature
	BadSignatures int
	Asked         int // URLs for which Sign was called
	Unknown       int // for paths without a file
	OffList       int // for OffListURL, where nobody may go
	// MaxParallel is the most requests that were answered at once. One whose client left counts until that is noticed.
	MaxParallel int
}

// record keeps the counters and the last requests; the server guards it.
type record struct {
	keep     int
	requests []*Request // oldest first
	counters Counters
	parallel int
}

func newRecord(keep int) record {
	if keep == 0 {
		keep = defaultKeep
	}
	return record{keep: keep, counters: Counters{Statuses: map[int]int{}}}
}

// begin notes a request that came.
func (s *Server) begin(q *Request, sig signature, offList bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.record
	n := &r.counters
	n.Requests++
	q.N = n.Requests
	switch sig {
	case validSignature:
		n.Signed++
		q.Signed = true
	case badSignature:
		n.BadSignatures++
	case unsigned:
	}
	switch {
	case offList:
		n.OffList++
	case q.file == nil:
		n.Unknown++
	default:
		q.file.count++
	}
	r.parallel++
	n.MaxParallel = max(n.MaxParallel, r.parallel)
	r.requests = append(r.requests, q)
	if r.keep >= 0 && len(r.requests) > r.keep {
		r.requests = slices.Delete(r.requests, 0, 1)
	}
}

// sending notes what is about to be sent.
func (s *Server) sending(q *Request, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.Sent += int64(n)
	s.record.counters.Bytes += int64(n)
}

// end notes that a request is answered, once. It comes before the last byte of the answer is sent: who has the answer
// finds the request in the record.
func (s *Server) end(q *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.ended {
		return
	}
	q.ended, q.Status = true, status
	q.Whole = status == http.StatusOK && q.file != nil && q.Method == http.MethodGet && q.Sent == q.file.Size()
	s.record.counters.Statuses[status]++
	s.record.parallel--
}

// Requests returns the last requests, oldest first, those that are not answered yet included (Options.KeepRequests).
func (s *Server) Requests() []Request {
	return s.requestsIf(func(*Request) bool { return true })
}

func (s *Server) requestsIf(match func(*Request) bool) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Request
	for _, q := range s.record.requests {
		if match(q) {
			list = append(list, *q)
		}
	}
	return list
}

// Counters returns a copy of the counters.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.record.counters
	c.Statuses = maps.Clone(c.Statuses)
	return c
}

// Requests returns those of the host's last requests that asked for this file.
func (f *File) Requests() []Request {
	return f.server.requestsIf(func(q *Request) bool { return q.file == f })
}

// Count returns how often the file was asked for, whatever was answered.
func (f *File) Count() int {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	return f.count
}
