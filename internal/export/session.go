package export

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/internal/pull"
)

// errTimeUp means that the time for pulling ended before the head was reached, which is how most batches end.
var errTimeUp = errors.New("time is up")

// session is what does not change while a batch runs, and what it calls through.
type session struct {
	*Engine
	Request
	budget budget
	next   Continuation // what this batch continues; the zero one for a tick
	goesOn bool         // next came with the event, which no lease stops
	runID  string
	hops   int    // batches of the run before this one
	writer string // random, new in every batch: tells an own object from another delivery's

	store  *objstore.Observed
	reader *pull.Reader
}

func newSession(e *Engine, req Request) *session {
	now := time.Now()
	s := &session{Engine: e, Request: req, writer: randomHex(), runID: archive.NewRunID(now)}
	if c := req.continuation(); c != nil {
		s.next, s.goesOn = *c, true
	}
	s.hops = s.next.Hop
	if s.next.Run != "" {
		s.runID = s.next.Run
	}
	s.budget = newBudget(now, req.Deadline, e.Writes.Slowest())
	s.store = objstore.Observe(e.Store, e.Writes)
	s.reader = &pull.Reader{
		Source: e.Source, Caller: e.Caller.Fork(), Stream: req.Stream, Concurrency: e.Limits.Concurrency, Log: req.Log,
	}
	if req.Concurrency > 0 {
		s.reader.Concurrency = req.Concurrency
	}
	return s
}

func randomHex() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(raw[:])
}

// earlier returns the writers of the batches that worked on the same before this one.
func (s *session) earlier() []string {
	if s.next.Writer == "" {
		return s.Predecessors
	}
	return append(slices.Clone(s.Predecessors), s.next.Writer)
}

// timeIsUp reports whether nothing should be begun any more. Writes that turn out slower than expected bring that
// forward.
func (s *session) timeIsUp() bool {
	now := time.Now()
	return !now.Before(s.budget.lastStart) || !now.Before(newBudget(s.budget.start, s.budget.deadline, s.Writes.Slowest()).lastStart)
}

// void is a range of the stream that holds nothing retained up to known.
func (s *session) void(from, known, head chat.Seq) pull.Void {
	return pull.Void{From: from, Known: known, Head: head, Exhaustive: s.Limits.Exhaustive, End: s.budget.pullEnd}
}

// evidence is why everything from a seq up to the floor is taken for expired.
func evidence(f pull.Floor, from chat.Seq) string {
	switch {
	case f.First == from:
		return archive.EvidenceNone
	case f.Proved:
		return archive.EvidenceFinished
	default:
		return archive.EvidenceProbe
	}
}
