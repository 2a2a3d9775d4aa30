package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestNumbers_AreWrittenForPeople(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ got, want string }{
		{Count(0), "0"},
		{Count(999), "999"},
		{Count(1000), "1,000"},
		{Count(int64(219963)), "219,963"},
		{Count(-1234567), "-1,234,567"},
		{Plural(1, "chunk"), "1 chunk"},
		{Plural(1200, "chunk"), "1,200 chunks"},
		{Plural(2, "batch"), "2 batches"},
		{Bytes(999), "999 B"},
		{Bytes(1000), "1.0 kB"},
		{Bytes(10_123_456), "10.1 MB"},
		{Bytes(5_000_000_000_000_000_000), "5000.0 PB"},
		{Seconds(240 * time.Millisecond), "0.24 s"},
		{Seconds(61200 * time.Millisecond), "61.2 s"},
		{ShellQuote("chatexport-demo/data/tid=-/1.gz"), "chatexport-demo/data/tid=-/1.gz"},
		{ShellQuote("it's here"), `'it'\''s here'`},
		{ShellQuote(""), "''"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func TestTable_AlignsColumns(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"group", "messages", "verdict"}, {"ubuntu", "3,197", "sound"}, {"é", "3", ""}}
	want := "group   messages  verdict\nubuntu     3,197  sound\né              3\n"
	if diff := cmp.Diff(want, Table(rows, 0, -1)); diff != "" {
		t.Error(diff)
	}
}

func TestExitCodes_AreKept(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for _, tc := range []struct {
		err  error
		code int
		text string
	}{
		{nil, CodeGood, ""},
		{Wrong(cause), CodeWrong, "chatexport: cause\n"},
		{Usage(cause), CodeUsage, "chatexport: cause\n"},
		{Service(fmt.Errorf("call: %w", cause)), CodeService, "chatexport: call: cause\n"},
		{Interrupted(cause), CodeInterrupted, "chatexport: cause\n"},
		{cause, CodeUsage, "chatexport: cause\nRun 'chatexport --help' for usage.\n"},
	} {
		var stderr strings.Builder
		command := &cobra.Command{Use: "chatexport"}
		command.SetErr(&stderr)
		if code := Exit(command, tc.err); code != tc.code || stderr.String() != tc.text {
			t.Errorf("%v: code %d and %q, want %d and %q", tc.err, code, stderr.String(), tc.code, tc.text)
		}
	}
}

func TestProgress_OffATerminalIsPlainLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := NewConsole(&out)
	stop := c.Follow("pulled", "messages", 10, func() int64 { return 5 })
	c.Line("batch %d", 1)
	c.show(progress("pulled", "messages", 5, 10))
	stop()
	if diff := cmp.Diff("batch 1\npulled: 5 of 10 messages\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestProgress_IsNeverAboveAll(t *testing.T) {
	t.Parallel()
	if got := progress("pulled", "messages", 12, 10); got != "pulled: 10 of 10 messages" {
		t.Errorf("%q", got)
	}
}

func TestProgress_StaysBelowTheLinesOfATerminal(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := NewConsole(&out)
	c.terminal, c.width = true, func() int { return 23 }
	c.show(progress("pulled", "messages", 5, -1) + ", and more than fits")
	c.Line("batch %d", 1)
	c.show("")
	want := "\r\x1b[Kpulled: 5 messages, an" + "\r\x1b[Kbatch 1\npulled: 5 messages, an" + "\r\x1b[K"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
