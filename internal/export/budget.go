package export

import (
	"time"

	"chatexport/internal/retry"
)

const (
	// reserveShare of the time that is left at the start is kept for what must follow the pulling: the upload of the last
	// chunks, manifest, state and continuation.
	reserveShare = 0.2
	// minReserve is four round trips to slow services; maxReserve is enough for two chunks of 16 MiB at 4 MB/s and the
	// small writes after them, so that a limit of 900 s wastes less than 2 % on it. Slower stores get more.
	minReserve = 300 * time.Millisecond
	maxReserve = 15 * time.Second
	// reserveWrites is how many of the slowest writes seen lately must fit: two chunks, a manifest and what it takes to
	// look for its place, the continuation, the state.
	reserveWrites = 5

	// landingShare of the pulling time is for segments under way to come home: none is begun in it.
	landingShare = 0.1
	maxLanding   = 2 * time.Second
)

// budget divides the time of a batch: segments are begun until lastStart, pages may arrive until pullEnd, and what
// follows must be over at deadline.
type budget struct {
	start, lastStart, pullEnd, deadline time.Time
}

// newBudget keeps a reserve that fits the time and the writes, but never more than half of the time: the rest must be
// enough to get on.
func newBudget(now, deadline time.Time, slowest time.Duration) budget {
	total := max(0, deadline.Sub(now))
	reserve := max(retry.Share(total, reserveShare, minReserve, maxReserve), reserveWrites*slowest)
	reserve = min(reserve, total/2)
	pullEnd := deadline.Add(-reserve)
	landing := retry.Share(pullEnd.Sub(now), landingShare, 0, maxLanding)
	return budget{start: now, lastStart: pullEnd.Add(-landing), pullEnd: pullEnd, deadline: deadline}
}
