package export_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/retry"
)

const (
	appID     = 1400000000
	secretKey = "key of the scene's app, 32 bytes"

	// manyCalls a second are so many that nobody waits.
	manyCalls = 1e9
)

// scene is one group with its archive and queue, for tests that choose themselves what happens between two calls: the
// production engine and Chat client on the emulated service and a store in memory. It lives in a testing/synctest bubble:
// nothing takes time but what the test lets take time.
type scene struct {
	*testing.T
	stream  chat.Stream
	chat    *chatemu.Server
	client  *chatapi.Client
	store   *memstore.Store
	batches int // so far
	queue   []export.Continuation
	tampers bool // the test itself changes what is write-once
}

// turn is what a test does with one batch. The zero value lets it run undisturbed.
type turn struct {
	owner string // of the event; another one each time if empty
	cont  *export.Continuation
	known *export.Known
	keep  bool          // the continuation is left to the caller, as a sweep does
	span  chat.Seq      // 50 if 0
	limit time.Duration // 10 s if 0
	dies  time.Duration // after so long, the process is killed; never if 0

	page    time.Duration        // what a page takes
	request time.Duration        // what a request of the store takes
	writes  *objstore.WriteTimes // that the process remembers

	// change is what else is to be another.
	change func(*export.Engine, *export.Request)
	// before runs before each call of the store takes effect.
	before func(memstore.Call) memstore.Fault
	// handOver runs before a continuation is accepted.
	handOver func(export.Continuation) error
	// ask runs before each page is asked for.
	ask func(chat.Query) error
}

// part lets a batch do a part of a run only: some 12 pages.
func part() turn { return turn{limit: 3 * time.Second, page: 200 * time.Millisecond} }

// play runs a test on a scene of its own, a group with so many old messages.
func play(t *testing.T, messages int, f func(s *scene)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		s := &scene{T: t, stream: chat.Stream{GroupID: "@TGS#scene"}}
		s.chat = chatemu.New(chatemu.Options{SDKAppID: appID, SecretKey: secretKey})
		var err error
		s.client, err = chatapi.New(chatapi.Config{SDKAppID: appID, SecretKey: config.NewSecret(secretKey), BaseURL: "http://127.0.0.1", Transport: s.chat.RoundTripper()})
		s.must(err)
		s.store = memstore.New(memstore.Options{
			Lag:       time.Hour,
			Immutable: func(key string) bool { return !strings.HasPrefix(key, layout.StatePrefix) },
			Violation: func(key, what string) {
				if !s.tampers {
					s.Errorf("write-once key %s was %s", key, what)
				}
			},
		})
		s.must(s.chat.AddGroup(chatemu.Group{ID: s.stream.GroupID, CreateTime: time.Now().Add(-24 * time.Hour).Unix()}))
		s.grow(old(messages)...)
		f(s)
	})
}

// act is play for a subtest.
func act(t *testing.T, name string, messages int, f func(s *scene)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { play(t, messages, f) })
}

// must fails the test on an error that it is not about.
func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// old are messages that are too old to be settling.
func old(n int) []chatemu.Message {
	messages := make([]chatemu.Message, n)
	for i := range messages {
		messages[i].Time = time.Now().Add(-time.Hour).Unix()
	}
	return messages
}

func (s *scene) grow(messages ...chatemu.Message) {
	s.Helper()
	s.must(s.chat.Append(s.stream, messages...))
}

// generate adds old messages that are made when they are read, for groups of any length.
func (s *scene) generate(n int, f func(chat.Seq) chatemu.Message) {
	s.Helper()
	if n == 0 {
		return
	}
	hourAgo := time.Now().Add(-time.Hour).Unix()
	s.must(s.chat.Generate(s.stream, n, func(seq chat.Seq) chatemu.Message {
		m := f(seq)
		m.Time = hourAgo
		return m
	}))
}

// plain makes ordinary short messages.
func plain(chat.Seq) chatemu.Message { return chatemu.Message{From: "user1"} }

// except makes ordinary messages but for those of a kind that in says.
func except(kind chatemu.Kind, in func(chat.Seq) bool) func(chat.Seq) chatemu.Message {
	return func(seq chat.Seq) chatemu.Message {
		m := plain(seq)
		if in(seq) {
			m.Kind = kind
		}
		return m
	}
}

// between tells the seqs of [lo, hi].
func between(lo, hi chat.Seq) func(chat.Seq) bool {
	return func(seq chat.Seq) bool { return lo <= seq && seq <= hi }
}

// expire lets everything below a seq expire.
func (s *scene) expire(floor chat.Seq) {
	s.Helper()
	s.must(s.chat.SetFloor(s.stream, floor))
}

// newest returns the newest seq that was ever allotted.
func (s *scene) newest() chat.Seq {
	s.Helper()
	_, newest, err := s.chat.Bounds(s.stream)
	s.must(err)
	return newest
}

// batch serves one event.
func (s *scene) batch(o turn) (export.Result, error) {
	s.Helper()
	s.batches++
	name := fmt.Sprintf("batch %d", s.batches)
	o.owner, o.span, o.limit = cmp.Or(o.owner, name), cmp.Or(o.span, 50), cmp.Or(o.limit, 10*time.Second)
	engine := s.engine(name, o)
	ctx, cancel := context.WithTimeout(s.Context(), o.limit)
	defer cancel()
	if o.dies > 0 {
		defer time.AfterFunc(o.dies, cancel).Stop()
	}
	req := export.Request{
		Stream: s.stream, Continuation: s.encoded(o.cont), Owner: o.owner, RequestID: name,
		Deadline: time.Now().Add(o.limit), Log: zerolog.Nop(), Known: o.known, Keep: o.keep,
	}
	if o.change != nil {
		o.change(engine, &req)
	}
	return engine.Run(ctx, req)
}

