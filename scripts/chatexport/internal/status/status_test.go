package status_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/status"
)

// Files cost no request where there are none, or none that wait: a state, a genesis and a manifest a stream, and two listings.
func TestRequests_AreNoMoreForWhatHasNoFilesLeft(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	b := clitest.Build(t, w.Store, chat.Stream{GroupID: "text"})
	b.Messages(20, 1)
	b.Manifest(archive.StatusComplete)
	b.State(nil)
	b = clitest.Files(t, w.Store, chat.Stream{GroupID: "files"})
	b.State(func(s *archive.State) {
		s.Counters.Messages, s.Counters.Links, s.Media = 8, 9, &archive.TrailHint{Frontier: 31, Manifest: 31}
	})
	for args, want := range map[string]int{"text": 3, "files": 3, "text files": 6, "files --files": 8} {
		w.COS.ResetCounts()
		r := clitest.Run(t, status.Command(clitest.Env(w.Env)), strings.Fields(args)...)
		if diff := cmp.Diff(map[cosemu.Op]int{cosemu.OpGet: want, cosemu.OpList: 2}, w.COS.Counts()); diff != "" || r.Code != 0 {
			t.Errorf("%s: exit code %d, requests (-want +got):\n%s%s", args, r.Code, diff, r.Stderr)
		}
	}
}

// What the last look found costs one request, and none where there was no look.
func TestRequests_OfLooksAreOneForTheLast(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	clitest.Changed(t, w.Store, chat.Stream{GroupID: "looks"})
	w.COS.ResetCounts()
	r := clitest.Run(t, status.Command(clitest.Env(w.Env)), "looks")
	if diff := cmp.Diff(map[cosemu.Op]int{cosemu.OpGet: 3, cosemu.OpHead: 1, cosemu.OpList: 2}, w.COS.Counts()); diff != "" || !strings.Contains(r.Stdout, "1 found") {
		t.Errorf("exit code %d, requests (-want +got):\n%s%s%s", r.Code, diff, r.Stdout, r.Stderr)
	}
}
