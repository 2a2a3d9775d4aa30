package chatemu

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"chatexport/internal/chat"
)

const (
	defaultKeep   = 256  // calls that are kept
	keepSeconds   = 3600 // seconds of the histogram that are kept
	keptBodyBytes = 2048 // of a request's body in the log
)

// Query is what a call of group_msg_get_simple asks for; other commands fill in what they have.
type Query struct {
	Stream       chat.Stream
	Seq          chat.Seq // ReqMsgSeq as sent
	HasSeq       bool     // ReqMsgSeq was sent
	Number       int      // ReqMsgNumber as sent
	WithRecalled bool
}

// Call is one call. Hooks and faults see it before the answer exists, Calls has it with the answer.
type Call struct {
	N          int // from 1, over all commands
	At         time.Time
	Method     string
	Service    string
	Command    string
	URL        string // path and query, without the UserSig
	Identifier string
	Random     string
	SigTime    int64 // when the UserSig was made, in seconds since 1970; 0 if it cannot be read
	Body       []byte
	Query      Query
	Conn       int // number of the connection, from 1; 0 when the server does not own the listener
	ConnCall   int // calls on that connection so far, this one included

	Faulted  bool // a fault was put in the way
	Status   int  // HTTP status; 0 when no answer was sent whole
	Code     int  // ErrorCode
	Found    int  // messages in the page
	Finished int  // IsFinished of the page
}

// Counters sum up all calls since New.
type Counters struct {
	Calls       int
	Commands    map[string]int
	Codes       map[int]int // by ErrorCode, of the calls that were answered with status 200
	Statuses    map[int]int // by HTTP status; 0: no whole answer
	Throttled   int         // answered with a code that asks to slow down
	BadSigs     int
	Messages    int // elements sent in pages, placeholders included
	MaxParallel int
	Connections int
	Reused      int           // calls on a connection that had served one before
	Seconds     map[int64]int // calls in each second since 1970, the last hour's
	MaxSecond   int           // most calls within one second
}

// recorder keeps the counters and the last calls.
type recorder struct {
	mu       sync.Mutex
	keep     int
	calls    []Call // a ring once it has keep calls
	next     int
	counters Counters
	parallel int // calls that are not answered yet
}

func (r *recorder) init(keep int) {
	if keep == 0 {
		keep = defaultKeep
	}
	r.keep = keep
	r.counters = Counters{
		Commands: make(map[string]int), Codes: make(map[int]int), Statuses: make(map[int]int), Seconds: make(map[int64]int),
	}
}

func (r *recorder) begin(ctx context.Context, c *Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := &r.counters
	n.Calls++
	c.N = n.Calls
	if conn, ok := ctx.Value(connKey{}).(*connection); ok {
		conn.calls++
		c.Conn, c.ConnCall = conn.number, conn.calls
		if conn.calls > 1 {
			n.Reused++
		}
	}
	n.Commands[c.Command]++
	second := c.At.Unix()
	n.Seconds[second]++
	n.MaxSecond = max(n.MaxSecond, n.Seconds[second])
	if len(n.Seconds) > 2*keepSeconds {
		maps.DeleteFunc(n.Seconds, func(s int64, _ int) bool { return s < second-keepSeconds })
	}
	r.parallel++
	n.MaxParallel = max(n.MaxParallel, r.parallel)
}

// end notes a call with its answer. It comes before the last byte of the answer is sent: who has the answer finds the
// call in the log.
func (r *recorder) end(c *Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := &r.counters
	n.Statuses[c.Status]++
	if c.Status == 200 {
		n.Codes[c.Code]++
	}
	switch c.Code {
	case codeThrottled, codeTooOften, 60011, 60018, 60019:
		n.Throttled++
	}
	n.Messages += c.Found
	if len(c.Body) > keptBodyBytes {
		c.Body = slices.Clone(c.Body[:keptBodyBytes])
	}
	if r.keep < 0 || len(r.calls) < r.keep {
		r.calls = append(r.calls, *c)
	} else {
		r.calls[r.next] = *c
		r.next = (r.next + 1) % r.keep
	}
	r.parallel--
}

func (r *recorder) badSig() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counters.BadSigs++
}

// connected counts a new connection and returns its number.
func (r *recorder) connected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counters.Connections++
	return r.counters.Connections
}

// Calls returns the finished calls that are kept (Options.KeepCalls), by number.
func (s *Server) Calls() []Call {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	calls := slices.Clone(s.record.calls)
	slices.SortFunc(calls, func(a, b Call) int { return cmp.Compare(a.N, b.N) })
	return calls
}

// Counters returns a copy of the counters.
func (s *Server) Counters() Counters {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	c := s.record.counters
	c.Commands, c.Codes, c.Statuses, c.Seconds = maps.Clone(c.Commands), maps.Clone(c.Codes), maps.Clone(c.Statuses), maps.Clone(c.Seconds)
	return c
}
