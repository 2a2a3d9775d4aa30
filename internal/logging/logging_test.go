package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/logging"
)

func TestLogger_WritesOneFlatObjectInUTC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // its clock begins at 2000-01-01
		var out bytes.Buffer
		log := logging.New(&out, "info").With().Str("request_id", "r1").Logger()
		log.Error().Err(errors.New("two\nlines \x1b[31m")).Int64("lo", 4294967296).Msg("batch \"failed\"")
		if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "}\n") {
			t.Errorf("%d lines: %q", n, out.String())
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("control characters: %q", out.String())
		}
		dec := json.NewDecoder(&out)
		dec.UseNumber()
		var got map[string]any
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"level": "error", "time": "2000-01-01T00:00:00.000Z", "request_id": "r1", "lo": json.Number("4294967296"),
			"error": "two\nlines \x1b[31m", "message": "batch \"failed\"",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestLogger_HasFourLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1, "": 3, "loud": 3, "trace": 3, "disabled": 3} {
		var out bytes.Buffer
		log := logging.New(&out, level)
		log.Debug().Send()
		log.Info().Send()
		log.Warn().Send()
		log.Error().Send()
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("level %q: %d lines, want %d", level, got, want)
		}
	}
}
