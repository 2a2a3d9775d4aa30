package invocation_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/sample"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// crash kills the process at its n-th call of a service, before the call takes effect or after that but before its
// answer. Calls are counted by service: the order of two services' calls at one moment is not the same in every run.
type crash struct {
	service string
	at      int
	after   bool

	mu     sync.Mutex
	idle   bool           // calls are not counted
	calls  map[string]int // of the function, by service
	victim string         // the call at which it died; empty as long as it lives
}

func (c *crash) wrap(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := world.ProcessOf(r)
		if p == nil { // the test itself looks
			next.ServeHTTP(w, r)
			return
		}
		switch c.meet(p, service, r.Method+" "+r.URL.Path) {
		case passes:
			next.ServeHTTP(w, r)
		case diesAfter:
			next.ServeHTTP(httptest.NewRecorder(), r)
			p.Kill()
			panic(http.ErrAbortHandler)
		case dead:
			panic(http.ErrAbortHandler)
		}
	})
}

type fate int

const (
	passes fate = iota
	diesAfter
	dead
)

func (c *crash) meet(p *world.Process, service, call string) fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.Dead() {
		return dead
	}
	if c.idle {
		return passes
	}
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[service]++
	if service != c.service || c.calls[service] != c.at {
		return passes
	}
	c.victim = service + " " + call
	if c.after {
		return diesAfter
	}
	p.Kill()
	return dead
}

// rests switches the crash off, or on again.
func (c *crash) rests(idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = idle
}

// crashed is what an export came to in which a process died.
type crashed struct {
	victim    string
	calls     map[string]int
	chatCalls int
	lines     []string
	chunks    int
	batches   int
	files     []string // what became of each link
	err       error
}

const crashGroup = 300 // messages of the first run: three batches

// shown are real files, in messages: pictures that are the same, and a document that needs a signature.
func shown(host *mediaemu.Server, seed uint64) []chatemu.Message {
	picture := func() json.RawMessage {
		f := host.Add(mediaemu.Spec{Content: mediaemu.Bytes(sample.PNG(seed)), Type: "image/png"})
		m := chatemu.Media{URL: f.URL(), Size: f.Size()}
		return chatemu.ImageElem(m, m, m)
	}
	f := host.Add(mediaemu.Spec{Content: mediaemu.Bytes(sample.PDF(fmt.Sprint(seed))), Type: "application/pdf", Name: "a.pdf", Access: mediaemu.Signed403})
	document := chatemu.FileElem(chatemu.Media{URL: f.URL(), Size: f.Size(), Name: "a.pdf"})
	return []chatemu.Message{
		{From: "late", Time: 1_700_000_000, Body: chatemu.MsgBody(picture(), document)},
		{From: "late", Time: 1_700_000_000, Body: chatemu.MsgBody(picture())},
	}
}

// exportWithCrash does a run of three batches and, when the group has grown, a second tick. It ends with a tick that
// finds nothing new.
func exportWithCrash(t *testing.T, c *crash, workers int, delay time.Duration) crashed {
	t.Helper()
	s := newSite(t, world.Options{
		Queue: cloudemu.QueueOptions{Delay: func(int) time.Duration { return delay }},
		Wrap:  c.wrap, TimeLimit: 2 * time.Second,
		Chat: chatemu.Options{Latency: 200 * time.Millisecond}, COS: cosemu.Options{Latency: 10 * time.Millisecond},
		Media: mediaemu.Options{Latency: 10 * time.Millisecond},
		Env:   map[string]string{"EXPORT_SPAN": "70", "CHAT_CONCURRENCY": "1", "EXPORT_MEDIA": "on"},
	})
	s.workers = workers
	stream := s.Group("@TGS#crash", 0)
	must(t, s.Chat.Generate(stream, crashGroup-2, plain)) // without links, which would only make it longer
	must(t, s.Chat.Append(stream, shown(s.Media, 1)...))
	s.tick(stream)
	// Who died has its event delivered again, and that is enough: no other tick has to come.
	if got := s.state(stream); got.Frontier != crashGroup+1 || got.Media == nil || got.Media.Frontier != crashGroup+1 {
		t.Errorf("died at %s: the first tick's deliveries end at %d, its files at %+v", c.victim, got.Frontier, got.Media)
	}
	batches := len(s.Logs.Batches())
	must(t, s.Chat.Append(stream, append(old(23), shown(s.Media, 2)...)...))
	s.tick(stream)
	chatCalls := s.Chat.Counters().Calls
	s.tick(stream)
	result := crashed{victim: c.victim, calls: c.calls, chatCalls: chatCalls, batches: batches, err: s.sound(stream)}
	if dead := s.Queue.Dead(); len(dead) > 0 {
		t.Errorf("%d dead letters: %s", len(dead), dead[0].Reason)
	}
	if len(s.failures) > 0 || s.overrun > 0 {
		t.Errorf("%d overruns, failures %v", s.overrun, s.failures)
	}
	if result.err == nil {
		var chunks []chat.Seq
		metas, lines := s.chain(stream)
		for _, m := range metas {
			chunks = append(chunks, m.Lo)
		}
		result.lines, result.chunks = lines, len(chunks)
		result.files = s.files(stream, metas)
	}
	return result
}

