package exportcmd_test

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/objstore/dirstore"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/exportcmd"
	"chatexport/scripts/chatexport/internal/runner"
)

func run(t *testing.T, env map[string]string, args ...string) (clitest.Result, runner.Outcome) {
	t.Helper()
	return runContext(t, t.Context(), env, args...)
}

func runContext(t *testing.T, ctx context.Context, env map[string]string, args ...string) (clitest.Result, runner.Outcome) { //nolint:revive // t first
	t.Helper()
	r := clitest.RunContext(ctx, exportcmd.Command(clitest.Env(env)), append(args, "--json")...)
	var got runner.Outcome
	if r.Stdout != "" {
		if err := json.Unmarshal([]byte(r.Stdout), &got); err != nil {
			t.Fatalf("%v in %s", err, r.Stdout)
		}
	}
	return r, got
}

// sound proves the archive in a folder, and that it holds so many lines.
func sound(t *testing.T, dir string, s chat.Stream, lines int64) {
	t.Helper()
	store, err := dirstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Stream(t.Context(), store, s, verify.Options{SDKAppID: world.SDKAppID})
	if err != nil || !report.Sound() || report.Totals.Lines() != lines || report.Finished != "complete" {
		t.Errorf("%s: %d lines, %s, findings %v, error %v", s, report.Totals.Lines(), report.Finished, report.Findings, err)
	}
}

func TestFolderGetsTheSameArchiveAsTheBucket(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("g", 250)
	dir := filepath.Join(t.TempDir(), "out")
	delete(w.Env, "COS_BUCKET") // not needed for a folder
	r, got := run(t, w.Env, "g", "--out", dir)
	if r.Code != 0 || !got.Complete || got.Streams[0].Messages != 250 || got.Streams[0].Manifest == "" {
		t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	sound(t, dir, s, 250)
	// Again: nothing new. Then more.
	if r, got := run(t, w.Env, "g", "--out", dir); r.Code != 0 || got.Streams[0].Chunks != 0 || !got.Complete {
		t.Errorf("again: exit code %d: %s", r.Code, r.Stdout)
	}
	if err := w.Chat.Generate(s, 50, chatemu.Varied); err != nil {
		t.Fatal(err)
	}
	if r, got := run(t, w.Env, "g", "--dir", dir); r.Code != 0 || got.Streams[0].Lo != 251 || got.Streams[0].Hi != 300 {
		t.Errorf("more: exit code %d: %s", r.Code, r.Stdout+r.Stderr)
	}
	sound(t, dir, s, 300)

	w.Env["COS_BUCKET"] = world.Bucket
	if r, _ := run(t, w.Env, "g"); r.Code != 0 {
		t.Errorf("to the bucket: exit code %d: %s", r.Code, r.Stderr)
	}
	w.Verify(s)
}

func TestInterruptedExportStoresWhatItHasAndGoesOn(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	var calls atomic.Int64
	w := world.New(t, world.Options{Chat: chatemu.Options{OnCall: func(chatemu.Call) {
		if calls.Add(1) == 40 {
			interrupt()
		}
	}}})
	s := w.Group("g", 2000)
	dir := filepath.Join(t.TempDir(), "out")
	r, got := runContext(t, ctx, w.Env, "g", "--out", dir)
	if r.Code != 130 || got.Complete || got.Streams[0].Outcome != "interrupted" {
		t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	stored := got.Streams[0].Messages
	if stored < 100 || stored >= 2000 {
		t.Errorf("%d messages were stored of what some 40 calls had pulled", stored)
	}
	r, got = run(t, w.Env, "g", "--out", dir)
	if r.Code != 0 || int64(got.Streams[0].Lo) != stored+1 {
		t.Errorf("going on: exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	sound(t, dir, s, 2000)
}

func TestManyBatches(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "100", "CHAT_QPS": "60", "CHAT_CONCURRENCY": "4"}})
	s := w.Group("g", 2400)
	dir := filepath.Join(t.TempDir(), "out")
	r, got := run(t, w.Env, "g", "--out", dir, "--batch", "2s")
	if r.Code != 0 || got.Streams[0].Batches < 2 {
		t.Fatalf("exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	sound(t, dir, s, 2400)
}

func TestCommunityStandsForItsTopicsAndAllForTheApp(t *testing.T) {
	t.Parallel()
	const community = "@TGS#_c"
	w := world.New(t, world.Options{})
	w.Group("g", 30)
	if err := w.Chat.AddGroup(chatemu.Group{ID: community, Type: "Community"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2"} {
		topic := chatemu.Topic{GroupID: community, ID: community + "@TOPIC#_" + id, Name: id}
		if err := w.Chat.AddTopic(topic); err != nil {
			t.Fatal(err)
		}
		if err := w.Chat.Generate(chat.Stream{GroupID: community, TopicID: topic.ID}, 20, chatemu.Varied); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "out")
	r, got := run(t, w.Env, community, "--out", dir)
	if r.Code != 0 || len(got.Streams) != 2 || got.Streams[1].Messages != 20 {
		t.Errorf("community: exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	r, got = run(t, w.Env, "--all", "--out", dir)
	if r.Code != 0 || len(got.Streams) != 3 {
		t.Errorf("all: exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	sound(t, dir, chat.Stream{GroupID: "g"}, 30)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Group("g", 30)
	if err := w.Chat.AddGroup(chatemu.Group{ID: "room", Type: "AVChatRoom"}); err != nil {
		t.Fatal(err)
	}
	out := func() string { return filepath.Join(t.TempDir(), "out") }
	broken := maps.Clone(w.Env)
	broken["CHAT_SECRET_KEY"] = "another-key-another-key"
	for name, test := range map[string]struct {
		env  map[string]string
		args []string
		want int
		text string
	}{
		"no group":               {w.Env, []string{"--out", out()}, 2, "--all"},
		"group and all":          {w.Env, []string{"g", "--all", "--out", out()}, 2, "--all"},
		"no variables":           {nil, []string{"g", "--out", out()}, 2, "CHAT_SDKAPPID"},
		"folder with else in it": {w.Env, []string{"g", "--out", "."}, 2, "not empty"},
		"room without history":   {w.Env, []string{"room", "--out", out()}, 1, "room: unsupported"},
		"no such group":          {w.Env, []string{"nobody", "--out", out()}, 1, "nobody: gone"},
		"key refused":            {broken, []string{"g", "--out", out()}, 3, "CHAT_SECRET_KEY"},
		"bad batch":              {w.Env, []string{"g", "--batch", "1h"}, 2, "--batch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := run(t, test.env, test.args...)
			if r.Code != test.want || !strings.Contains(r.Stderr, test.text) {
				t.Errorf("exit code %d, want %d with %q: %s", r.Code, test.want, test.text, r.Stderr)
			}
		})
	}
}
