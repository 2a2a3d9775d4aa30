package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

var (
	soakTime = flag.Duration("soak", 10*time.Second, "how long TestSoak runs")
	soakSeed = flag.Uint64("seed", 1, "seed of TestSoak")
)

// soak lets the built function live under random faults and keeps the figures.
type soak struct {
	*world.World

	t        *testing.T
	platform *scfemu.Platform
	streams  []chat.Stream

	mu     sync.Mutex
	random *rand.Rand
	calm   bool // no faults any more
	counts map[string]int
	key    int                         // of the role
	truth  map[string]map[int64][]byte // every message that ever was, by group and seq
	links  soakLinks
}

// roll decides whether something that happens in so many of a thousand cases does, and counts it.
func (s *soak) roll(perMille int, what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calm || s.random.IntN(1000) >= perMille {
		return false
	}
	s.counts[what]++
	return true
}

func (s *soak) number(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

func (s *soak) upTo(d time.Duration) time.Duration { return time.Duration(s.number(int(d))) }

// platformFault is what befalls an invocation as a whole.
func (s *soak) platformFault(scfemu.Invocation) scfemu.Fault {
	switch {
	case s.roll(150, "platform: SIGKILL within 1 s"):
		return scfemu.Fault{KillAfter: s.upTo(time.Second)}
	case s.roll(30, "platform: answer lost"):
		return scfemu.Fault{LoseAnswer: true}
	case s.roll(30, "platform: limit of 1 s"):
		return scfemu.Fault{TimeLimit: time.Second}
	default:
		return scfemu.Fault{}
	}
}

// roleKey is the n-th key of the function's role, or for 0 that of the test itself.
func roleKey(n int) cloudemu.Credential {
	if n == 0 {
		return cloudemu.Credential{SecretID: world.SecretID, SecretKey: world.CloudKey, Token: world.Token}
	}
	return cloudemu.Credential{
		SecretID: fmt.Sprintf("AKIDrole%d", n), SecretKey: fmt.Sprintf("role-key-%d", n), Token: fmt.Sprintf("role-token-%d", n),
	}
}

// valid is for the COS emulator: the test's own key, and those of the role, of which all but the newest have expired.
func (s *soak) valid(id string) (cosemu.Credential, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == world.SecretID {
		return cosemu.Credential{SecretKey: world.CloudKey, Token: world.Token}, true
	}
	var n int
	if _, err := fmt.Sscanf(id, "AKIDrole%d", &n); err != nil {
		return cosemu.Credential{}, false
	}
	c := cosemu.Credential{SecretKey: roleKey(n).SecretKey, Token: roleKey(n).Token}
	if n != s.key+1 {
		c.Expires = time.Unix(1, 0)
	}
	return c, true
}

func (s *soak) role() scfemu.Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := roleKey(s.key + 1)
	return scfemu.Credentials{SecretID: c.SecretID, SecretKey: c.SecretKey, Token: c.Token}
}

const soakKeys = 5000

func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	s := &soak{
		t: t, random: rand.New(rand.NewPCG(seed, seed)), calm: true, //nolint:gosec // to be repeated, not secret
		counts: map[string]int{}, truth: map[string]map[int64][]byte{}, links: soakLinks{},
	}
	o := world.Options{
		TimeLimit: 3 * time.Second,
		Env: map[string]string{
			"CHAT_QPS": "80", "EXPORT_SPAN": "300", "CHAT_CONCURRENCY": "4", "EXPORT_MEDIA": "on", "MEDIA_MAX_BYTES": strconv.Itoa(soakFileBytes),
		},
		Queue: cloudemu.QueueOptions{Delay: func(int) time.Duration { return s.upTo(500 * time.Millisecond) }},
		Cloud: func(*cloudemu.Call) *cloudemu.Fault { return choose(s, "cloud API", cloudTroubles()) },
	}
	o.Chat.Fault = func(chatemu.Call) *chatemu.Fault { return choose(s, "Chat", chatTroubles()) }
	o.COS.Fault, o.COS.Credentials = s.cosFault, s.valid
	for n := range soakKeys {
		o.Keys = append(o.Keys, roleKey(n+1))
	}
	s.World = world.New(t, o)
	s.platform = s.Platform(scfemu.Config{
		Binary: binary, Instances: 3, MaxUses: 60, Fault: s.platformFault, Credentials: s.role,
	})
	for i := range 6 {
		stream := s.Group(fmt.Sprintf("@TGS#soak%d", i), 0)
		s.streams = append(s.streams, stream)
		s.truth[stream.GroupID], s.links[stream.GroupID] = map[int64][]byte{}, placedLinks{}
		s.grow(stream, 500*(i+1))
	}
	return s
}

