package export_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/export"
)

// encoded and decoded are what a queue sees of a continuation.
func encoded(t simT, c *export.Continuation) []byte {
	t.Helper()
	if c == nil {
		return nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatalf("continuation: %v", err)
	}
	return raw
}

func decoded(t simT, raw []byte) export.Continuation {
	t.Helper()
	var c export.Continuation
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("continuation: %v", err)
	}
	return c
}

// What cannot be read continues nothing. No lease stops it: the run that it came from may have no other event.
func TestContinuation_UnreadableIsServedAsATick(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`x`, `[]`, `"e30="`, `{"cursor":"41"}`, `{"cursor":51,"after":1} x`,
		`{"cursor":-1}`, `{"cursor":1.5}`, `{"cursor":4294967297}`, `{"after":-1}`, `{"head":4294967297}`,
		`{"hop":-1}`, `{"hop":1073741825}`, `{"hop":9223372036854775808}`,
		`{"run":"a b"}`, `{"run":"ü"}`, `{"writer":"\n"}`, `{"run":"` + strings.Repeat("a", 65) + `"}`,
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 1000)
				first := s.done(export.Continued, turn{limit: 3 * time.Second, page: slow(200 * time.Millisecond)})
				s.done(export.AlreadyRunning, turn{})
				var logs strings.Builder
				result := s.done(export.Complete, turn{change: func(r *export.Request) {
					r.Continuation, r.Log = []byte(raw), zerolog.New(&logs)
				}})
				if result.Run == first.Run || result.Hop != 0 || !strings.Contains(logs.String(), "the continuation cannot be read") {
					t.Errorf("run %s after %s, hop %d, log %s", result.Run, first.Run, result.Hop, logs.String())
				}
				s.whole()
			})
		})
	}
}
