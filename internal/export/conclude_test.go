package export_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

var errDown = errors.New("the service is down")

// ending is a row of README.md's table of what ends a batch.
type ending struct {
	name    string
	turn    turn
	prepare func(s *scene, o *turn) // on top of the turn

	outcome export.Outcome // of a success; empty for an error
	status  string         // of the state
	code    string         // of the error in the state and of the result
	handed  int            // continuations that are published
	lease   time.Duration  // how long the state's lease lasts; negative if it is over
	stands  bool           // a tick ends in the same way; else the event, delivered again or handed on, makes the archive whole
}

func endings() []ending {
	chunk := func(s *scene, f memstore.Fault) func(memstore.Call) memstore.Fault {
		return once(memstore.OpCreate, layout.Chunk(s.stream, 101), func() memstore.Fault { return f })
	}
	fails := func(seq chat.Seq) func(chat.Query) error { // from a page on
		return func(q chat.Query) error {
			if q.Seq > seq && q.Seq != 1000 {
				return errDown
			}
			return nil
		}
	}
	running, failed := archive.StatusRunning, archive.StatusFailed
	return []ending{
		{name: "the head is reached", outcome: export.Complete, status: archive.StatusComplete},
		{name: "time is up", turn: part(), outcome: export.Continued, status: running, handed: 1, lease: 10 * time.Minute},
		{name: "the source fails behind a page", turn: turn{ask: fails(160)}, outcome: export.Continued, status: running, handed: 1, lease: 10 * time.Minute},
		{name: "a chunk is refused behind another", outcome: export.Continued, status: running, handed: 1, lease: 10 * time.Minute, prepare: func(s *scene, o *turn) {
			o.before = at(memstore.OpCreate, layout.Chunk(s.stream, 151), memstore.Fault{Lost: true, Err: errDown})
		}},
		{name: "another holds the lease", outcome: export.AlreadyRunning, status: archive.StatusComplete, lease: time.Minute, prepare: func(s *scene, _ *turn) {
			state := s.state()
			state.Lease = &archive.Lease{Owner: "another", Until: time.Now().Add(time.Minute)}
			s.setState(state)
		}},
		{name: "another wrote the next chunk", outcome: export.LostRace, status: archive.StatusComplete, prepare: func(s *scene, o *turn) {
			o.before = once(memstore.OpCreate, layout.DataPrefix, func() memstore.Fault {
				time.Sleep(1100 * time.Millisecond)
				s.done(export.Complete, turn{owner: "event"})
				return memstore.Fault{}
			})
		}},
		{name: "too many batches", turn: part(), outcome: export.HopLimit, status: failed, code: "hop_limit", prepare: func(_ *scene, o *turn) {
			o.cont = &export.Continuation{Cursor: 101, After: 51, Head: 1000, Run: archive.NewRunID(time.Now()), Hop: 100}
		}},
		{name: "the last batch but one", turn: part(), outcome: export.Continued, status: running, handed: 1, lease: 10 * time.Minute, prepare: func(_ *scene, o *turn) {
			o.cont = &export.Continuation{Cursor: 101, After: 51, Head: 1000, Run: archive.NewRunID(time.Now()), Hop: 99}
		}},
		{name: "gone", outcome: archive.StatusGone, status: archive.StatusGone, code: "10010", stands: true, prepare: func(s *scene, _ *turn) { s.dissolve() }},
		{name: "unsupported", outcome: archive.StatusUnsupported, status: archive.StatusUnsupported, code: "10007", prepare: func(s *scene, _ *turn) {
			s.chat.SetFault(failing("group_msg_get_simple", chatemu.Fault{ErrorCode: 10007}))
		}},
		{name: "damaged", outcome: archive.StatusDamaged, status: archive.StatusDamaged, code: "foreign_object", stands: true, prepare: func(s *scene, _ *turn) {
			s.put(layout.Chunk(s.stream, 101), text("not ours"))
		}},
		{name: "of another app", outcome: archive.StatusMismatch, status: archive.StatusMismatch, code: "sdkappid", turn: turn{change: func(e *export.Engine, _ *export.Request) {
			e.Limits.SDKAppID++
		}}},
		{name: "recreated", outcome: archive.StatusRecreated, status: archive.StatusRecreated, code: "recreated", stands: true, prepare: func(s *scene, _ *turn) {
			s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID}))
		}},
		{name: "a versioned bucket", outcome: export.Outcome(failed), status: failed, code: "versioned_bucket", prepare: func(s *scene, o *turn) {
			versioned := false
			o.before = func(c memstore.Call) memstore.Fault {
				if versioned && c.Op == memstore.OpCreate {
					s.Errorf("%s is written to a versioned bucket", c.Key)
				}
				versioned = versioned || c.Op == memstore.OpCreate
				if c.Op == memstore.OpCreate {
					return memstore.Fault{Lost: true, Err: objstore.ErrVersioned}
				}
				return memstore.Fault{}
			}
		}},
		{name: "time is over before a page", turn: turn{request: 1900 * time.Millisecond}, status: archive.StatusComplete, code: "no_progress"},
		{name: "a page takes too long", turn: turn{limit: 3 * time.Second, page: 2500 * time.Millisecond}, status: archive.StatusComplete, code: "network"},
		{name: "the deadline has passed", turn: turn{limit: 3 * time.Second, page: 4 * time.Second}, status: archive.StatusComplete, lease: -time.Second},
		{name: "the source is down", turn: turn{ask: fails(0)}, status: archive.StatusComplete, code: "error"},
		{name: "a chunk is refused", status: archive.StatusComplete, code: "network", prepare: func(s *scene, o *turn) {
			o.before = chunk(s, memstore.Fault{Lost: true, Err: errDown})
		}},
		{name: "a manifest is refused", status: running, code: "network", prepare: func(s *scene, o *turn) {
			o.before = at(memstore.OpCreate, layout.Manifest(s.stream, 101), memstore.Fault{Lost: true, Err: errDown})
		}},
		{name: "the queue refuses", turn: turn{limit: 3 * time.Second, page: 200 * time.Millisecond, handOver: func(export.Continuation) error { return errDown }}, status: running, code: "error"},
	}
}

