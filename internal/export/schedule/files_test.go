package schedule_test

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/config"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/loopback"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/mix"
	"chatexport/internal/emulator/world"
	"chatexport/internal/export"
	"chatexport/internal/fetch"
	"chatexport/internal/layout"
	"chatexport/internal/retry"
	"chatexport/internal/trail"
	"chatexport/internal/trail/media"
)

// simRetention is how long a file is waited for at most, twice over.
const simRetention = 24 * time.Hour

// simFiles are the files of a schedule's messages, and the host that serves them: the production fetcher asks it over a
// network without sockets, one request at a time.
type simFiles struct {
	host    *mediaemu.Server
	mixer   *mix.Mixer
	network *world.Network
	stop    func() error
	dir     string // of temporary files

	links map[chat.Seq][]mix.Link // what must become of each

	flights map[string]*flight // by the agent that they call themselves; guarded by the sim
}

func newFiles(m *sim, dir string) *simFiles {
	f := &simFiles{
		host: mediaemu.New(mediaemu.Options{}), network: world.NewNetwork(), dir: dir,
		links: map[chat.Seq][]mix.Link{}, flights: map[string]*flight{},
	}
	listener := f.network.Listen()
	f.host.ServedAt("http://" + listener.Addr().String())
	f.mixer = mix.New(f.host, mix.Options{Seed: m.setting.Seed, Share: 1, Lasts: 5 * time.Minute, Slow: true})
	f.stop = loopback.Run(context.WithoutCancel(m.t.Context()), listener, &http.Server{Handler: m.throughGate(f.host)})
	return f
}

// throughGate lets a file's request wait for its turn.
func (m *sim) throughGate(host http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		f := m.files.flights[r.UserAgent()]
		m.mu.Unlock()
		switch a := m.gate.pass(r.Context(), f, callFetch, path.Base(r.URL.Path)); {
		case a.killed, a.left, a.err != nil && !a.refuse:
			panic(http.ErrAbortHandler)
		case a.refuse:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			host.ServeHTTP(w, r)
		}
	})
}

// fly gives a batch the trail of files. The process ends with it.
func (f *simFiles) fly(m *sim, flight *flight, engine *export.Engine) (land func()) {
	process := f.network.NewProcess(m.t.Context())
	m.mu.Lock()
	f.flights[flight.name()] = flight
	m.mu.Unlock()
	fetcher := fetch.New(fetch.Config{
		Hosts: config.Hosts{"127.0.0.1"}, Loopback: true, Dir: f.dir, UserAgent: flight.name(), Dial: process.Dial,
		HeaderTimeout: m.setting.Limit / 6, StallTimeout: m.setting.Limit / 6, Log: zerolog.Nop(),
		Retry: retry.Policy{Jitter: engine.Caller.Policy.Jitter},
	}, simSigner{flight}, engine.Caller)
	engine.Trails = []trail.Kind{&media.Kind{Fetcher: fetcher, Retention: simRetention}}
	return process.Kill
}

// simSigner is the Chat service as the fetcher meets it.
type simSigner struct{ *flight }

func (s simSigner) Signatures(ctx context.Context, urls []string) ([]chat.Signature, error) {
	done, err := s.ask(ctx, callSign, fmt.Sprint(len(urls)))
	if err != nil {
		return nil, err
	}
	defer done()
	return s.sim.client.Signatures(ctx, urls)
}

// withFiles makes a message that refers to files.
func (m *sim) withFiles(seq chat.Seq, at time.Time) chatemu.Message {
	before := len(m.files.mixer.Links())
	message := m.files.mixer.Message(seq)
	message.Time = at.Unix()
	m.files.links[seq] = slices.Clone(m.files.mixer.Links()[before:])
	return message
}

// awaitFiles lets ticks come until every link has a receipt. What can be had comes within an hour; only for what cannot,
// it takes longer.
func (m *sim) awaitFiles() {
	const ticks = 20
	for n := 0; m.chain.owed(); n++ {
		switch {
		case n == ticks:
			m.fail("after %d ticks with sound services, no receipt reaches beyond %d of %d", n, m.chain.trail.next, m.chain.listed)
		case n < 3:
			time.Sleep(trail.RetryAfter + time.Minute)
		default:
			m.onlyLost()
			time.Sleep(simRetention / 2)
		}
		m.extra++
		m.tick(false)
		m.drain()
	}
}

