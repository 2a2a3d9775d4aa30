package invocation_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
)

// faultCase is one way in which a service fails, and what becomes of it.
type faultCase struct {
	name  string
	times int // calls that meet the fault; 0: every one until somebody mends it

	chat  func(chatemu.Call) *chatemu.Fault
	cos   func(*cosemu.Request) *cosemu.Fault
	cloud func(*cloudemu.Call) *cloudemu.Fault
	hops  bool        // the time limit is short, so that the run has several batches
	setup func(*site) // before the first delivery; nil for nothing
	mend  func(*site) // what a person or the platform does, beside the end of the fault

	// What the first delivery comes to.
	tried   int    // calls that met the fault
	outcome string // as in the log and the summary; "error" for an error that makes the platform deliver again
	reads   string // stands in what the operator reads: the error, a warning, or the state
	status  string // of the state; empty: there is none
	code    string // of the state's error; empty: there is none
	then    string // how the archive becomes whole: "itself", "redelivery", "next tick" or "never"
}

// Ways to become whole.
const (
	byItself     = "itself"
	byRedelivery = "redelivery"
	byTick       = "next tick"
	never        = "never"
)

// trial is a case being tried.
type trial struct {
	*faultCase

	mu     sync.Mutex
	met    int
	mended bool
}

// hit counts a call that the fault may befall and reports whether it does.
func (x *trial) hit() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mended || x.times > 0 && x.met >= x.times {
		return false
	}
	x.met++
	return true
}

func (x *trial) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.met
}

func (x *trial) begin() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mended = false
}

func (x *trial) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mended = true
}

const faultGroup = 90 // messages: one batch with a time limit of 30 s, three with one of 2 s

// options make a world in which the fault is in the way.
func (x *trial) options() world.Options {
	o := world.Options{Env: map[string]string{"EXPORT_SPAN": "40", "CHAT_CONCURRENCY": "1", "CHAT_QPS": "100"}}
	o.Chat.Fault = func(c chatemu.Call) *chatemu.Fault {
		if x.chat != nil {
			if f := x.chat(c); f != nil && x.hit() {
				return f
			}
		}
		return nil
	}
	o.COS.Fault = func(r *cosemu.Request) *cosemu.Fault {
		if x.cos != nil {
			if f := x.cos(r); f != nil && x.hit() {
				return f
			}
		}
		return nil
	}
	if x.hops || x.cloud != nil {
		o.TimeLimit, o.Chat.Latency = 2*time.Second, 250*time.Millisecond
	}
	if x.cloud != nil { // a continuation needs more than one batch
		o.Cloud = func(c *cloudemu.Call) *cloudemu.Fault {
			if f := x.cloud(c); f != nil && x.hit() {
				return f
			}
			return nil
		}
	}
	return o
}

// try delivers a tick into the fault, mends that, and lets the platform go on.
func (c *faultCase) try(t *testing.T) {
	t.Helper()
	x := &trial{faultCase: c, mended: true}
	keys := &keyring{}
	o := x.options()
	o.Keys, o.COS.Credentials = keys.all(), keys.valid
	s := newSite(t, o)
	s.keys = keys
	stream := s.Group("@TGS#fault", faultGroup)
	if c.setup != nil {
		c.setup(s)
	}
	x.begin()
	s.Push(s.Timer(stream))
	d, err := s.Queue.Next(t.Context())
	must(t, err)
	out, failure := s.deliver(d)
	x.check(t, s, stream, out, failure)
	x.end()
	if c.mend != nil {
		c.mend(s)
	}
	if failure != nil {
		must(t, s.Queue.Nack(d.ID, failure.Error()))
	} else {
		must(t, s.Queue.Ack(d.ID))
	}
	if got := x.recovery(s, stream, failure); got != c.then {
		t.Errorf("the archive becomes whole by %q, want %q", got, c.then)
	}
	if s.overrun > 0 {
		t.Errorf("%d invocations had to be killed at the time limit", s.overrun)
	}
}

