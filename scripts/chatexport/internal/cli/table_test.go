package cli_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/internal/screen"
)

const community = "@TGS#_@TGS#cQVLVHIM62CJ@TOPIC#_@TGS#_cQVLVHIM62CJ"

// proof is a table as verify prints one.
func proof() string {
	var b cli.Lines
	b.Table([][]string{
		{"group", "from", "to", "messages", "expired", "absent", "chunks", "read", "manifests", "verdict"},
		{"sound", "1", "3,197", "3,197", "0", "0", "4", "4", "1", "sound, complete"},
		{community, "1", "12,345,678", "12,345,678", "0", "0", "120", "120", "12", "NOT SOUND: 3 findings"},
	}, 0, -1)
	b.Line("a line of its own")
	return b.String()
}

// onTerminal prints a text on a terminal that does not say how wide it is.
func onTerminal(t *testing.T, text string) string {
	t.Helper()
	var terminal bytes.Buffer
	if err := cli.Print(screen.New(&terminal), text); err != nil {
		t.Fatal(err)
	}
	return terminal.String()
}

func TestTable_FitsTheTerminalThatItIsFor(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	wide := cli.Table([][]string{
		{"ok", "variables", "complete and well formed"},
		{"failed", "COS create-only", strings.Repeat("a text of many words, ", 12)},
	}, 0, 1, 2)
	var checks cli.Lines
	checks.Table([][]string{
		{"ok", "variables", "complete and well formed"},
		{"failed", "COS create-only", strings.Repeat("a text of many words, ", 12)},
	}, 0, 1, 2)
	for name, text := range map[string]string{"proof": proof(), "checks": checks.String()} {
		shown := onTerminal(t, text)
		for line := range strings.Lines(shown) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 || strings.ContainsAny(line, "\x1b\x1e\x1f") {
				t.Errorf("%s: %d characters: %q", name, n, line)
			}
		}
		words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
		if name == "checks" && words(shown) != words(wide) {
			t.Errorf("words are lost:\n%s", shown)
		}
		if name == "proof" && (!strings.Contains(shown, community+"\n") || !strings.Contains(shown, "12,345,678") || strings.Contains(shown, "absent")) {
			t.Errorf("%s", shown)
		}
	}
	var file bytes.Buffer
	if err := cli.Print(&file, checks.String()); err != nil || file.String() != wide {
		t.Errorf("a file gets a row a line, without marks: %v\n%q", err, file.String())
	}
}

func TestColour_IsForTerminalsAndForVerdicts(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	shown := onTerminal(t, proof())
	found := regexp.MustCompile("\x1b\\[3\\dm[^\x1b]*\x1b\\[0m").FindAllString(shown, -1)
	if len(found) != 2 || found[0] != "\x1b[32msound\x1b[0m" || found[1] != "\x1b[31mNOT SOUND\x1b[0m" || strings.Contains(shown, "\nsound\x1b") || strings.HasPrefix(shown, "\x1b") {
		t.Errorf("%q in\n%s", found, shown)
	}
	var checks cli.Lines
	checks.Table([][]string{{"ok", "COS looks", "took"}, {"failed", "hand-over", "Invoke failed"}}, 0, 1, 2)
	if got, want := onTerminal(t, checks.String()), "\x1b[32mok\x1b[0m      COS looks  took\n\x1b[31mfailed\x1b[0m  hand-over  Invoke failed\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var terminal bytes.Buffer
	command := &cobra.Command{Use: "chatexport"}
	command.SetErr(screen.New(&terminal))
	cli.Exit(command, cli.Wrong(errors.New("it says \x1b[32mwell\x1b[0m")))
	if want := "\x1b[31mchatexport\x1b[0m: it says [32mwell[0m\n"; terminal.String() != want {
		t.Errorf("%q, want %q", terminal.String(), want)
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		t.Setenv("NO_COLOR", "")
		t.Setenv(name, value)
		if strings.Contains(onTerminal(t, proof()), "\x1b") {
			t.Errorf("colour despite %s", name)
		}
		t.Setenv("TERM", "xterm")
	}
}
