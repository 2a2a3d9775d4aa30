package sweep

import (
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/panics"
)

func TestAResultIsReadableHoweverLongTheErrors(t *testing.T) {
	t.Parallel()
	h := resultHeader{envelope: envelope{format, "20261122T120000Z-00000000"}}
	id := strings.Repeat("界", 40)
	for range maxNamed + 1 {
		// Quotes and control characters are the longest in JSON.
		h.Failures.add(Named{GroupID: id, TopicID: id, Outcome: archive.StatusFailed, Text: strings.Repeat("\"\x01界", 10_000)})
		h.Expired.add(Named{GroupID: id, TopicID: id, Seqs: 1 << 32})
	}
	w, err := encodeResult(h, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, _, _, err := decodeResult(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.Failures.Count != maxNamed+1 || len(got.Failures.First) != maxNamed || len(got.Expired.First) != maxNamed {
		t.Errorf("%d failures, %d and %d named", got.Failures.Count, len(got.Failures.First), len(got.Expired.First))
	}
}

func TestTheStackOfAPanicIsInTheLogOnly(t *testing.T) {
	t.Parallel()
	var logs strings.Builder
	err := panics.Logged(zerolog.New(&logs), func() error { panic(errors.New("out of range")) })
	if err == nil || err.Error() != "panic: out of range" {
		t.Errorf("%v", err)
	}
	if line := logs.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, "result_test.go") {
		t.Errorf("logged: %s", line)
	}
}
