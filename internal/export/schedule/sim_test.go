package schedule_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
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
	simAppID = 1400000000
	simKey   = "key of the model's app, 32 bytes"

	// redelivery is when the platform delivers a failed event again. Writes that are under way when their caller gives
	// them up arrive earlier than that, or never.
	redelivery = time.Minute
	lateAtMost = 20 * time.Second

	// staleInARow is how often in a row a batch sees an old version of a key, and lag how long at most. The engine asks
	// goneAfter times for a chunk that must be there.
	staleInARow = 3
	lag         = 3 * time.Second

	// manyCalls a second are so many that nobody waits for longer than moment.
	manyCalls = 1e9
	moment    = time.Microsecond

	maxSteps = 20_000
)

// simT is what a schedule tells its failure to.
type simT interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// simEvent is an event in the queue.
type simEvent struct {
	n     int
	cont  *export.Continuation
	owner string
	due   time.Time
	idle  int           // batches before this one, in a row, that left the trails where they were
	known *export.Known // of a sweep, which also keeps the continuation to itself
}

func (e *simEvent) String() string {
	if e.cont == nil {
		return fmt.Sprintf("e%d %s", e.n, e.owner)
	}
	return fmt.Sprintf("e%d hop %d at %d", e.n, e.cont.Hop, e.cont.Cursor)
}

// sim is one schedule: a group, an archive, a queue, and batches that run side by side, one external call at a time.
type sim struct {
	t       simT
	setting setting
	random  *rand.Rand
	begin   time.Time

	stream chat.Stream
	chat   *chatemu.Server // as the service shows it
	truth  *chatemu.Server // the same messages, none of which ever expires
	client *chatapi.Client
	store  *memstore.Store
	chain  *simChain
	files  *simFiles         // nil if no message has any
	deploy [2]*export.Engine // two versions that are deployed at once; their Source and so on are set for each batch

	gate    gate
	running sync.WaitGroup
	flights []*flight // under way
	events  []*simEvent
	late    []*lateWrite
	last    *flight // whose call went last

	mu      sync.Mutex // guards what batches touch: events and late
	started int        // batches
	numbers int        // events
	ticks   int

	disturbances []disturbance // to come
	wait         int           // steps until the next
	outage       map[callKind]int
	stale        map[string]int // how often in a row a batch saw an old version of a key
	staleNext    int            // reads that are to see one
	lateNext     bool           // the next write is to arrive late
	hidden       []hiddenSeq
	floors       []floorMove
	deleted      map[chat.Seq]time.Time
	bad          map[chat.Seq]bool       // cannot be read, at least for a time
	past         map[chat.Seq][]simState // of messages that were changed, in order
	withheld     []chat.Seq
	dissolved    bool
	sound        bool // nothing goes wrong any more, and both versions follow the trails
	extra        int  // ticks that only waited for files
	calls        map[callKind]int

	active   bool // since the last time that nothing was under way, a batch has passed the lease
	dropped  bool // the queue has lost an event, and nobody has finished the work since
	finished bool // since then, a batch has found everything archived
	stats    simStats
	trace    []string
}

type lateWrite struct {
	what   string
	flight *flight
	until  time.Time
	arrive func() bool
}

