package resume_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/resume"
)

type item struct {
	GroupID string `json:"group_id"`
	Sweep   bool
	Reason  string
}

type result struct {
	Via           string
	Resumed       []item
	LeftOut       []item `json:"left_out"`
	NotUnderstood []struct {
		N      int
		Reason string
	} `json:"not_understood"`
	Export *struct{ Complete bool }
}

func run(t *testing.T, env map[string]string, args ...string) (clitest.Result, result) {
	t.Helper()
	r := clitest.Run(t, resume.Command(clitest.Env(env)), append(args, "--json")...)
	var got result
	if r.Stdout != "" {
		if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil {
			t.Fatalf("%v in %s", err, r.Stdout)
		}
	}
	return r, got
}

// fail makes a stream look as if its run had failed.
func fail(t *testing.T, w *world.World, s chat.Stream, status string) {
	t.Helper()
	body, _, err := w.Store.Get(t.Context(), layout.State(s))
	if err != nil {
		t.Fatal(err)
	}
	state, err := archive.ParseState(body)
	if err != nil {
		t.Fatal(err)
	}
	state.Status = status
	state.Error = &archive.StateError{Code: "x", Text: "x", At: state.UpdatedAt, Frontier: state.Frontier}
	if body, err = state.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Overwrite(t.Context(), layout.State(s), objstore.Write{Body: body, ContentType: "application/json"}); err != nil {
		t.Fatal(err)
	}
}

// troubled is a world with a sound, a failed and a damaged stream, each with something new.
func troubled(t *testing.T) (w *world.World, failed chat.Stream) {
	t.Helper()
	w = world.New(t, world.Options{})
	good, failed, damaged := w.Group("good", 30), w.Group("failed", 30), w.Group("damaged", 30)
	w.Tick(good, failed, damaged)
	for _, s := range []chat.Stream{good, failed, damaged} {
		if err := w.Chat.Generate(s, 20, chatemu.Varied); err != nil {
			t.Fatal(err)
		}
	}
	fail(t, w, failed, archive.StatusFailed)
	fail(t, w, damaged, archive.StatusDamaged)
	return w, failed
}

