package scfemu_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	cloudemu "chatexport/internal/emulator/cloud"
	scfemu "chatexport/internal/emulator/scf"
)

var (
	binary string
	open   error // why these tests have no network of their own
)

func TestMain(m *testing.M) {
	if open = scfemu.Alone(); open != nil {
		fmt.Fprintln(os.Stderr, open)
	}
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "scfemu-")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(folder) }() // a folder of temporary files
		binary = filepath.Join(folder, "main")
		if err := scfemu.Build(context.Background(), "", binary, "./testdata/function"); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newPlatform(t *testing.T, c scfemu.Config) *scfemu.Platform {
	t.Helper()
	c.Binary = binary
	p, err := scfemu.New(c)
	must(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func invoke(t *testing.T, p *scfemu.Platform, payload string) scfemu.Invocation {
	t.Helper()
	v, err := p.Invoke(t.Context(), []byte(payload))
	must(t, err)
	return v
}

// TestAlone_NobodyElseReachesTheFunction looks for an address that another machine could use.
func TestAlone_NobodyElseReachesTheFunction(t *testing.T) {
	t.Parallel()
	if open != nil {
		t.Skip(open)
	}
	addresses, err := net.InterfaceAddrs()
	must(t, err)
	if len(addresses) == 0 {
		t.Error("there is no loopback")
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); !ok || !network.IP.IsLoopback() {
			t.Errorf("the function listens on %v, too", address)
		}
	}
	must(t, scfemu.Alone()) // what is alone stays so
}

type report struct {
	Environment map[string]string
	Context     struct {
		RequestID, Namespace, FunctionName, FunctionVersion, TencentcloudRegion string

		MemoryLimitInMb, TimeLimitInMs int
	}
	Deadline time.Time
	Process  []string
	Count    int
}

func reported(t *testing.T, v scfemu.Invocation) report {
	t.Helper()
	if v.Status != scfemu.StatusOK {
		t.Fatalf("status %d: %s", v.Status, v.Error)
	}
	var r report
	must(t, json.Unmarshal(v.Response, &r))
	return r
}

func TestFunction_SeesWhatThePlatformGives(t *testing.T) {
	t.Setenv("CHATEXPORT_INHERITED", "1")
	calls := 0
	p := newPlatform(t, scfemu.Config{
		Environment: map[string]string{"CHAT_QPS": "50"}, Version: "7", Namespace: "prod", MemoryMB: 256, TimeLimit: 20 * time.Second,
		Credentials: func() scfemu.Credentials {
			calls++
			return scfemu.Credentials{SecretID: "id", SecretKey: "key", Token: strings.Repeat("t", calls)}
		},
	})
	first := invoke(t, p, `{}`)
	r := reported(t, first)
	for name, want := range map[string]string{
		"CHAT_QPS": "50", "TENCENTCLOUD_SECRETID": "id", "TENCENTCLOUD_SECRETKEY": "key", "TENCENTCLOUD_SESSIONTOKEN": "t",
		"SCF_FUNCTIONNAME": "chatexport", "TENCENTCLOUD_REGION": "ap-guangzhou",
	} {
		if r.Environment[name] != want {
			t.Errorf("%s is %q, want %q", name, r.Environment[name], want)
		}
	}
	c := r.Context
	if c.RequestID != first.RequestID || c.FunctionName != "chatexport" || c.FunctionVersion != "7" || c.Namespace != "prod" ||
		c.TencentcloudRegion != "ap-guangzhou" || c.MemoryLimitInMb != 256 || c.TimeLimitInMs != 20000 {
		t.Errorf("context %+v", c)
	}
	if want := first.Started.Add(20 * time.Second); !r.Deadline.Equal(want.Truncate(1)) {
		t.Errorf("deadline %v, want %v", r.Deadline, want)
	}
	for _, variable := range r.Process {
		name, _, _ := strings.Cut(variable, "=")
		if !slices.Contains([]string{"_LAMBDA_SERVER_PORT", "TENCENTCLOUD_RUNENV", "HOME", "PWD", "TMPDIR", "USER", "PATH"}, name) {
			t.Errorf("the process has %s before its first invocation", variable)
		}
	}

	second := invoke(t, p, `{}`)
	r = reported(t, second)
	if r.Count != 2 || second.Cold || !first.Cold || second.Instance != first.Instance || p.Starts() != 1 {
		t.Errorf("the process was not kept: %+v", second)
	}
	if r.Environment["TENCENTCLOUD_SESSIONTOKEN"] != "tt" {
		t.Error("credentials are not those of the invocation")
	}
	if first.PeakMemory == 0 {
		t.Error("no peak of memory")
	}
}

func TestFunction_WhatItDoesBecomesAStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		payload string
		config  scfemu.Config
		status  int
		text    string // in the error or in standard error
		kept    bool   // the process
	}{
		"success":               {`{"Say":"hello"}`, scfemu.Config{}, scfemu.StatusOK, "", true},
		"error":                 {`{"Do":"fail","Say":"hello"}`, scfemu.Config{}, scfemu.StatusUserError, "told to fail", true},
		"panic":                 {`{"Do":"panic","Say":"hello"}`, scfemu.Config{}, scfemu.StatusUserError, "told to panic", false},
		"panic in a goroutine":  {`{"Do":"panic elsewhere","Say":"hello"}`, scfemu.Config{}, scfemu.StatusExited, "told to panic elsewhere", false},
		"exit":                  {`{"Do":"exit","Say":"hello"}`, scfemu.Config{}, scfemu.StatusExited, "exited", false},
		"time limit":            {`{"Do":"sleep","Millis":60000,"Say":"hello"}`, scfemu.Config{TimeLimit: 300 * time.Millisecond}, scfemu.StatusTimeout, "time limit", false},
		"large response":        {`{"Do":"large","Say":"hello"}`, scfemu.Config{}, scfemu.StatusResponseTooLarge, "6 MB", true},
		"killed":                {`{"Do":"sleep","Millis":60000,"Say":"hello"}`, scfemu.Config{Fault: func(scfemu.Invocation) scfemu.Fault { return scfemu.Fault{KillAfter: 300 * time.Millisecond} }}, scfemu.StatusExited, "killed", false},
		"shorter limit":         {`{"Do":"sleep","Millis":60000,"Say":"hello"}`, scfemu.Config{Fault: func(scfemu.Invocation) scfemu.Fault { return scfemu.Fault{TimeLimit: 300 * time.Millisecond} }}, scfemu.StatusTimeout, "300ms", false},
		"answer lost":           {`{"Say":"hello"}`, scfemu.Config{Fault: func(scfemu.Invocation) scfemu.Fault { return scfemu.Fault{LoseAnswer: true} }}, scfemu.StatusPlatform, "lost", true},
		"one use":               {`{"Say":"hello"}`, scfemu.Config{MaxUses: 1}, scfemu.StatusOK, "", false},
		"frozen between events": {`{"Say":"hello"}`, scfemu.Config{Freeze: true}, scfemu.StatusOK, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var observed []scfemu.Invocation
			tc.config.Observe = func(v scfemu.Invocation) { observed = append(observed, v) }
			p := newPlatform(t, tc.config)
			v := invoke(t, p, tc.payload)
			if v.Status != tc.status || !strings.Contains(v.Error+strings.Join(v.Stderr, " "), tc.text) {
				t.Errorf("status %d, error %q, standard error %q", v.Status, v.Error, v.Stderr)
			}
			if diff := cmp.Diff([]string{"hello"}, v.Logs); diff != "" {
				t.Errorf("log lines (-want +got):\n%s", diff)
			}
			again := invoke(t, p, `{"Say":"again"}`)
			if again.Cold == tc.kept {
				t.Errorf("another process: %v", again.Cold)
			}
			if diff := cmp.Diff([]string{"hello", "again"}, p.Logs()); diff != "" {
				t.Errorf("log lines of both (-want +got):\n%s", diff)
			}
			if len(observed) != 2 || len(p.Invocations()) != 2 || observed[0].RequestID != v.RequestID || v.RequestID == again.RequestID {
				t.Errorf("the record has %d, %d were observed", len(p.Invocations()), len(observed))
			}
		})
	}
}

