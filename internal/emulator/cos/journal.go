package cosemu

import (
	"maps"
	"sync"
	"time"
)

// Record is one answered request in the log. It holds no credentials.
type Record struct {
	Time   time.Time // when it arrived
	Op     Op
	Method string
	Bucket string
	Key    string
	Query  string
	N      int    // as in Request
	Status int    // 0 when the connection was broken instead
	Code   string // of an error answer
	Fault  bool   // whether a fault was injected
}

// journal keeps the newest requests and counts all of them.
type journal struct {
	mu     sync.Mutex
	size   int
	ring   []Record
	next   int
	byOp   map[Op]int
	byName map[nameOp]int
}

type nameOp struct {
	bucket, key string
	op          Op
}

func newJournal(size int) *journal {
	return &journal{size: size, byOp: map[Op]int{}, byName: map[nameOp]int{}}
}

// arrive counts a request and returns its number among those with the same Op and key.
func (j *journal) arrive(req *Request) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.byOp[req.Op]++
	n := nameOp{req.Bucket, req.Key, req.Op}
	j.byName[n]++
	return j.byName[n]
}

func (j *journal) finish(r Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ring) < j.size {
		j.ring = append(j.ring, r)
		return
	}
	j.ring[j.next] = r
	j.next = (j.next + 1) % j.size
}

// Log returns the newest answered requests, oldest first, at most Options.LogSize. A request is in it before its client
// sees the answer, or the broken connection.
func (s *Server) Log() []Record {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	return append(append([]Record{}, j.ring[j.next:]...), j.ring[:j.next]...)
}

// Counts returns how many requests of each kind have arrived, those without an answer included.
func (s *Server) Counts() map[Op]int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return maps.Clone(s.journal.byOp)
}

// Count returns how many requests of a kind have arrived for one whole key, prefix included, of any bucket.
func (s *Server) Count(op Op, key string) int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	total := 0
	for n, count := range s.journal.byName {
		if n.op == op && n.key == key {
			total += count
		}
	}
	return total
}

// ResetCounts forgets the log and all counts, so that Request.N begins at 1 again.
func (s *Server) ResetCounts() {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.byOp)
	clear(j.byName)
	j.ring, j.next = nil, 0
}
