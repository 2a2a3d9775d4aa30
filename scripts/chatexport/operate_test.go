package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/clitest"
)

func operator(t *testing.T, args ...string) invocation {
	t.Helper()
	for _, cmd := range operate(clitest.Env(nil)) {
		if cmd.Name() == args[0] {
			r := clitest.Run(t, cmd, args[1:]...)
			return invocation{r.Code, r.Stdout, r.Stderr}
		}
	}
	t.Fatalf("no command %s", args[0])
	return invocation{}
}

func TestCommands_TellHowToUseThem(t *testing.T) {
	t.Parallel()
	for _, cmd := range newRoot().Commands() {
		if cmd.Hidden || cmd.Name() == "help" {
			continue
		}
		help := command(t.Context(), cmd.Name(), "--help").stdout
		wanted := []string{"Usage:", "Examples:\n  chatexport " + cmd.Name(), cli.ExitCodes}
		if cmd.Name() != "view" { // which is for people alone
			wanted = append(wanted, "--json", "JSON")
		}
		for _, want := range wanted {
			if !strings.Contains(help, want) {
				t.Errorf("%s --help has no %q:\n%s", cmd.Name(), want, help)
			}
		}
		if wrong := command(t.Context(), cmd.Name(), "--no-such-flag"); wrong.code != 2 || !strings.Contains(wrong.stderr, "--help") {
			t.Errorf("%s: a wrong flag gives exit code %d: %s", cmd.Name(), wrong.code, wrong.stderr)
		}
	}
}

func TestCommands_EndCleanlyWhenInterrupted(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	runDemo(t, folder, "--messages", "50")
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	for _, cmd := range operate(clitest.Env(nil)) {
		args := []string{"--demo", folder}
		switch cmd.Name() {
		case "cat", "export":
			args = append(args, "lobby")
		case "files", "page":
			args = append(args, "lobby", "--out", filepath.Join(t.TempDir(), cmd.Name()))
		case "view": // whose end this is
			continue
		case "report":
			args = append(args, "--out", filepath.Join(t.TempDir(), "report.html"))
		case "restore":
			args = append(args, "--dir", filepath.Join(folder, "chat-archive-1250000000"))
		}
		got := clitest.RunContext(ctx, cmd, args...)
		if got.Code != 130 || !strings.Contains(got.Stderr, "interrupted") {
			t.Errorf("%s: exit code %d: %s", cmd.Name(), got.Code, got.Stderr)
		}
	}
}

// The examples of the documentation, on the archive that a fresh clone can make.
func TestCommands_WorkOnTheDemosArchive(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	runDemo(t, folder, "--messages", "500")
	archive := filepath.Join(folder, "chat-archive-1250000000")
	out := filepath.Join(t.TempDir(), "out")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"verify", "--dir", archive, "--read"}, "sound: 3 streams"},
		{[]string{"verify", "--demo", folder, "--source"}, " 0 missing, 0 different"},
		{[]string{"status", "--dir", archive}, "3 done, 0 running"},
		{[]string{"status", "--demo", folder, "--chat"}, "3 done, 0 running"},
		{[]string{"doctor", "--demo", folder}, "0 failed"},
		{[]string{"cat", "ubuntu", "--dir", archive, "--text", "--head", "2"}, "bannerman"},
		{[]string{"cat", "ubuntu", "--demo", folder, "--tail", "1"}, `"GroupId":"ubuntu"`},
		{[]string{"plan", "--demo", folder}, "calls a second"},
		{[]string{"export", "--demo", folder, "--out", out, "ubuntu"}, "397 messages of 1 stream archived"},
		{[]string{"verify", "--dir", out, "--read"}, "sound: 1 stream"},
		{[]string{"report", "--dir", archive, "--out", filepath.Join(t.TempDir(), "report.html")}, "report.html: 3 streams"},
		{[]string{"export", "--demo", folder, "--all"}, "0 messages of 3 streams archived"},
		{[]string{"resume", "--demo", folder}, "nothing is stuck"},
		{[]string{"repair", "--demo", folder, "--dry-run"}, "nothing is to be mended"},
		{[]string{"restore", "--demo", folder, "--dir", archive}, "0 objects written"},
		{[]string{"resume", "--demo", folder, "--here", "lobby"}, ""},
	} {
		got := operator(t, test.args...)
		if got.code != 0 || !strings.Contains(got.stdout, test.want) {
			t.Errorf("%v: exit code %d, want 0 and %q\n%s%s", test.args, got.code, test.want, got.stdout, got.stderr)
		}
		if strings.Contains(got.stdout+got.stderr, "\x1b") {
			t.Errorf("%v: colours where there is no terminal", test.args)
		}
		if test.args[0] == "cat" {
			continue
		}
		if got := operator(t, append(test.args, "--json")...); !json.Valid([]byte(got.stdout)) {
			t.Errorf("%v --json: %s%s", test.args, got.stdout, got.stderr)
		}
	}
}