func TestTemporary_FilesWithoutNamesCountUntilTheyAreClosed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the system does not tell")
	}
	p := newPlatform(t, scfemu.Config{})
	for _, step := range []struct {
		do   string
		want int64
	}{{"", 0}, {"spool", 3000}, {"", 3000}, {"let go", 0}} {
		if v := invoke(t, p, `{"Do":"`+step.do+`"}`); v.Status != scfemu.StatusOK {
			t.Fatalf("%s: %+v", step.do, v)
		}
		if got := p.Temporary(); got != step.want {
			t.Errorf("after %q there are %d bytes in the temporary folder, want %d", step.do, got, step.want)
		}
	}
}

func TestDeadline_ZeroIs1970(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, scfemu.Config{ZeroDeadline: true})
	if got := reported(t, invoke(t, p, `{}`)).Deadline; got.Unix() != 0 {
		t.Errorf("deadline %v", got)
	}
}

func TestFunction_ThatDoesNotServeIsAnInitFailure(t *testing.T) {
	t.Parallel()
	p, err := scfemu.New(scfemu.Config{Binary: "/bin/false"})
	must(t, err)
	defer func() { must(t, p.Close()) }()
	if v := invoke(t, p, `{}`); v.Status != scfemu.StatusInit {
		t.Errorf("status %d: %s", v.Status, v.Error)
	}
}