// grow adds messages, and notes them for the comparison at the end.
func (s *soak) grow(stream chat.Stream, n int) {
	s.t.Helper()
	must(s.t, s.Chat.Generate(stream, n, chatemu.Varied))
	s.note(stream)
}

func (s *soak) note(stream chat.Stream) {
	s.t.Helper()
	retained, _, err := s.Chat.Truth(stream)
	must(s.t, err)
	known := s.truth[stream.GroupID]
	for r := range retained {
		if _, ok := known[int64(r.Seq)]; !ok && r.JSON != nil {
			known[int64(r.Seq)] = slices.Clone(r.JSON)
		}
	}
}

// act does something that happens in the life of an app: ticks, growth, expiry, new keys.
func (s *soak) act() {
	s.t.Helper()
	stream := s.streams[s.number(len(s.streams))]
	var what string
	n := s.number(100)
	if queued, _ := s.Queue.Len(); queued > 20 {
		n = 50 + n/2 // no more ticks for the moment
	}
	switch {
	case n < 50:
		what = "tick"
		s.Push(s.Timer(stream))
	case n < 52:
		what = "tick of all groups"
		s.Push(s.Timer(s.streams...))
	case n < 70:
		what = "growth"
		s.grow(stream, 1+s.number(100))
	case n < 82:
		what = "growth with files"
		s.growFiles(stream, 1+s.number(40))
	case n < 88:
		what = "growth by much"
		s.grow(stream, 500+s.number(1000))
	case n < 94:
		what = "expiry"
		floor, newest, err := s.Chat.Bounds(stream)
		must(s.t, err)
		must(s.t, s.Chat.SetFloor(stream, min(newest+1, floor+chat.Seq(s.number(400)))))
	default:
		what = "new keys"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
	if what == "new keys" {
		s.key = min(s.key+1, soakKeys-1)
	}
}

// end lets faults end and everything come to rest.
func (s *soak) end() {
	s.t.Helper()
	s.mu.Lock()
	s.calm = true
	s.mu.Unlock()
	s.rest()
	for _, stream := range s.streams {
		s.endLease(stream)
		s.Push(s.Timer(stream))
	}
	s.rest()
}

// rest waits until nothing is queued or under way any more.
func (s *soak) rest() {
	s.t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if queued, underway := s.Queue.Len(); queued+underway == 0 {
			return
		}
		select {
		case <-poll.C:
		case <-s.t.Context().Done():
			s.t.Fatal("the queue does not come to rest")
		}
	}
}

// endLease does what waiting for ten minutes would do, where the queue dropped a continuation.
func (s *soak) endLease(stream chat.Stream) {
	s.t.Helper()
	body, _, err := s.Store.Get(s.t.Context(), layout.State(stream))
	if errors.Is(err, objstore.ErrNotExist) {
		return
	}
	must(s.t, err)
	state, err := archive.ParseState(body)
	must(s.t, err)
	state.Lease = nil
	if files := *state.Of(archive.Media()); files != nil {
		files.Due = time.Time{} // a trail that stood still is left alone for as long
	}
	body, err = state.Encode()
	must(s.t, err)
	_, err = s.Store.Overwrite(s.t.Context(), layout.State(stream), objstore.Write{Body: body, ContentType: "application/json"})
	must(s.t, err)
}

// check proves an archive: it is sound and finished; every message that is still retained is in it, once and in order,
// and so are those that expired after they had been archived.
func (s *soak) check(stream chat.Stream) (messages int64) {
	s.t.Helper()
	report, err := verify.Stream(s.t.Context(), s.Store, stream, verify.Options{SDKAppID: world.SDKAppID})
	must(s.t, err)
	for _, f := range report.Findings {
		s.t.Errorf("verify %s: %s", stream, f)
	}
	floor, newest, err := s.Chat.Bounds(stream)
	must(s.t, err)
	if report.Hi != newest || report.ListedTo != newest || report.Finished != archive.StatusComplete || report.Status != archive.StatusComplete {
		s.t.Errorf("%s: archived up to %d, listed up to %d of %d, %q, state %q", stream, report.Hi, report.ListedTo, newest, report.Finished, report.Status)
	}
	s.checkFiles(stream, report.Files)
	archived := s.archived(stream)
	diff, err := verify.Compare(s.t.Context(), s.Store, stream, s.expected(stream, floor, archived))
	must(s.t, err)
	if !diff.Same() {
		s.t.Errorf("%s: %s", stream, &diff)
	}
	return diff.Equal
}