// Where a batch ends: what the platform, the queue and the state are told, and who goes on with the run.
func TestConclude_EndsEveryBatch(t *testing.T) {
	t.Parallel()
	for _, e := range endings() {
		act(t, e.name, 0, func(s *scene) {
			s.must(s.chat.Recreate(chatemu.Group{ID: s.stream.GroupID, CreateTime: 1_600_000_000}))
			s.grow(old(100)...)
			s.tick()
			s.grow(old(900)...)
			e.turn.owner = "event"
			if e.prepare != nil {
				e.prepare(s, &e.turn)
			}
			r, err := s.batch(e.turn)
			s.chat.SetFault(nil)
			s.told(e, r, err)
			if e.stands {
				s.stands(e.status, e.code)
				return
			}
			frontier := s.state().Frontier
			if e.outcome == export.AlreadyRunning {
				time.Sleep(2 * e.lease)
			}
			if e.handed > 0 {
				s.finish()
			} else if next := s.done(export.Complete, turn{}); next.Lo != frontier || e.outcome == export.HopLimit && next.Run == r.Run {
				s.Errorf("the next tick begins at %d, want %d", next.Lo, frontier)
			}
			s.whole()
		})
	}
}

// told proves what a batch that has ended tells.
func (s *scene) told(want ending, r export.Result, err error) {
	s.Helper()
	state := s.state()
	type told struct {
		Outcome      export.Outcome
		Failed       bool
		Status, Code string
		Handed       int
		Lease        time.Duration
	}
	got := told{Outcome: r.Outcome, Failed: err != nil, Status: state.Status, Handed: len(s.queue)}
	if state.Error != nil {
		got.Code = state.Error.Code
	}
	if state.Lease != nil {
		got.Lease = time.Until(state.Lease.Until).Round(time.Second)
	}
	is := told{want.outcome, want.outcome == "", want.status, want.code, want.handed, want.lease}
	if diff := cmp.Diff(is, got); diff != "" {
		s.Errorf("the batch ends with %v (-want +got):\n%s", err, diff)
	}
	if got.Handed > 0 && string(r.Next) != string(s.encoded(&s.queue[0])) || got.Handed == 0 && r.Next != nil {
		s.Errorf("the result has the continuation %s, the queue %v", r.Next, s.queue)
	}
	if got.Code != "" && (r.Code != got.Code && r.Outcome != export.HopLimit || state.Error.Text == "") {
		s.Errorf("the result has code %q, the state %+v", r.Code, state.Error)
	}
}