func TestConfig_IsRefusedAsThePlatformRefusesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]scfemu.Config{
		"no binary":            {Binary: filepath.Join(t.TempDir(), "none")},
		"a folder":             {Binary: t.TempDir()},
		"not executable":       {Binary: "platform_test.go"},
		"reserved variable":    {Binary: binary, Environment: map[string]string{"TENCENTCLOUD_SECRETID": "x"}},
		"too much environment": {Binary: binary, Environment: map[string]string{"A": strings.Repeat("a", 4096)}},
	} {
		if _, err := scfemu.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func push(t *testing.T, q *cloudemu.Queue, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		_, err := q.Push([]byte(payload))
		must(t, err)
	}
}

func TestRun_DeliversFailedEventsAgainAndBuriesThem(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "mark")
	p := newPlatform(t, scfemu.Config{Environment: map[string]string{"MARK": mark}})
	q := cloudemu.NewQueue(cloudemu.QueueOptions{})
	push(t, q, `{"Do":"fail once"}`, `{"Do":"fail"}`, `{"Do":"exit"}`, `{}`)
	must(t, p.Run(t.Context(), q))
	attempts := make(map[string][]int)
	for _, v := range p.Invocations() {
		attempts[string(v.Payload)] = append(attempts[string(v.Payload)], v.Status)
	}
	want := map[string][]int{
		`{"Do":"fail once"}`: {430, 200}, `{"Do":"fail"}`: {430, 430, 430}, `{"Do":"exit"}`: {439, 439, 439}, `{}`: {200},
	}
	if diff := cmp.Diff(want, attempts); diff != "" {
		t.Errorf("statuses by event (-want +got):\n%s", diff)
	}
	var dead []string
	for _, letter := range q.Dead() {
		dead = append(dead, string(letter.Payload)+" "+letter.Reason[:3])
	}
	slices.Sort(dead)
	if diff := cmp.Diff([]string{`{"Do":"exit"} 439`, `{"Do":"fail"} 430`}, dead); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

func TestRun_ServesEventsSideBySide(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, scfemu.Config{Instances: 3})
	q := cloudemu.NewQueue(cloudemu.QueueOptions{})
	push(t, q, `{"Do":"sleep","Millis":400}`, `{"Do":"sleep","Millis":400}`, `{"Do":"sleep","Millis":400}`)
	must(t, p.Run(t.Context(), q))
	served := p.Invocations()
	if len(served) != 3 || p.Starts() != 3 {
		t.Fatalf("%d invocations, %d processes", len(served), p.Starts())
	}
	for _, v := range served {
		for _, other := range served {
			if end := other.Started.Add(other.Duration); v.Started.After(end) {
				t.Errorf("invocation %d began after %d had ended", v.N, other.N)
			}
		}
	}
}

func TestRun_EventUnderWayAtItsEndIsNeitherServedNorRefused(t *testing.T) {
	t.Parallel()
	q := cloudemu.NewQueue(cloudemu.QueueOptions{})
	push(t, q, `{"Do":"sleep","Millis":60000,"Say":"began"}`)
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	p := newPlatform(t, scfemu.Config{Fault: func(scfemu.Invocation) scfemu.Fault {
		once.Do(func() { time.AfterFunc(200*time.Millisecond, cancel) })
		return scfemu.Fault{}
	}})
	if err := p.Run(ctx, q); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if queued, underway := q.Len(); queued != 0 || underway != 1 {
		t.Errorf("%d events are queued, %d under way, want 0 and 1", queued, underway)
	}
}

func TestServe_WaitsForEvents(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p := newPlatform(t, scfemu.Config{Observe: func(scfemu.Invocation) { cancel() }})
	q := cloudemu.NewQueue(cloudemu.QueueOptions{})
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, q) }()
	push(t, q, `{}`)
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestKill_EndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	var p *scfemu.Platform
	p = newPlatform(t, scfemu.Config{Fault: func(scfemu.Invocation) scfemu.Fault {
		time.AfterFunc(300*time.Millisecond, func() { p.Kill() })
		return scfemu.Fault{}
	}})
	if v := invoke(t, p, `{"Do":"sleep","Millis":60000}`); v.Status != scfemu.StatusExited {
		t.Errorf("status %d: %s", v.Status, v.Error)
	}
}

func TestTimer_Event(t *testing.T) {
	t.Parallel()
	got := string(scfemu.TimerEvent("daily", `{"group_id":"a"}`, time.Unix(0, 0)))
	want := `{"Type":"Timer","TriggerName":"daily","Time":"1970-01-01T00:00:00Z","Message":"{\"group_id\":\"a\"}"}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
