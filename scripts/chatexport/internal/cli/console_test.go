package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProgress_IsLinesOffATerminalAndTheBottomLineOfOne(t *testing.T) {
	t.Parallel()
	for terminal, want := range map[bool]string{
		false: "pulled: 5 of 10 messages\nbatch 1\npulled: 1,006 messages\n",
		true:  erase + "pulled: 5 of 10 messages" + erase + "batch 1\npulled: 5 of 10 messages" + erase + "pulled: 1,006 messages" + erase,
	} {
		var out strings.Builder
		c := NewConsole(&out)
		c.terminal = terminal
		c.show("pulled", "messages", 5, 10)
		c.Line("batch %d", 1)
		c.show("pulled", "messages", 1006, -1)
		c.end()
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("terminal %v (-want +got):\n%s", terminal, diff)
		}
	}
}
