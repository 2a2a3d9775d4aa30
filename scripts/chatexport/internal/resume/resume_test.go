package resume_test

import (
	"path/filepath"
	"strings"
	"testing"

	"chatexport/internal/emulator/world"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/resume"
)

func TestRecordedEvent_IsTakenOrTold(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "testdata", "events", "*.json"))
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d events, %v", len(paths), err)
	}
	for _, path := range paths {
		r := clitest.Run(t, resume.Command(clitest.Env(w.Env)), "--from", path, "--force") // its groups are nowhere
		name := filepath.Base(path)
		switch {
		case name == "malformed-empty.json":
			if r.Code != 2 || !strings.Contains(r.Stderr, "holds no event") {
				t.Errorf("empty file: exit code %d: %s", r.Code, r.Stderr)
			}
		case r.Code > 1, strings.HasPrefix(name, "malformed") && r.Code != 1,
			!strings.Contains(r.Stdout, ": handed to the function") && !strings.HasPrefix(r.Stdout, "event 1: "):
			t.Errorf("%s: exit code %d: %s%s", name, r.Code, r.Stdout, r.Stderr)
		}
	}
}
