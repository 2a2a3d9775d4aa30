package sweep

import (
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

func TestNames_AResultIsReadableHoweverLongTheErrors(t *testing.T) {
	t.Parallel()
	h := header{envelope: envelope{format, "20261122T120000Z-00000000"}}
	id := strings.Repeat("界", 40)
	for range maxNamed + 1 {
		// Quotes and control characters are the longest in JSON.
		h.Lane.Failures.add(Named{Stream: chat.Stream{GroupID: id, TopicID: id}, Outcome: archive.StatusFailed, Text: strings.Repeat("\"\x01界", 10_000)})
		h.Lane.Expired.add(Named{Stream: chat.Stream{GroupID: id, TopicID: id}, Seqs: 1 << 32})
	}
	w, err := newLines().close(h)
	if err != nil {
		t.Fatal(err)
	}
	read, _, err := openLines[resultLine](w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := read.Lane; got.Failures.Count != maxNamed+1 || len(got.Failures.First) != maxNamed || len(got.Expired.First) != maxNamed {
		t.Errorf("%d failures, %d and %d named", got.Failures.Count, len(got.Failures.First), len(got.Expired.First))
	}
}
