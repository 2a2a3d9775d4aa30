package schedule_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

// errKilled is what the calls of a batch get whose process was killed: it must not do anything any more.
var errKilled = errors.New("the process was killed")

// callKind is an external call of a batch.
type callKind string

const (
	callPage      callKind = "page"
	callGroup     callKind = "group"
	callSign      callKind = "sign"
	callFetch     callKind = "fetch" // of a file
	callGet       callKind = "get"
	callHead      callKind = "head"
	callCreate    callKind = "create"
	callOverwrite callKind = "overwrite"
	callContinue  callKind = "continue"
)

func (k callKind) writes() bool {
	return k == callCreate || k == callOverwrite || k == callContinue
}

// simAnswer is what the schedule decides about a call.
type simAnswer struct {
	killed bool
	left   bool           // the caller's context ended before the schedule let the call go
	chat   *chatemu.Fault // of the Chat service
	store  memstore.Fault
	refuse bool // continue: nothing is published, an error is told
	err    error
}

// simCall is a call that waits for its turn.
type simCall struct {
	flight *flight
	kind   callKind
	key    string
	decide chan simAnswer
	left   bool
}

func (c *simCall) String() string { return fmt.Sprintf("b%d %s %s", c.flight.n, c.kind, c.key) }

// gate is where all calls of all batches wait, so that exactly one of them is under way at a time.
type gate struct {
	mu      sync.Mutex
	waiting []*simCall
	bell    chan struct{}
}

// pass waits for the schedule. A call whose context ends meanwhile leaves; whether it still takes effect is the
// schedule's to say, too.
func (g *gate) pass(ctx context.Context, f *flight, kind callKind, key string) simAnswer {
	c := &simCall{flight: f, kind: kind, key: key, decide: make(chan simAnswer, 1)}
	g.mu.Lock()
	if f.dead {
		g.mu.Unlock()
		return simAnswer{killed: true}
	}
	g.waiting = append(g.waiting, c)
	g.mu.Unlock()
	g.ring()
	select {
	case a := <-c.decide:
		return a
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		c.left = true
		return simAnswer{left: true, killed: f.dead, err: context.Cause(ctx)}
	}
}

func (g *gate) ring() {
	select {
	case g.bell <- struct{}{}:
	default:
	}
}

// calls returns the waiting calls in an order that depends on nothing but what they are.
func (g *gate) calls() []*simCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(c *simCall) bool { return c.left })
	slices.SortFunc(g.waiting, func(a, b *simCall) int {
		return cmp.Or(a.flight.n-b.flight.n, cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key))
	})
	return slices.Clone(g.waiting)
}

// release lets a call go. It reports false for a call that has left meanwhile.
func (g *gate) release(c *simCall, a simAnswer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.left {
		return false
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(w *simCall) bool { return w == c })
	c.decide <- a
	return true
}

// kill ends a batch as the end of its process does: nothing that it has not done yet happens.
func (g *gate) kill(f *flight) {
	g.mu.Lock()
	f.dead = true
	g.waiting = slices.DeleteFunc(g.waiting, func(c *simCall) bool {
		if c.flight == f && !c.left {
			c.decide <- simAnswer{killed: true}
			return true
		}
		return false
	})
	g.mu.Unlock()
	f.cancel()
}

// flight is one delivery of an event being served: one batch.
type flight struct {
	sim    *sim
	n      int
	event  *simEvent
	began  time.Time
	ends   time.Time // of its context
	cancel context.CancelFunc
	dead   bool // killed; guarded by the gate

	passed    bool // it has made a call beyond the lease
	ended     bool // guarded by the gate
	endedAt   time.Time
	result    export.Result
	err       error
	storeDate time.Time // the first date that the store told
	lost      bool      // another batch's chunk stood in the way, written after this batch began
	own       int       // chunks of its own that it found under a taken name
	leftovers int       // chunks of others that it went on behind
	sameBytes int       // files that were stored already
	taken     int       // receipts that were stored already
	pages     int
	receipts  int      // that there were when it began
	listed    chat.Seq // how far the manifests reached when it began
}

// simSource is the Chat service as a batch meets it: the production client on the emulator, behind the gate.
type simSource struct{ *flight }

func (s simSource) Page(ctx context.Context, q chat.Query) (chat.Page, error) {
	done, err := s.ask(ctx, callPage, fmt.Sprintf("%d/%d", q.Seq, q.Number))
	if err != nil {
		return chat.Page{}, err
	}
	defer done()
	s.pages++
	return s.sim.client.Page(ctx, q)
}