func newSim(t simT, s setting, dir string) *sim {
	stream := chat.Stream{GroupID: "@TGS#model"}
	m := &sim{
		t: t, setting: s, random: rand.New(rand.NewPCG(s.Seed, 1)), begin: time.Now(), stream: stream,
		chain: &simChain{
			stream: stream, writers: map[string]string{}, trail: newSimTrail(),
			looks: simLooks{pins: map[chat.Seq]string{}, finished: map[chat.Seq]time.Time{}},
		},
		calls:  map[callKind]int{},
		outage: map[callKind]int{}, stale: map[string]int{}, deleted: map[chat.Seq]time.Time{}, past: map[chat.Seq][]simState{}, bad: map[chat.Seq]bool{}, disturbances: slices.Clone(s.Disturbances),
	}
	m.gate.bell = make(chan struct{}, 1)
	chatOptions := chatemu.Options{SDKAppID: simAppID, SecretKey: simKey, KeepCalls: 1}
	if s.Files > 0 {
		m.files = newFiles(m, dir)
		chatOptions.SignURL = m.files.host.Sign
	}
	m.chat = chatemu.New(chatOptions)
	m.truth = chatemu.New(chatemu.Options{SDKAppID: simAppID, SecretKey: simKey})
	var err error
	m.client, err = chatapi.New(chatapi.Config{SDKAppID: simAppID, SecretKey: config.NewSecret(simKey), BaseURL: "http://127.0.0.1", Transport: m.chat.RoundTripper()})
	m.must(err)
	m.store = memstore.New(memstore.Options{
		Now: func() time.Time { return time.Now().Add(s.Skew) }, Lag: lag,
		Immutable: func(key string) bool { return !strings.HasPrefix(key, layout.StatePrefix) },
		Violation: m.chain.broken, Stored: m.chain.stored,
	})
	for i := range m.deploy {
		caller := chatapi.NewCaller(retry.NewLimiter(manyCalls))
		caller.Policy.Jitter = func(bound time.Duration) time.Duration { return bound / 2 }
		m.deploy[i] = &export.Engine{
			Caller: caller, Writes: &objstore.WriteTimes{},
			Limits: export.Limits{SDKAppID: simAppID, Span: s.Span[i], ChunkBytes: 1 << 20, MaxHops: 10_000, Concurrency: s.Concurrency[i]},
		}
	}
	m.must(m.chat.AddGroup(chatemu.Group{ID: stream.GroupID}))
	m.must(m.truth.AddGroup(chatemu.Group{ID: stream.GroupID}))
	m.chat.SetQuirks(s.Quirks)
	m.truth.SetQuirks(s.Quirks)
	return m
}

func (m *sim) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("%v", err)
	}
}

// requestNumber is what the client draws for each call, and the only thing that a schedule does not decide.
var requestNumber = regexp.MustCompile(`random \d+`)

func (m *sim) note(format string, args ...any) {
	what := requestNumber.ReplaceAllString(fmt.Sprintf(format, args...), "random")
	m.trace = append(m.trace, fmt.Sprintf("%8.3f ", time.Since(m.begin).Seconds())+what)
}

// tick lets the timer fire.
func (m *sim) tick(sameOwner bool) {
	if !sameOwner || m.ticks == 0 {
		m.ticks++
	}
	m.push(&simEvent{owner: fmt.Sprintf("tick %d", m.ticks), due: time.Now()})
}

// sweep lets a sweep come to the group after a time, with what it was told of it now.
func (m *sim) sweep(after time.Duration) {
	m.ticks++
	known := &export.Known{At: time.Now()}
	group, err := m.client.Group(m.t.Context(), m.stream)
	if err == nil { // else it is gone
		known.Facts = group
	}
	m.chain.mu.Lock()
	if m.chain.genesis != nil {
		known.ArchivedCreateTime = m.chain.genesis.CreateTime
	}
	m.chain.mu.Unlock()
	m.push(&simEvent{owner: fmt.Sprintf("sweep %d", m.ticks), due: time.Now().Add(after), known: known})
}

func (m *sim) push(e *simEvent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.numbers++
	e.n = m.numbers
	m.events = append(m.events, e)
}