func TestStuckStreamsAreHandedToTheFunction(t *testing.T) {
	t.Parallel()
	for _, requeue := range []string{"scf", "cmq"} {
		t.Run(requeue, func(t *testing.T) {
			t.Parallel()
			w, failed := troubled(t)
			w.Env["REQUEUE"], w.Env["CMQ_TOPIC"] = requeue, "topic"
			r, got := run(t, w.Env)
			if r.Code != 1 || len(got.Resumed) != 1 || got.Resumed[0].GroupID != "failed" || len(got.LeftOut) != 1 || got.LeftOut[0].GroupID != "damaged" {
				t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
			}
			if n, _ := w.Queue.Len(); n != 1 || got.Via != requeue {
				t.Errorf("%d events by %s", n, got.Via)
			}
			if _, failures := w.Drain(w.Instance()); len(failures) > 0 {
				t.Error(failures)
			}
			if report := w.Verify(failed); report.Hi != 50 {
				t.Errorf("archived to %d", report.Hi)
			}
			// The one that needs a person is left out only as long as nobody names it.
			if r, got := run(t, w.Env, "damaged", "good"); r.Code != 0 || len(got.Resumed) != 2 {
				t.Errorf("named: exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
			}
		})
	}
}

func TestStuckStreamsAreExportedFromHere(t *testing.T) {
	t.Parallel()
	w, failed := troubled(t)
	r, got := run(t, w.Env, "--here")
	if r.Code != 1 || got.Via != "here" || got.Export == nil || !got.Export.Complete {
		t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if n, _ := w.Queue.Len(); n != 0 {
		t.Errorf("%d events are queued", n)
	}
	if report := w.Verify(failed); report.Hi != 50 {
		t.Errorf("archived to %d", report.Hi)
	}
}

func TestNothingStuck(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Tick(w.Group("g", 5))
	if r, got := run(t, w.Env); r.Code != 0 || len(got.Resumed) != 0 {
		t.Errorf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if n, _ := w.Queue.Len(); n != 0 {
		t.Errorf("%d events are queued", n)
	}
}

func TestDeadLettersAndRejectedEventsAreHandedOnAgain(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	var streams []chat.Stream
	for _, id := range []string{"timer", "queue", "one", "two", "bare", "kept", "continued"} {
		streams = append(streams, w.Group(id, 10))
	}
	kept := base64.StdEncoding.EncodeToString([]byte(`{"group_id":"kept"}`))
	told := base64.StdEncoding.EncodeToString([]byte(`{"cursor":1,"run":"20261122T083000Z-1f2e3d4c"}`))
	letters := `{"Type":"Timer","TriggerName":"t","Time":"2026-11-22T08:30:00Z","Message":"{\"group_id\":\"timer\"}"}
{"Records":[{"CMQ":{"type":"topic","msgBody":"{\"group_id\":\"queue\"}"}}]}
[{"groups":[{"group_id":"one"},{"group_id":"two"}]}, {"groups":[{"group_id":"one"},{"group_id":"two"}]}]
bare
{
  "format": 1, "request_id": "r", "event": "invoke", "reason": "an older version did not understand it",
  "body_base64": "` + kept + `"
}
{"v":1,"group_id":"continued","continue":"` + told + `","attempt":"eyJuIjozfQ=="}
{"group_id": broken,
  "x": [1]
}
{"nothing":true}
`
	path := filepath.Join(t.TempDir(), "letters")
	if err := os.WriteFile(path, []byte(letters), 0o600); err != nil {
		t.Fatal(err)
	}
	r, got := run(t, w.Env, "--from", path)
	if r.Code != 1 || len(got.NotUnderstood) != 2 || got.NotUnderstood[0].N != 8 || got.NotUnderstood[1].N != 9 {
		t.Errorf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if _, failures := w.Drain(w.Instance()); len(failures) > 0 {
		t.Error(failures)
	}
	for _, s := range streams {
		if report := w.Verify(s); report.Hi != 10 {
			t.Errorf("%s is archived to %d", s, report.Hi)
		}
	}
	if len(got.Resumed) != len(streams) {
		t.Errorf("%d resumed: %+v", len(got.Resumed), got.Resumed)
	}
	if r, got := run(t, w.Env, "--from", path, "--here"); r.Code != 1 || got.Export == nil || !got.Export.Complete {
		t.Errorf("here: exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// The README begins the first sweep in this way.
func TestASweepIsBegunByHand(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("g", 30)
	command := resume.Command(clitest.Env(w.Env))
	command.SetIn(strings.NewReader(`{"sweep":{}}` + "\n"))
	if r := clitest.Run(t, command, "--from", "-"); r.Code != 0 || !strings.Contains(r.Stdout, "sweep: handed to the function") {
		t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if _, failures := w.Drain(w.Instance()); len(failures) > 0 {
		t.Error(failures)
	}
	if report := w.Verify(s); report.Hi != 30 {
		t.Errorf("archived to %d", report.Hi)
	}
}

func TestEveryRecordedEventIsTakenOrTold(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "testdata", "events", "*.json"))
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d events, %v", len(paths), err)
	}
	for _, path := range paths {
		r, got := run(t, w.Env, "--from", path)
		if strings.HasSuffix(path, "malformed-empty.json") {
			if r.Code != 2 || !strings.Contains(r.Stderr, "holds no event") {
				t.Errorf("empty file: exit code %d: %s", r.Code, r.Stderr)
			}
			continue
		}
		if len(got.Resumed)+len(got.NotUnderstood) == 0 || r.Code > 1 {
			t.Errorf("%s: exit code %d: %s%s", filepath.Base(path), r.Code, r.Stdout, r.Stderr)
		}
		if malformed := strings.HasPrefix(filepath.Base(path), "malformed"); malformed && r.Code != 1 {
			t.Errorf("%s: exit code %d", filepath.Base(path), r.Code)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Tick(w.Group("g", 5))
	for args, want := range map[string]int{
		"g":                                  0,
		"g --from x":                         2,
		"--from /nowhere/x":                  2,
		"--dir " + t.TempDir():               2,
		"--dir " + t.TempDir() + "/x --here": 2,
	} {
		if r, _ := run(t, w.Env, strings.Fields(args)...); r.Code != want {
			t.Errorf("%s: exit code %d, want %d: %s", args, r.Code, want, r.Stderr)
		}
	}
	if r, _ := run(t, nil, "g"); r.Code != 2 {
		t.Errorf("no variables: exit code %d: %s", r.Code, r.Stderr)
	}
	w.Env["TENCENTCLOUD_SECRETKEY"] = "wrong"
	if r, _ := run(t, w.Env, "g"); r.Code != 3 {
		t.Errorf("wrong key: exit code %d: %s", r.Code, r.Stderr)
	}
	if text := fmt.Sprint(run(t, w.Env, "g")); strings.Contains(text, world.SecretKey) {
		t.Error("a secret is printed")
	}
}
