package export_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/export"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/retry"
	"chatexport/internal/verify"
)

const (
	simAppID = 1400000000
	simKey   = "key of the scene's app, 32 bytes"

	// manyCalls a second are so many that nobody waits.
	manyCalls = 1e9
)

// scene is one group with its archive and queue, for tests that choose themselves what happens between two calls. It
// belongs into a testing/synctest bubble: then nothing takes time but what the test lets take time.
type scene struct {
	t       *testing.T
	stream  chat.Stream
	chat    *chatemu.Server
	client  *chatapi.Client
	store   *memstore.Store
	limiter *retry.Limiter
	number  int // batches so far

	published []export.Continuation
}

// turn is what a test does with one batch. The zero value lets it run undisturbed.
type turn struct {
	owner string // of the event; another one each time if empty
	cont  *export.Continuation
	known *export.Known
	keep  bool          // the continuation is left to the caller, as a sweep does
	span  chat.Seq      // 50 if 0
	limit time.Duration // 10 s if 0
	// change is what else is to be another in the request.
	change func(*export.Request)
	// before runs before each call of the store takes effect.
	before func(c memstore.Call) memstore.Fault
	// handOver runs before a continuation is accepted.
	handOver func(c export.Continuation) error
	// page runs before each page is asked for.
	page func(q chat.Query) error
}

func newScene(t *testing.T, messages int) *scene {
	t.Helper()
	s := &scene{t: t, stream: chat.Stream{GroupID: "@TGS#scene"}, limiter: retry.NewLimiter(manyCalls)}
	s.chat = chatemu.New(chatemu.Options{SDKAppID: simAppID, SecretKey: simKey})
	var err error
	s.client, err = chatapi.New(chatapi.Config{SDKAppID: simAppID, SecretKey: simKey, BaseURL: "http://127.0.0.1", Transport: s.chat.RoundTripper()})
	must(t, err)
	s.store = memstore.New(memstore.Options{
		Lag:       time.Hour,
		Immutable: func(key string) bool { return !strings.HasPrefix(key, layout.StatePrefix) },
		Violation: func(key, what string) { t.Errorf("write-once key %s was %s", key, what) },
	})
	must(t, s.chat.AddGroup(chatemu.Group{ID: s.stream.GroupID}))
	s.grow(old(messages)...)
	return s
}

func (s *scene) grow(messages ...chatemu.Message) {
	s.t.Helper()
	must(s.t, s.chat.Append(s.stream, messages...))
}

// batch serves one event.
func (s *scene) batch(o turn) (export.Result, error) {
	s.t.Helper()
	s.number++
	name := fmt.Sprintf("batch %d", s.number)
	if o.owner == "" {
		o.owner = name
	}
	if o.span == 0 {
		o.span = 50
	}
	if o.limit == 0 {
		o.limit = 10 * time.Second
	}
	engine := &export.Engine{
		Source: sceneSource{s, o}, Requeuer: sceneQueue{s, o}, Caller: chatapi.NewCaller(s.limiter), Writes: &objstore.WriteTimes{},
		Store: s.store.View(name, func(_ context.Context, c memstore.Call) (memstore.Fault, error) {
			if o.before == nil {
				return memstore.Fault{}, nil
			}
			return o.before(c), nil
		}),
		Limits: export.Limits{SDKAppID: simAppID, Span: o.span, ChunkBytes: 1 << 20, MaxHops: 100, Concurrency: 1},
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), o.limit)
	defer cancel()
	req := export.Request{
		Stream: s.stream, Continuation: encoded(s.t, o.cont), Owner: o.owner, RequestID: name,
		Deadline: time.Now().Add(o.limit), Log: zerolog.Nop(), Known: o.known, Keep: o.keep,
	}
	if o.change != nil {
		o.change(&req)
	}
	return engine.Run(ctx, req)
}

