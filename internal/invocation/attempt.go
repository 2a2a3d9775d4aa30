package invocation

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	// maxAttempts is how often a task that fails is handed on before it is recorded as failed.
	maxAttempts = 3
	// maxIDBytes is well above the length of an owner and of a writer.
	maxIDBytes = 64
)

var errAttempt = errors.New("not an attempt")

// attempt is what an invocation tells the next one of a task that failed; the event carries its JSON, which nobody else
// reads. The zero value is the first attempt.
type attempt struct {
	N      int      `json:"n"`                // how often the task failed and was handed on
	Owner  string   `json:"owner,omitempty"`  // in leases, of the event that failed first: the task must not stop itself
	Failed []string `json:"failed,omitempty"` // the writers of the batches that failed: their writes may still arrive
}

// parseAttempt reads what encode wrote, and refuses what no invocation can have written. The error has no content of raw.
func parseAttempt(raw []byte) (attempt, error) {
	var a attempt
	switch {
	case len(raw) == 0:
		return attempt{}, nil
	case json.Unmarshal(raw, &a) != nil:
		return attempt{}, fmt.Errorf("%w: another JSON", errAttempt)
	case a.N < 0 || a.N > maxAttempts || len(a.Failed) > maxAttempts:
		return attempt{}, fmt.Errorf("%w: one too many", errAttempt)
	}
	for _, id := range append([]string{a.Owner}, a.Failed...) {
		if len(id) > maxIDBytes || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return attempt{}, fmt.Errorf("%w: an id that is none", errAttempt)
		}
	}
	return a, nil
}

func (a attempt) encode() ([]byte, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode attempt: %w", err)
	}
	return raw, nil
}