func (s simSource) Group(ctx context.Context, stream chat.Stream) (chat.Facts, error) {
	done, err := s.ask(ctx, callGroup, "")
	if err != nil {
		return chat.Facts{}, err
	}
	defer done()
	return s.sim.client.Group(ctx, stream)
}

// ask is the gate before the Chat service; what it returns is called after the answer.
func (f *flight) ask(ctx context.Context, kind callKind, key string) (func(), error) {
	a := f.sim.gate.pass(ctx, f, kind, key)
	switch {
	case a.killed:
		return nil, errKilled
	case a.left:
		return nil, a.err
	case a.chat == nil:
		return func() {}, nil
	}
	f.sim.chat.SetFault(chatemu.FaultIf(func(chatemu.Call) bool { return true }, *a.chat))
	return func() { f.sim.chat.SetFault(nil) }, nil
}

// hook is the gate before the store.
func (f *flight) hook(ctx context.Context, c memstore.Call) (memstore.Fault, error) {
	kind := map[memstore.Op]callKind{
		memstore.OpGet: callGet, memstore.OpHead: callHead, memstore.OpCreate: callCreate, memstore.OpOverwrite: callOverwrite,
	}[c.Op]
	a := f.sim.gate.pass(ctx, f, kind, shortKey(c.Key))
	switch {
	case a.killed:
		return memstore.Fault{}, errKilled
	case a.left && kind.writes():
		// The request may be on its way: the schedule decides whether it arrives.
		return memstore.Fault{
			Later: f.sim.mayArrive(f, string(kind)+" "+shortKey(c.Key)), Err: errors.Join(objstore.ErrUnknown, a.err),
		}, nil
	case a.left:
		return memstore.Fault{}, a.err
	}
	return a.store, nil
}

func shortKey(key string) string {
	key = strings.TrimSuffix(strings.TrimSuffix(key, ".json"), ".ndjson.gz")
	return key[:2] + key[strings.LastIndexByte(key, '/'):]
}

// simRequeuer is the queue as a batch meets it.
type simRequeuer struct{ *flight }

func (r simRequeuer) Continue(ctx context.Context, _ chat.Stream, next []byte) error {
	c := decoded(r.sim.t, next)
	a := r.sim.gate.pass(ctx, r.flight, callContinue, fmt.Sprint(c.Cursor))
	switch {
	case a.killed:
		return errKilled
	case a.left || a.refuse:
		return fmt.Errorf("publish: %w", cmp.Or(a.err, errors.New("refused by the schedule")))
	}
	r.sim.publish(r.flight, c)
	return a.err
}

// simStore notes what a batch hears from the store, to know when it must know that another one is alive.
type simStore struct {
	*memstore.View
	*flight

	mu   sync.Mutex // files are stored side by side
	race string     // chunk whose name was taken
}

func (s *simStore) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	body, o, err := s.View.Get(ctx, key)
	s.heard(o, err)
	return body, o, err
}

func (s *simStore) Head(ctx context.Context, key string) (objstore.Object, error) {
	o, err := s.View.Head(ctx, key)
	s.heard(o, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && key == s.race {
		switch {
		case s.sim.chain.writer(key) == s.name():
			s.own++
		case o.LastModified.After(s.storeDate) && (s.event.cont == nil || o.Metadata["writer"] != s.event.cont.Writer):
			s.lost = true
		default:
			s.leftovers++
		}
		s.race = ""
	}
	return o, err
}

func (s *simStore) Create(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	o, err := s.View.Create(ctx, key, w)
	s.heard(o, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, objstore.ErrExist) || errors.Is(err, objstore.ErrUnknown) {
		switch {
		case strings.HasPrefix(key, layout.DataPrefix):
			s.race = key
		case blobOf(key) != "":
			s.sameBytes++
		case strings.HasPrefix(key, layout.MediaPrefixRoot), strings.HasPrefix(key, layout.ChangePrefixRoot):
			s.taken++
		}
	}
	return o, err
}

func (s *simStore) Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	o, err := s.View.Overwrite(ctx, key, w)
	s.heard(o, err)
	return o, err
}

func (s *simStore) heard(o objstore.Object, err error) {
	if failure, ok := errors.AsType[*objstore.Error](err); ok {
		o.Date = failure.Date
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.storeDate.IsZero() {
		s.storeDate = o.Date
	}
}

func (f *flight) name() string { return fmt.Sprintf("b%d", f.n) }
