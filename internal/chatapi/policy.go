package chatapi

import (
	"time"

	"chatexport/internal/retry"
)

// NewCaller returns a caller of the Chat API at the pace of a limiter. It repeats calls as the documentation advises (0.2 s
// doubling, at most 10 s apart), with one attempt more, since history that is not read in time is lost.
func NewCaller(pace *retry.Limiter) *retry.Caller {
	return &retry.Caller{Limiter: pace, Policy: retry.Policy{Base: 200 * time.Millisecond, Cap: 10 * time.Second, Attempts: 6}}
}