func (s *scene) engine(name string, o turn) *export.Engine {
	return &export.Engine{
		Source: sceneSource{s, o}, Requeuer: sceneQueue{s, o}, Caller: chatapi.NewCaller(retry.NewLimiter(manyCalls)),
		Writes: cmp.Or(o.writes, new(objstore.WriteTimes)), Store: s.store.View(name, o.hook),
		Limits: export.Limits{SDKAppID: appID, Span: o.span, ChunkBytes: 1 << 20, MaxHops: 100, Concurrency: 1},
	}
}

// done is batch for one that must succeed with an outcome.
func (s *scene) done(want export.Outcome, o turn) export.Result {
	s.Helper()
	result, err := s.batch(o)
	if err != nil || result.Outcome != want {
		s.Fatalf("the batch ends with %q, %v, want %q", result.Outcome, err, want)
	}
	return result
}

// tick is done for an undisturbed batch that finishes its run.
func (s *scene) tick() export.Result {
	s.Helper()
	return s.done(export.Complete, turn{})
}

// fails is batch for one that must not succeed, nor hand anything on.
func (s *scene) fails(o turn) (export.Result, error) {
	s.Helper()
	result, err := s.batch(o)
	if err == nil || len(s.queue) > 0 {
		s.Fatalf("the batch ends with %q, and hands on %v", result.Outcome, s.queue)
	}
	return result, err
}

// begun is done for a batch that must hand on; what it published is left to the test.
func (s *scene) begun(o turn) *export.Continuation {
	s.Helper()
	s.done(export.Continued, o)
	next := s.queue[0]
	s.queue = nil
	return &next
}

// through serves an event and, one after the other, its continuations, all as o says, until nothing is handed on any more.
// Where a batch fails, its event is delivered again.
func (s *scene) through(o turn) (last export.Result, batches, failed int) {
	s.Helper()
	o.owner, o.writes = cmp.Or(o.owner, "event"), new(objstore.WriteTimes)
	for batches = 1; batches < 100; batches++ {
		result, err := s.batch(o)
		switch {
		case err != nil:
			failed++
			s.Logf("batch %d: %v", batches, err)
			time.Sleep(time.Minute)
		case result.Outcome != export.Continued:
			return result, batches, failed
		default:
			next := s.queue[0]
			s.queue, o.cont = nil, &next
		}
	}
	s.Fatal("the run does not end")
	return last, batches, failed
}

// finish serves what waits in the queue.
func (s *scene) finish() {
	s.Helper()
	for len(s.queue) > 0 {
		next := s.queue[0]
		s.queue = s.queue[1:]
		s.through(turn{cont: &next})
	}
}

// encoded is what the queue sees of a continuation.
func (s *scene) encoded(c *export.Continuation) []byte {
	s.Helper()
	if c == nil {
		return nil
	}
	raw, err := json.Marshal(c)
	s.must(err)
	return raw
}

type sceneSource struct {
	*scene
	turn
}

// Page implements export.Source.
func (s sceneSource) Page(ctx context.Context, q chat.Query) (chat.Page, error) {
	if s.ask != nil {
		if err := s.ask(q); err != nil {
			return chat.Page{}, err
		}
	}
	time.Sleep(s.turn.page)
	return s.client.Page(ctx, q)
}

// Group implements export.Source.
func (s sceneSource) Group(ctx context.Context, stream chat.Stream) (chat.Facts, error) {
	return s.client.Group(ctx, stream)
}

type sceneQueue struct {
	*scene
	turn
}

// Continue implements export.Requeuer.
func (q sceneQueue) Continue(_ context.Context, _ chat.Stream, next []byte) error {
	var c export.Continuation
	q.must(json.Unmarshal(next, &c))
	if q.handOver != nil {
		if err := q.handOver(c); err != nil {
			return err
		}
	}
	q.queue = append(q.queue, c)
	return nil
}

func (o turn) hook(_ context.Context, c memstore.Call) (fault memstore.Fault, err error) {
	time.Sleep(o.request)
	if o.before != nil {
		fault = o.before(c)
	}
	return fault, nil
}

// at gives every call of a kind for one key a fault.
func at(op memstore.Op, key string, f memstore.Fault) func(memstore.Call) memstore.Fault {
	return func(c memstore.Call) memstore.Fault {
		if c.Op == op && c.Key == key {
			return f
		}
		return memstore.Fault{}
	}
}

// once does something before the first call of a kind for a key that contains a text.
func once(op memstore.Op, part string, do func() memstore.Fault) func(memstore.Call) memstore.Fault {
	done := false
	return func(c memstore.Call) memstore.Fault {
		if done || c.Op != op || !strings.Contains(c.Key, part) {
			return memstore.Fault{}
		}
		done = true
		return do()
	}
}

// diesAfter loses every call of a batch from the one after its first successful creation of a key, as a kill does.
func diesAfter(key string) func(memstore.Call) memstore.Fault {
	dead := false
	return func(c memstore.Call) memstore.Fault {
		fault := memstore.Fault{Lost: dead}
		dead = dead || c.Op == memstore.OpCreate && c.Key == key
		return fault
	}
}

// failing lets calls of one command of the service fail.
func failing(command string, f chatemu.Fault) chatemu.FaultFunc {
	return chatemu.FaultIf(func(c chatemu.Call) bool { return c.Command == command }, f)
}

const getGroupInfo = "get_group_info"