// publish puts a batch's continuation into the queue.
func (m *sim) publish(f *flight, c export.Continuation) {
	m.chain.mu.Lock()
	defer m.chain.mu.Unlock()
	from, hop := chat.Seq(0), 0
	if f.event.cont != nil {
		from, hop = f.event.cont.Cursor, f.event.cont.Hop
	}
	// Progress is a frontier beyond the event's cursor, or manifests that reach further than before. Trails may go over what
	// was done already, but not for ever.
	trails, idle := c.Run == "", 0
	if trails && m.chain.receipts() == f.receipts {
		idle = f.event.idle + 1
	}
	if c.Cursor > m.chain.next || c.Hop != hop+1 || c.Cursor <= from && m.chain.listed <= f.listed && !trails || idle > 3 {
		m.chain.problem("b%d publishes cursor %d, hop %d; the frontier is %d, its event %v", f.n, c.Cursor, c.Hop, m.chain.next, f.event)
	}
	if f.lost {
		m.chain.problem("b%d goes on although another batch has written its chunk since it began", f.n)
	}
	m.push(&simEvent{cont: &c, idle: idle, known: f.event.known, owner: fmt.Sprintf("%s/%d/%d/%d", c.Run, c.Hop, c.Cursor, c.Head), due: time.Now().Add(50 * time.Millisecond)})
}

// start delivers an event.
func (m *sim) start(e *simEvent) {
	m.started++
	limit := m.setting.Limit
	ctx, cancel := context.WithTimeout(m.t.Context(), limit)
	f := &flight{sim: m, n: m.started, event: e, began: time.Now(), ends: time.Now().Add(limit), cancel: cancel}
	m.chain.mu.Lock()
	f.listed, f.receipts = m.chain.listed, m.chain.receipts()
	m.chain.mu.Unlock()
	m.flights = append(m.flights, f)
	m.stats.Batches++
	version := m.random.IntN(2)
	engine := *m.deploy[version]
	engine.Source, engine.Requeuer = simSource{f}, simRequeuer{f}
	engine.Store = &simStore{View: m.store.View(f.name(), f.hook), flight: f}
	land := func() {}
	if on := m.sound || m.setting.Off != version+1; on {
		if m.files != nil {
			land = m.files.fly(m, f, &engine)
		}
		if m.setting.Look {
			m.lookAgain(&engine)
		}
	}
	req := export.Request{
		Stream: m.stream, Continuation: encoded(m.t, e.cont), Owner: e.owner, RequestID: f.name(),
		Deadline: f.ends, Log: zerolog.Nop(), Known: e.known, Keep: e.known != nil,
	}
	m.note("b%d serves %v, span %d", f.n, e, engine.Limits.Span)
	m.running.Go(func() { // waited for by close
		result, err := engine.Run(ctx, req)
		land()
		m.gate.mu.Lock()
		f.ended, f.endedAt, f.result, f.err = true, time.Now(), result, err
		m.gate.mu.Unlock()
		cancel()
		m.gate.ring()
	})
}

// mayArrive keeps a write whose caller does not wait for it any more.
func (m *sim) mayArrive(f *flight, what string) func(func() bool) {
	return func(arrive func() bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.late = append(m.late, &lateWrite{what: fmt.Sprintf("b%d %s", f.n, what), flight: f, until: time.Now().Add(lateAtMost), arrive: arrive})
	}
}

// encoded and decoded are what the queue sees of a continuation.
func encoded(t simT, c *export.Continuation) []byte {
	t.Helper()
	if c == nil {
		return nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatalf("continuation: %v", err)
	}
	return raw
}

func decoded(t simT, raw []byte) export.Continuation {
	t.Helper()
	var c export.Continuation
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("continuation: %v", err)
	}
	return c
}

// close ends everything that is still under way.
func (m *sim) close() {
	for _, f := range m.flights {
		m.gate.kill(f)
	}
	m.running.Wait()
	if m.files != nil {
		m.must(m.files.stop())
	}
}

// again lets the platform deliver a failed event once more.
func (m *sim) again(f *flight) {
	e := *f.event
	e.due = time.Now().Add(redelivery)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, &e)
}

// crash kills a batch.
func (m *sim) crash(f *flight) {
	m.stats.Killed++
	m.active = m.active || f.passed
	m.gate.kill(f)
	synctest.Wait()
	m.again(f)
}

func (m *sim) stateText() string {
	body, _, err := m.store.Get(m.t.Context(), layout.State(m.stream))
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func (m *sim) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Logf("%v\n%s", m.setting, strings.Join(m.trace, "\n"))
	m.t.Fatalf(format, args...)
}