// check compares what the first delivery came to with what the table says.
func (x *trial) check(t *testing.T, s *site, stream chat.Stream, out string, failure error) {
	t.Helper()
	outcome, text := "error", fmt.Sprint(failure)
	if failure == nil {
		var answer struct{ Streams []struct{ Outcome string } }
		must(t, json.Unmarshal([]byte(out), &answer))
		outcome = answer.Streams[0].Outcome
		text = warnings(s.Logs.String())
	}
	if outcome != x.outcome {
		t.Errorf("outcome %q, want %q: %s", outcome, x.outcome, text)
	}
	if met := x.count(); met != x.tried {
		t.Errorf("%d calls met the fault, want %d", met, x.tried)
	}
	x.end() // looking at the state must not meet it
	code, state := "", s.state(stream)
	status := state.Status
	if state.Error != nil {
		code = state.Error.Code
		text += " | " + state.Error.Text
	}
	if status != x.status || code != x.code {
		t.Errorf("state %q, error %q, want %q, %q", status, code, x.status, x.code)
	}
	if !strings.Contains(text, x.reads) || x.reads == "" && text != "" {
		t.Errorf("the operator reads %q, want %q", text, x.reads)
	}
	for _, secret := range []string{world.SecretKey, world.CloudKey, world.Token, "eJw"} { // a UserSig begins like this
		if strings.Contains(text, secret) || strings.Contains(s.Logs.String(), secret) {
			t.Errorf("a secret (%s) stands in errors or logs", secret)
		}
	}
}

// recovery tells what made the archive whole.
func (x *trial) recovery(s *site, stream chat.Stream, failure error) string {
	whole := func() bool { return s.sound(stream) == nil && s.state(stream).Status == archive.StatusComplete }
	if failure == nil && whole() {
		return byItself
	}
	s.drain()
	if whole() {
		if failure == nil {
			return byItself // by its continuation
		}
		return byRedelivery
	}
	s.tick(stream)
	if err := s.sound(stream); err != nil {
		return never
	}
	return byTick
}

// warnings returns what log lines of level warn and above say.
func warnings(logs string) string {
	var text []string
	for line := range strings.Lines(logs) {
		var fields struct{ Level, Message, Error string }
		if json.Unmarshal([]byte(line), &fields) == nil && (fields.Level == "warn" || fields.Level == "error") {
			text = append(text, strings.TrimSpace(fields.Message+" "+fields.Error))
		}
	}
	return strings.Join(text, " | ")
}

// run tries every case of a table.
func runFaults(t *testing.T, cases []faultCase) {
	t.Helper()
	for i := range cases {
		t.Run(cases[i].name, func(t *testing.T) {
			t.Parallel()
			bubble(t, cases[i].try)
		})
	}
}

func TestFaults_OfCOS(t *testing.T) {
	t.Parallel()
	runFaults(t, cosFaults())
}

func TestFaults_OfChat(t *testing.T) {
	t.Parallel()
	runFaults(t, chatFaults())
}

func TestFaults_OfTheCloudAPI(t *testing.T) {
	t.Parallel()
	runFaults(t, cloudFaults())
}

var update = flag.Bool("update", false, "write the table of faults into the README of internal/export")

// What the README of the engine says about faults is what the tests prove.
func TestFaults_TableIsInTheREADME(t *testing.T) {
	const path = "../export/README.md"
	const begin, end = "<!-- faults: go test ./internal/invocation -run README -update -->\n", "<!-- end of faults -->\n"
	raw, err := os.ReadFile(path)
	must(t, err)
	before, rest, ok := strings.Cut(string(raw), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", path)
	}
	want := before + begin + faultTables() + end + after
	if *update {
		must(t, os.WriteFile(path, []byte(want), 0o600))
		return
	}
	if want != string(raw) {
		t.Errorf("%s does not say what the tests prove: run this test with -update", path)
	}
}

func faultTables() string {
	var b strings.Builder
	for _, table := range []struct {
		title string
		cases []faultCase
	}{{"COS", cosFaults()}, {"Chat", chatFaults()}, {"the cloud API", cloudFaults()}} {
		fmt.Fprintf(&b, "\n### Faults of %s\n\n", table.title)
		b.WriteString("| fault | calls | the delivery | the operator reads | state | whole by |\n|---|---|---|---|---|---|\n")
		for _, c := range table.cases {
			state := strings.Join(slices.DeleteFunc([]string{c.status, c.code}, func(s string) bool { return s == "" }), ", ")
			fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s |\n", c.name, c.tried, c.outcome, c.reads, state, c.then)
		}
	}
	b.WriteString("\n")
	return b.String()
}