// Without progress nothing is published, however often the event is delivered.
func TestConclude_WithoutProgressHandsNothingOn(t *testing.T) {
	play(t, 200, func(s *scene) {
		down := turn{owner: "event", ask: func(q chat.Query) error {
			if q.Seq == 0 || q.Seq == 20 {
				return nil // the newest page and the first one, so that there is a frontier
			}
			return errDown
		}}
		s.begun(down) // the first page is progress
		time.Sleep(time.Hour)
		for range 5 {
			if _, err := s.fails(down); !errors.Is(err, errDown) {
				s.Fatalf("the batch ends with %v", err)
			}
			time.Sleep(time.Minute)
		}
		_, _ = s.fails(turn{owner: "event", limit: 3 * time.Second, page: 4 * time.Second})
		s.done(export.Complete, turn{owner: "event"})
		s.whole()
	})
}

// The order of writes is the design: what each of them promises is stored before it.
func TestConclude_OrderOfWrites(t *testing.T) {
	play(t, 60, func(s *scene) {
		var writes []string
		s.done(export.Complete, turn{before: func(c memstore.Call) memstore.Fault {
			if c.Write != nil {
				writes = append(writes, string(c.Op)+" "+c.Key)
			}
			return memstore.Fault{}
		}})
		state := "overwrite " + layout.State(s.stream)
		if diff := cmp.Diff([]string{
			state, "create " + layout.Genesis(s.stream), "create " + layout.Chunk(s.stream, 1), "create " + layout.Chunk(s.stream, 51),
			"create " + layout.Manifest(s.stream, 1), state,
		}, writes); diff != "" {
			s.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}

// refusals are answers that say nothing about whether an object exists.
func refusals() []error {
	return []error{objstore.ErrDenied, objstore.ErrNoBucket, objstore.ErrCorrupt, errors.New("something new")}
}

func TestConclude_RefusedReadIsNeverAFreshStart(t *testing.T) {
	t.Parallel()
	for _, refusal := range refusals() {
		for _, read := range []struct {
			begun bool
			op    memstore.Op
			key   func(chat.Stream) string
		}{
			{false, memstore.OpGet, layout.State},
			{false, memstore.OpGet, layout.Genesis},
			{false, memstore.OpGet, func(s chat.Stream) string { return layout.Manifest(s, 1) }},
			{true, memstore.OpGet, layout.State},
			{true, memstore.OpGet, layout.Genesis},
			{true, memstore.OpHead, func(s chat.Stream) string { return layout.Chunk(s, 101) }},
		} {
			act(t, fmt.Sprintf("%v, %s %s", refusal, read.op, read.key(chat.Stream{GroupID: "g"})), 150, func(s *scene) {
				if read.begun {
					s.tick()
					s.grow(old(50)...)
				}
				key := read.key(s.stream)
				var was, is archive.State
				if read.begun {
					was = s.state()
				}
				s.writesOnly(func() {
					_, err := s.fails(turn{before: at(read.op, key, memstore.Fault{Lost: true, Err: refusal})})
					if failure, ok := errors.AsType[*objstore.Error](err); !ok || failure.Key != key || !errors.Is(err, refusal) {
						s.Errorf("the batch ended with %v, want the refusal", err)
					}
				})
				if untold := strings.HasPrefix(key, layout.StatePrefix); read.begun || !untold {
					if is = s.state(); untold && is.UpdatedAt != was.UpdatedAt || is.Frontier != was.Frontier || is.After != was.After {
						s.Errorf("the state was %+v and is %+v", was, is)
					}
				} else if _, err := s.store.Head(s.Context(), key); err == nil {
					s.Error("a state was written over one that nobody could read")
				}
				s.tick()
				s.whole()
			})
		}
	}
}

// A refused write ends the batch; what was written before it counts, and a later tick finishes.
func TestConclude_RefusedWriteEndsTheBatch(t *testing.T) {
	t.Parallel()
	for _, refusal := range refusals() {
		act(t, refusal.Error(), 150, func(s *scene) {
			for _, key := range []string{layout.State(s.stream), layout.Genesis(s.stream), layout.Chunk(s.stream, 1), layout.Manifest(s.stream, 1)} {
				_, err := s.fails(turn{before: func(c memstore.Call) memstore.Fault {
					if c.Write != nil && c.Key == key {
						return memstore.Fault{Lost: true, Err: refusal}
					}
					return memstore.Fault{}
				}})
				if failure, ok := errors.AsType[*objstore.Error](err); !ok || failure.Key != key || s.exists(key) {
					s.Errorf("%s: the batch ended with %v, want the refusal", key, err)
				}
				if key != layout.State(s.stream) && s.state().Status == archive.StatusComplete {
					s.Errorf("%s: state %+v", key, s.state())
				}
			}
			s.tick()
			s.whole()
		})
	}
}
