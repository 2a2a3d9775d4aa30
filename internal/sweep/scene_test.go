package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/retry"
)

// scene is a sweeper among stand-ins of everything that it meets. Its time is virtual.
type scene struct {
	*Sweeper

	t       *testing.T
	groups  []chat.Facts
	topics  map[string][]chat.Facts
	engine  func(export.Request) (export.Result, error)
	store   *memstore.Store
	corrupt map[string]bool // keys whose objects cannot be read
	slow    time.Duration   // what a request to the store takes

	mu     sync.Mutex
	gets   int
	sweeps []Continuation
	lanes  []Continuation
	queue  platform
	logs   strings.Builder
}

func inScene(t *testing.T, f func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(noon()))
		s := &scene{t: t, store: memstore.New(memstore.Options{}), corrupt: make(map[string]bool)}
		s.Sweeper = &Sweeper{
			Directory: s, Engine: s, Publisher: s, Caller: chatapi.NewCaller(retry.NewLimiter(50)), ListPace: retry.NewLimiter(ListQPS),
			Writes:   new(objstore.WriteTimes),
			Settings: Settings{QPS: 50, MaxHops: 10_000, Concurrency: 16, Retention: week},
		}
		s.Store = s.store.View("sweep", func(ctx context.Context, c memstore.Call) (memstore.Fault, error) {
			s.mu.Lock()
			if c.Op == memstore.OpGet {
				s.gets++
			}
			s.mu.Unlock()
			if dead, lost := s.queue.meet(ctx, c.Write != nil); dead {
				return memstore.Fault{Lost: lost, Err: errDead}, nil
			}
			if s.corrupt[c.Key] && c.Op == memstore.OpGet {
				return memstore.Fault{Err: objstore.ErrCorrupt}, nil
			}
			return memstore.Fault{}, retry.Sleep(ctx, s.slow)
		})
		f(s)
	})
}

func (s *scene) GroupIDs(context.Context, uint64, int, string) ([]string, uint64, error) {
	ids := make([]string, len(s.groups))
	for n := range s.groups {
		ids[n] = s.groups[n].GroupID
	}
	return ids, 0, nil
}

func (s *scene) GroupInfos(_ context.Context, ids []string) ([]chat.Facts, error) {
	byID := make(map[string]chat.Facts, len(s.groups))
	for _, g := range s.groups {
		byID[g.GroupID] = g
	}
	infos := make([]chat.Facts, len(ids))
	for n, id := range ids {
		infos[n] = byID[id]
	}
	return infos, nil
}

func (s *scene) Topics(_ context.Context, id string) ([]chat.Facts, error) { return s.topics[id], nil }

func (s *scene) Run(_ context.Context, req export.Request) (export.Result, error) {
	return s.engine(req)
}

func (s *scene) ContinueSweep(ctx context.Context, spec Spec, next []byte) error {
	dead, lost := s.queue.meet(ctx, true)
	if lost {
		return errDead
	}
	s.queue.push(event{spec: spec, next: next})
	c, ok := parseContinuation(next)
	if !ok {
		return errors.New("not a continuation")
	}
	var err error
	if dead {
		err = errDead
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Batch != nil {
		s.lanes = append(s.lanes, c)
	} else {
		s.sweeps = append(s.sweeps, c)
	}
	return err
}

func (s *scene) request(owner string, limit time.Duration) Request {
	return Request{Owner: owner, Deadline: time.Now().Add(limit), Log: zerolog.New(&s.logs)}
}

// sweep does one batch of a sweep within the platform's time limit.
func (s *scene) sweep(c *Continuation, owner string, limit time.Duration) (Summary, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	var next []byte
	if c != nil {
		var err error
		if next, err = json.Marshal(c); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.Sweeper.Run(ctx, Spec{}, next, s.request(owner, limit))
}

// planned does a sweep of one batch, which must find something to do.
func (s *scene) planned() Summary {
	s.t.Helper()
	sum, err := s.sweep(nil, time.Now().String(), time.Minute)
	if err != nil || sum.Outcome != Planned {
		s.t.Fatalf("sweep: %q, %v", sum.Outcome, err)
	}
	return sum
}

// batch does the last published batch of a lane.
func (s *scene) batch(limit time.Duration) Summary {
	s.t.Helper()
	sum, err := s.sweep(&s.lanes[len(s.lanes)-1], "lane", limit)
	if err != nil {
		s.t.Fatalf("lane: %v", err)
	}
	return sum
}

// write stores an object of a sweep.
func (s *scene) write(key string, w objstore.Write, err error) {
	s.t.Helper()
	if err == nil {
		_, err = s.store.Overwrite(s.t.Context(), key, w)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// batchOf returns a batch of a sweep.
func (s *scene) batchOf(id string) *survey {
	return &survey{stint: s.stint(Spec{}, id, s.request("survey", time.Minute)), seen: newSnapshot()}
}

// based makes a sweep the last that was planned. The records are in order.
func (s *scene) based(id string, known ...record) {
	s.t.Helper()
	key := func(piece int) string { return layout.SweepKnown(id, piece) }
	if err := writePieces(s.t.Context(), s.shelf(), id, key, knownRecords, inOrder(known)); err != nil {
		s.t.Fatal(err)
	}
	s.point(pointer{Base: base{ID: id}})
}

// point stores a pointer.
func (s *scene) point(p pointer) {
	s.t.Helper()
	p.Format = format
	w, err := encodeJSON(p)
	s.write(layout.SweepLatest(), w, err)
}

// known returns what a sweep knew.
func (s *scene) known(id string) []record {
	s.t.Helper()
	var known []record
	for r, err := range s.memory(id).known(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		known = append(known, r)
	}
	return known
}

// memory is what the next sweep begins with.
func (s *scene) memory(id string) *memory {
	return &memory{s.shelf(), id, func(string, error) {}}
}

// knows reports whether a sweep knew a group.
func (s *scene) knows(id, group string) bool {
	s.t.Helper()
	return slices.ContainsFunc(s.known(id), func(r record) bool { return r.GroupID == group })
}

// result returns what is in a result.
func (s *scene) result(id string, batch int) (h header, done []record, opens []open) {
	s.t.Helper()
	h, others, _, err := readLines[resultLine](s.t.Context(), s.shelf(), layout.SweepResult(id, batch))
	if err != nil {
		s.t.Fatal(err)
	}
	for line, err := range others {
		switch {
		case err != nil:
			s.t.Fatal(err)
		case line.Done != nil:
			done = append(done, *line.Done)
		default:
			opens = append(opens, *line.Open)
		}
	}
	return h, done, opens
}
