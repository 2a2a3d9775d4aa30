package status_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/status"
)

// result is what the tests read of --json.
type result struct {
	Trouble                             bool
	Done, Running, Failing, Late, Stuck int
	AtRisk                              int `json:"at_risk"`
	Streams                             []struct {
		GroupID  string `json:"group_id"`
		TopicID  string `json:"topic_id"`
		Verdict  string
		AtRisk   bool `json:"at_risk"`
		Frontier int64
		Head     int64
		Pending  int64
		Messages int64
		Expired  int64
		Advice   string
		LastRun  *struct{ Run, Status string } `json:"last_run"`
		Error    *struct{ Code, Text string }
	}
}

func run(t *testing.T, env map[string]string, args ...string) (clitest.Result, result) {
	t.Helper()
	r := clitest.Run(t, status.Command(clitest.Env(env)), append(args, "--json")...)
	var got result
	if r.Code < 2 {
		if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil {
			t.Fatalf("%v in %s", err, r.Stdout)
		}
	}
	return r, got
}

func (r *result) names() string {
	var names []string
	for _, s := range r.Streams {
		name := s.GroupID + " " + s.Verdict
		if s.AtRisk {
			name += " at risk"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// write writes an archive of one chunk whose state was changed.
func write(t *testing.T, b *clitest.Builder, change func(*archive.State)) {
	t.Helper()
	b.Chunk(20, 1)
	b.Manifest(archive.StatusComplete)
	b.State(change)
}

func at(age time.Duration) time.Time { return time.Now().Add(-age) }

func TestStreamsAreJudgedAndSortedByTrouble(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	failure := func(s *archive.State) *archive.StateError {
		return &archive.StateError{Code: "60021", Text: "the source IP address is not allowed", At: s.UpdatedAt, Frontier: s.Frontier}
	}
	for name, change := range map[string]func(*archive.State){
		"done":  func(s *archive.State) { s.UpdatedAt = at(time.Hour) },
		"risky": func(s *archive.State) { s.UpdatedAt = at(5 * 24 * time.Hour) },
		"gone":  func(s *archive.State) { s.Status, s.UpdatedAt = archive.StatusGone, at(100*24*time.Hour) },
		"damaged": func(s *archive.State) {
			s.Status, s.UpdatedAt, s.Error = archive.StatusDamaged, at(time.Hour), failure(s)
		},
		"corrupt": func(s *archive.State) {
			s.Status, s.UpdatedAt, s.Error = archive.StatusDamaged, at(time.Hour), failure(s)
			s.Error.Code = "chunk_corrupt"
		},
		"failing": func(s *archive.State) { s.UpdatedAt, s.Error = time.Now(), failure(s) },
		"running": func(s *archive.State) {
			s.Status, s.UpdatedAt, s.Head = archive.StatusRunning, time.Now(), 500
			s.Lease = &archive.Lease{Owner: "o", Until: time.Now().Add(time.Minute)}
		},
		"abandoned": func(s *archive.State) {
			s.Status, s.UpdatedAt, s.Head = archive.StatusRunning, at(3*time.Hour), 500
			s.Lease = &archive.Lease{Owner: "o", Until: at(2 * time.Hour)}
		},
	} {
		write(t, clitest.Build(t, store, chat.Stream{GroupID: name}), change)
	}
	r, got := run(t, nil, "--dir", dir)
	if r.Code != 1 || !got.Trouble {
		t.Errorf("exit code %d, trouble %v", r.Code, got.Trouble)
	}
	counts := [6]int{got.Done, got.Running, got.Failing, got.Late, got.Stuck, got.AtRisk}
	if diff := cmp.Diff([6]int{3, 1, 1, 0, 3, len(strings.Split(got.names(), "at risk")) - 1}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	order := map[string]int{}
	for i, s := range got.Streams {
		order[s.GroupID] = i
		if s.Verdict == "stuck" && s.Advice == "" {
			t.Errorf("%s is stuck without advice", s.GroupID)
		}
		if s.LastRun == nil || s.LastRun.Status != archive.StatusComplete {
			t.Errorf("%s has no last run", s.GroupID)
		}
	}
	for _, pair := range [][2]string{{"damaged", "failing"}, {"abandoned", "failing"}, {"failing", "running"}, {"running", "done"}, {"risky", "done"}} {
		if order[pair[0]] > order[pair[1]] {
			t.Errorf("%s comes after %s: %s", pair[0], pair[1], got.names())
		}
	}
	if s := got.Streams[order["running"]]; s.Pending != 480 || s.Frontier != 21 {
		t.Errorf("running: pending %d from %d", s.Pending, s.Frontier)
	}
	text := clitest.Run(t, status.Command(clitest.Env(nil)), "--dir", dir).Stdout
	for _, want := range []string{"failing: error 60021: the source IP", "damaged: run verify on it", "corrupt: restore the chunk that the error names, or remove it", "risky                 done, at risk"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestMaxAgeIsAnAlarm(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	write(t, clitest.Build(t, store, chat.Stream{GroupID: "old"}), func(s *archive.State) { s.UpdatedAt = at(30 * time.Hour) })
	write(t, clitest.Build(t, store, chat.Stream{GroupID: "new"}), func(s *archive.State) { s.UpdatedAt = at(time.Hour) })
	write(t, clitest.Build(t, store, chat.Stream{GroupID: "gone"}), func(s *archive.State) { s.Status, s.UpdatedAt = archive.StatusGone, at(30*time.Hour) })
	// A tick that is under way, or failed, has refreshed the state: the newest manifest still tells the age.
	write(t, clitest.Build(t, store, chat.Stream{GroupID: "ticking"}), func(s *archive.State) {
		s.UpdatedAt, s.Lease = time.Now(), &archive.Lease{Owner: "o", Until: time.Now().Add(time.Minute)}
	})
	for age, want := range map[string]int{"26h": 1, "31h": 1, "0": 0} {
		r, got := run(t, nil, "--dir", dir, "--max-age", age)
		if r.Code != want {
			t.Errorf("--max-age %s: exit code %d, %s", age, r.Code, got.names())
		}
	}
	if r, got := run(t, nil, "--dir", dir, "--max-age", "26h"); got.Late != 2 {
		t.Errorf("late: %d of %s", got.Late, got.names()+r.Stderr)
	}
	if r, _ := run(t, nil, "--dir", dir, "--max-age", "26h", "new"); r.Code != 0 {
		t.Errorf("the other stream's age counts: exit code %d", r.Code)
	}
}

func TestDamagedSmallObjectsAreTroubleNotFailures(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, dir string, s chat.Stream){
		"state": func(t *testing.T, dir string, s chat.Stream) {
			clitest.Edit(t, dir, layout.State(s), func([]byte) []byte { return []byte("{}") })
		},
		"genesis": func(t *testing.T, dir string, s chat.Stream) {
			clitest.Edit(t, dir, layout.Genesis(s), func([]byte) []byte { return nil })
		},
		"manifest": func(t *testing.T, dir string, s chat.Stream) {
			clitest.Remove(t, dir, layout.Manifest(s, 46))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, dir := clitest.Folder(t)
			s := chat.Stream{GroupID: "g"}
			clitest.Sound(t, store, s)
			damage(t, dir, s)
			r, got := run(t, nil, "--dir", dir)
			if r.Code != 1 || got.Stuck != 1 || got.Streams[0].Error == nil {
				t.Errorf("exit code %d: %s", r.Code, r.Stdout+r.Stderr)
			}
		})
	}
}

func TestChatTellsWhatNoTickHasSeen(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("g", 50)
	w.Tick(s)
	if err := w.Chat.Generate(s, 30, chatemu.Varied); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]int64{"": 0, "--chat": 30} {
		r, got := run(t, w.Env, strings.Fields(args)...)
		if r.Code != 0 || len(got.Streams) != 1 || got.Streams[0].Pending != want {
			t.Errorf("%q: exit code %d, %s", args, r.Code, r.Stdout+r.Stderr)
		}
	}
}

// The file that the README has an operator write names the key as the Serverless command line does.
func TestTheFileForTheDeploymentIsEnough(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Tick(w.Group("g", 5))
	names := strings.NewReplacer(
		"TENCENTCLOUD_SECRETID", "TENCENT_SECRET_ID", "TENCENTCLOUD_SECRETKEY", "TENCENT_SECRET_KEY", "TENCENTCLOUD_SESSIONTOKEN", "TENCENT_TOKEN")
	var lines strings.Builder
	for name, value := range w.Env {
		lines.WriteString(names.Replace(name) + "='" + value + "'\n")
	}
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, got := run(t, nil, "--env-file", path); r.Code != 0 || got.Done != 1 {
		t.Errorf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Sound(t, store, chat.Stream{GroupID: "g"})
	w := world.New(t, world.Options{})
	for args, want := range map[string]int{
		"--dir " + dir + "/nowhere":       2,
		"--dir " + dir + " other":         2,
		"--dir " + dir + " --max-age -1h": 2,
		"--dir " + dir + " --chat":        2,
		"":                                2,
	} {
		if r, _ := run(t, nil, strings.Fields(args)...); r.Code != want {
			t.Errorf("%q: exit code %d, want %d: %s", args, r.Code, want, r.Stderr)
		}
	}
	w.Env["COS_BUCKET"] = "other-1250000000"
	if r, _ := run(t, w.Env); r.Code != 3 {
		t.Errorf("no bucket: exit code %d: %s", r.Code, r.Stderr)
	}
}