// files reads the receipts of chunks, and proves that each is chained to the one before and that what they call stored is.
func (s *site) files(stream chat.Stream, chunks []archive.ChunkMeta) (files []string) {
	s.t.Helper()
	body, _, err := s.Store.Get(s.t.Context(), layout.Genesis(stream))
	must(s.t, err)
	sum := sha256.Sum256(body)
	previous := hex.EncodeToString(sum[:])
	for _, c := range chunks {
		for lo := c.Lo; c.Links > 0 && lo <= c.Hi; {
			body, _, err := s.Store.Get(s.t.Context(), layout.Media(stream, lo))
			must(s.t, err)
			m, err := archive.ReadMediaReceipt(bytes.NewReader(body), func(l archive.MediaLine) error {
				files = append(files, fmt.Sprintf("%+v", l))
				if l.State != archive.MediaStored {
					return nil
				}
				blob, _, err := s.Store.Get(s.t.Context(), layout.Blob(l.SHA256))
				if sum := sha256.Sum256(blob); hex.EncodeToString(sum[:]) != l.SHA256 {
					s.t.Errorf("the file of %+v is another one", l)
				}
				return err
			})
			must(s.t, err)
			if m.Previous != previous {
				s.t.Errorf("receipt %d is not chained to the one before", lo)
			}
			lo, previous = m.Hi+1, m.SHA256
		}
	}
	return files
}

// old are messages that are too old to be settling.
func old(n int) []chatemu.Message {
	messages := make([]chatemu.Message, n)
	for i := range messages {
		messages[i] = chatemu.Message{From: "late", Time: 1_700_000_000 + int64(i)}
	}
	return messages
}

// Whenever the process dies, the archive ends up the same, and little is pulled twice.
func TestCrash_AtEveryCallLeavesTheArchiveOfAnUndisturbedRun(t *testing.T) {
	long(t)
	t.Parallel()
	var want crashed
	bubble(t, func(t *testing.T) { want = exportWithCrash(t, &crash{}, 1, time.Minute) })
	if want.err != nil || want.batches < 3 || strings.Count(fmt.Sprint(want.files), "State:stored") != 6 {
		t.Fatalf("the undisturbed run has %d batches and files %v: %v", want.batches, want.files, want.err)
	}
	const perBatch = 12 // a chunk being pulled and one being stored, and the newest page once more
	type point struct {
		crash   *crash
		workers int
		delay   time.Duration
	}
	var points []point
	total := 0
	for service, calls := range want.calls {
		total += calls
		for at := 1; at <= calls; at++ {
			for _, after := range []bool{false, true} {
				points = append(points, point{&crash{service: service, at: at, after: after}, 1, time.Minute})
			}
			if at%3 == 0 || service == "cloud" { // the redelivered event at once, beside the continuation if there is one already
				points = append(points, point{&crash{service: service, at: at, after: true}, 2, time.Millisecond})
			}
		}
	}
	var mu sync.Mutex
	covered := map[string]int{}
	missed, most := 0, 0
	t.Run("points", func(t *testing.T) {
		const lanes = 4
		for lane := range lanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				for i := lane; i < len(points); i += lanes {
					p := points[i]
					var got crashed
					bubble(t, func(t *testing.T) { got = exportWithCrash(t, p.crash, p.workers, p.delay) })
					name := fmt.Sprintf("%s call %d (%s), after %v, %d workers", p.crash.service, p.crash.at, got.victim, p.crash.after, p.workers)
					mu.Lock()
					if got.victim == "" {
						missed++
					} else {
						covered[fmt.Sprintf("%s after=%v", p.crash.service, p.crash.after)]++
					}
					most = max(most, got.chatCalls-want.chatCalls)
					mu.Unlock()
					if got.err != nil {
						t.Errorf("%s: %v", name, got.err)
						continue
					}
					if !slices.Equal(got.lines, want.lines) || !slices.Equal(got.files, want.files) {
						t.Errorf("%s: the archive differs (-want +got):\n%s%s", name, cmp.Diff(want.lines, got.lines), cmp.Diff(want.files, got.files))
					}
					if extra := got.chatCalls - want.chatCalls; extra > p.workers*perBatch {
						t.Errorf("%s: %d more calls of the Chat API than without a crash, want at most %d for each delivery", name, extra, perBatch)
					}
				}
			})
		}
	})
	t.Logf("%d batches, %d calls, %d points, missed %d: %v; at most %d more calls of the Chat API", want.batches, total, len(points), missed, covered, most)
	if missed > 0 {
		t.Errorf("%d of %d points did not come up", missed, len(points))
	}
}
