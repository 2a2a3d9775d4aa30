package sweep

import (
	"strings"
	"testing"

	"chatexport/internal/archive"
)

func TestNames_AResultIsReadableHoweverLongTheErrors(t *testing.T) {
	t.Parallel()
	h := resultHeader{envelope: envelope{format, "20261122T120000Z-00000000"}}
	id := strings.Repeat("界", 40)
	for range maxNamed + 1 {
		// Quotes and control characters are the longest in JSON.
		h.Failures.add(Named{GroupID: id, TopicID: id, Outcome: archive.StatusFailed, Text: strings.Repeat("\"\x01界", 10_000)})
		h.Expired.add(Named{GroupID: id, TopicID: id, Seqs: 1 << 32})
	}
	w, err := newLines().close(h)
	if err != nil {
		t.Fatal(err)
	}
	var got resultHeader
	if _, err := openLines[resultLine](w.Body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Failures.Count != maxNamed+1 || len(got.Failures.First) != maxNamed || len(got.Expired.First) != maxNamed {
		t.Errorf("%d failures, %d and %d named", got.Failures.Count, len(got.Failures.First), len(got.Expired.First))
	}
}