// archived returns the seqs of which a message is archived.
func (s *soak) archived(stream chat.Stream) map[int64]bool {
	s.t.Helper()
	seqs := map[int64]bool{}
	body, _, err := s.Store.Get(s.t.Context(), layout.Genesis(stream))
	must(s.t, err)
	genesis, err := archive.ParseGenesis(body)
	must(s.t, err)
	for lo := genesis.FirstLo; ; {
		body, object, err := s.Store.Get(s.t.Context(), layout.Chunk(stream, lo))
		if errors.Is(err, objstore.ErrNotExist) {
			return seqs
		}
		must(s.t, err)
		meta, err := archive.ParseChunkMeta(object.Metadata)
		must(s.t, err)
		_, err = archive.ReadChunk(bytes.NewReader(body), stream, lo, meta.Hi, func(e chat.Element) error {
			if e.Retained() { // what expired too early is archived as the placeholder that came of it
				seqs[int64(e.Seq)] = true
			}
			return nil
		})
		must(s.t, err)
		lo = meta.Hi + 1
	}
}

func (s *soak) expected(stream chat.Stream, floor chat.Seq, archived map[int64]bool) iter.Seq2[chat.Seq, []byte] {
	known := s.truth[stream.GroupID]
	return func(yield func(chat.Seq, []byte) bool) {
		for _, seq := range slices.Sorted(maps.Keys(known)) {
			if (chat.Seq(seq) >= floor || archived[seq]) && !yield(chat.Seq(seq), known[seq]) {
				return
			}
		}
	}
}

// figures tells what happened.
func (s *soak) figures(took time.Duration, messages int64) string {
	var b strings.Builder
	status, outcomes := map[int]int{}, map[string]int{}
	served := s.platform.Invocations()
	again := 0
	for _, v := range served {
		status[v.Status]++
		if v.Attempt > 1 {
			again++
		}
		for _, line := range v.Logs {
			var fields struct{ Message, Outcome string }
			if json.Unmarshal([]byte(line), &fields) == nil && fields.Message == "batch" {
				outcomes[fields.Outcome]++
			}
		}
	}
	fmt.Fprintf(&b, "%v: %d deliveries (%d again) on %d processes, %d dead letters\n", took.Round(time.Second), len(served), again, s.platform.Starts(), len(s.Queue.Dead()))
	fmt.Fprintf(&b, "status: %v\nbatches: %v\n", status, outcomes)
	fmt.Fprintf(&b, "calls: Chat %d, COS %v, cloud API %d; %d messages archived\n", s.Chat.Counters().Calls, s.COS.Counts(), len(s.Cloud.Calls()), messages)
	total := 0
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&b, "%6d %s\n", s.counts[what], what)
		if strings.Contains(what, ": ") {
			total += s.counts[what]
		}
	}
	fmt.Fprintf(&b, "%6d faults in all\n", total)
	return b.String()
}

// The built function under random faults of everything around it: scripts/soak.sh runs this for as long as asked.
func TestSoak(t *testing.T) {
	t.Parallel()
	s := newSoak(t, *soakSeed)
	start := time.Now()
	ctx, stop := context.WithTimeout(t.Context(), *soakTime)
	defer stop()
	s.mu.Lock()
	s.calm = false
	s.mu.Unlock()
	serving, quiet := context.WithCancel(t.Context())
	defer quiet()
	served := make(chan error, 1)
	go func() { served <- s.platform.Serve(serving, s.Queue) }()
	for pause := time.NewTimer(0); ; {
		select {
		case <-pause.C:
			s.act()
			pause.Reset(s.upTo(250 * time.Millisecond))
			continue
		case <-ctx.Done():
		}
		break
	}
	s.end()
	quiet()
	if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var messages int64
	for _, stream := range s.streams {
		messages += s.check(stream)
	}
	verdict := "every archive is whole"
	if t.Failed() {
		verdict = "FAILED"
	}
	t.Logf("soak, seed %d\n%sverdict: %s", *soakSeed, s.figures(time.Since(start), messages), verdict)
}
