package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"chatexport/internal/chat"
)

const (
	// maxIDBytes is well above the length of a run's id and of a writer's.
	maxIDBytes = 64
	// maxHop is far above any limit of hops, and far below where counting on would overflow.
	maxHop = 1 << 30
)

var errContinuation = errors.New("not a continuation of a run")

// Continuation is what one batch tells the next; the event carries its JSON, which nobody else reads. Everything in it
// is checked against the archive before it is used.
type Continuation struct {
	Cursor chat.Seq `json:"cursor,omitempty"` // the frontier that the batch reached
	After  chat.Seq `json:"after,omitempty"`  // lo of the chunk that ends below Cursor
	Head   chat.Seq `json:"head,omitempty"`   // the run's head
	Run    string   `json:"run,omitempty"`    // the run's id; empty if the run is listed and only trails are left: a new run begins
	Hop    int      `json:"hop,omitempty"`    // how many batches of this run went before
	Writer string   `json:"writer,omitempty"` // of the batch that hands on: a chunk of it that arrives late is no other delivery's
}

// continuation returns what the request continues; nil for a tick. What cannot be read continues nothing, and is no tick
// that a lease could stop either: the run that it came from has no other event.
func (r *Request) continuation() *Continuation {
	if len(r.Continuation) == 0 {
		return nil
	}
	c, err := parseContinuation(r.Continuation)
	if err != nil {
		r.Log.Warn().Err(err).Msg("the continuation cannot be read; the batch begins where the archive ends")
		return new(Continuation)
	}
	return &c
}

// parseContinuation reads what encode wrote, and refuses what no batch can have written. The error has no content of raw.
func parseContinuation(raw []byte) (Continuation, error) {
	var c Continuation
	if json.Unmarshal(raw, &c) != nil {
		return Continuation{}, fmt.Errorf("%w: another JSON", errContinuation)
	}
	for name, seq := range map[string]chat.Seq{"cursor": c.Cursor, "after": c.After, "head": c.Head} {
		if seq < 0 || seq > chat.MaxSeq+1 { // a frontier may be one beyond the last seq
			return Continuation{}, fmt.Errorf("%w: %s is no seq", errContinuation, name)
		}
	}
	if c.Hop < 0 || c.Hop > maxHop {
		return Continuation{}, fmt.Errorf("%w: hop is out of range", errContinuation)
	}
	for name, id := range map[string]string{"run": c.Run, "writer": c.Writer} {
		if len(id) > maxIDBytes || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return Continuation{}, fmt.Errorf("%w: %s is no id", errContinuation, name)
		}
	}
	return c, nil
}

func (c Continuation) encode() ([]byte, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode continuation: %w", err)
	}
	return raw, nil
}