// done is batch for one that must succeed with an outcome.
func (s *scene) done(want export.Outcome, o turn) export.Result {
	s.t.Helper()
	result, err := s.batch(o)
	if err != nil || result.Outcome != want {
		s.t.Fatalf("the batch ends with %q, %v, want %q", result.Outcome, err, want)
	}
	return result
}

// begun is done for a batch that must hand on; what it published is left to the test.
func (s *scene) begun(o turn) *export.Continuation {
	s.t.Helper()
	s.done(export.Continued, o)
	next := s.published[0]
	s.published = nil
	return &next
}

// finish serves the continuations that wait in the queue, one after the other.
func (s *scene) finish() {
	s.t.Helper()
	for len(s.published) > 0 {
		next := s.published[0]
		s.published = s.published[1:]
		if _, err := s.batch(turn{cont: &next}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// whole proves that the archive is sound and holds exactly what is retained, up to the newest message.
func (s *scene) whole() verify.Report {
	s.t.Helper()
	report := s.verify()
	for _, f := range report.Findings {
		s.t.Errorf("verify: %s", f)
	}
	diff, newest := s.compare()
	if !diff.Same() {
		s.t.Errorf("archive: %s", diff.String())
	}
	if report.Hi != newest || report.ListedTo != newest {
		s.t.Errorf("archived up to %d, listed up to %d, the newest message is %d", report.Hi, report.ListedTo, newest)
	}
	return report
}

// compare compares the archive with what is retained, and returns the newest seq, too.
func (s *scene) compare() (verify.Diff, chat.Seq) {
	s.t.Helper()
	truth, newest, err := s.chat.Truth(s.stream)
	must(s.t, err)
	diff, err := verify.Compare(s.t.Context(), s.store, s.stream, func(yield func(chat.Seq, []byte) bool) {
		for r := range truth {
			if r.JSON != nil && r.Class != chat.ClassPlaceholder && !yield(r.Seq, r.JSON) {
				return
			}
		}
	})
	must(s.t, err)
	return diff, newest
}

func (s *scene) verify() verify.Report {
	s.t.Helper()
	report, err := verify.Stream(s.t.Context(), s.store, s.stream, verify.Options{SDKAppID: simAppID})
	must(s.t, err)
	return report
}

// state reads the stream's state as it is stored.
func (s *scene) state() archive.State {
	s.t.Helper()
	body, _, err := s.store.Get(s.t.Context(), layout.State(s.stream))
	must(s.t, err)
	state, err := archive.ParseState(body)
	must(s.t, err)
	return state
}

func (s *scene) setState(state archive.State) {
	s.t.Helper()
	body, err := state.Encode()
	must(s.t, err)
	_, err = s.store.Overwrite(s.t.Context(), layout.State(s.stream), objstore.Write{Body: body})
	must(s.t, err)
}

func (s *scene) exists(key string) bool {
	s.t.Helper()
	_, err := s.store.Head(s.t.Context(), key)
	if err != nil && !errors.Is(err, objstore.ErrNotExist) {
		s.t.Fatal(err)
	}
	return err == nil
}

type sceneSource struct {
	*scene
	turn
}

func (s sceneSource) Page(ctx context.Context, q chat.Query) (chat.Page, error) {
	if s.turn.page != nil {
		if err := s.turn.page(q); err != nil {
			return chat.Page{}, err
		}
	}
	return s.client.Page(ctx, q)
}

func (s sceneSource) Group(ctx context.Context, stream chat.Stream) (chat.Facts, error) {
	return s.client.Group(ctx, stream)
}

type sceneQueue struct {
	*scene
	turn
}

func (q sceneQueue) Continue(_ context.Context, _ chat.Stream, next []byte) error {
	c := decoded(q.t, next)
	if q.handOver != nil {
		if err := q.handOver(c); err != nil {
			return err
		}
	}
	q.published = append(q.published, c)
	return nil
}

// slow lets every page take a time, so that a batch does a part of the run only.
func slow(d time.Duration) func(chat.Query) error {
	return func(chat.Query) error {
		time.Sleep(d)
		return nil
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