// onlyLost proves that the message that is waited for refers to a file that cannot be had.
func (m *sim) onlyLost() {
	for seq := m.chain.trail.next; seq < m.chain.listed; seq++ {
		if m.files.links[seq] == nil {
			continue
		}
		if !slices.ContainsFunc(m.files.links[seq], func(l mix.Link) bool {
			return l.File != nil && (!l.May(archive.MediaStored) || !l.File.Available(time.Now()))
		}) {
			continue // perhaps it is none of the archive's messages, or came with another receipt
		}
		return
	}
	m.fail("the trail waits at %d, and every file behind it can be had", m.chain.trail.next)
}

// compareFiles proves that there is a line for every link of the archived messages and no other, that it says the truth,
// and that the files are what was served.
func (m *sim) compareFiles(lines map[chat.Seq]chat.Element) {
	rest := m.chain.trail.lines
	for _, chunk := range m.chain.chunks {
		for seq := chunk.Lo; seq <= chunk.Hi && chunk.Hi < m.chain.listed; seq++ {
			if e := lines[seq]; e.Class() != chat.ClassMessage || e.Seq == 0 {
				continue
			}
			for _, want := range m.files.links[seq] {
				if len(rest) == 0 {
					m.fail("link %d of seq %d has no line", want.N, seq)
				}
				m.compareLink(want, rest[0])
				rest = rest[1:]
			}
		}
	}
	if len(rest) > 0 {
		m.fail("there is a line for link %d of seq %d, and no such link", rest[0].N, rest[0].Seq)
	}
	if c := m.files.host.Counters(); c.OffList > 0 || c.Unknown > 0 {
		m.fail("%d requests off the list, %d for what is no link", c.OffList, c.Unknown)
	}
}

func (m *sim) compareLink(want mix.Link, got simLine) {
	link := chat.Link{Seq: want.Seq, N: want.N, Path: want.Path, Kind: want.Kind, URL: want.URL, Name: want.Name}
	got.Size = 0
	if diff := cmp.Diff(link, got.Link); diff != "" {
		m.fail("a line is of another link (-want +got):\n%s", diff)
	}
	stored := got.State == archive.MediaStored
	switch {
	case !want.May(got.State):
		m.fail("link %d of seq %d (%s) is %s (%s), want one of %v", want.N, want.Seq, want.Fortune, got.State, got.Code, want.States)
	case !stored && want.May(archive.MediaStored) && want.File.Available(got.at):
		m.fail("link %d of seq %d (%s) is %s (%s), and could be had until after its receipt was stored", want.N, want.Seq, want.Fortune, got.State, got.Code)
	case stored && (got.SHA256 != want.SHA256 || got.Bytes != want.Bytes || got.Type != want.Type || got.Short != want.Short):
		m.fail("link %d of seq %d (%s) is stored as %+v, want %+v", want.N, want.Seq, want.Fortune, got.MediaLine, want)
	case stored:
		m.stats.Stored++
	default:
		m.stats.Lost++
	}
}

// idleTick proves that a tick that has nothing to do costs nothing for the files that were archived and the chunks that were looked at.
func (m *sim) idleTick() {
	m.calls = map[callKind]int{}
	m.setting.Pace = time.Microsecond // or its time may be too short for the one batch
	m.extra++
	m.tick(false)
	m.drain()
	// State, and that nothing has happened to genesis and the last chunk; the lease, and state again.
	most := map[callKind]int{callGet: 2, callHead: 2, callOverwrite: 2}
	if m.setting.Quirks == (chatemu.Quirks{}) && m.setting.Bad == 0 && m.calls[callPage] > 3 { // a short newest page is asked for again
		m.fail("a tick with nothing to do asks for %d pages", m.calls[callPage])
	}
	for _, kind := range []callKind{callGet, callHead, callCreate, callOverwrite, callFetch, callSign} {
		surely := m.dissolved && (kind == callGet || kind == callHead) // of a gone group, it is made sure where the archive ends
		if m.calls[kind] > most[kind] && !surely {
			m.fail("a tick with nothing to do makes more calls than %v: %v", most, m.calls)
		}
	}
}

// blobOf is the sum in a blob's key, empty for other keys.
func blobOf(key string) string {
	name, err := layout.Parse(key)
	if err != nil || name.Kind != layout.KindBlob {
		return ""
	}
	return name.SHA256
}
