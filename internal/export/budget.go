package export

import "time"

const (
	// reserveShare of the time that is left at the start is kept for what must follow the pulling: the upload of the last
	// chunks, manifest, state and continuation.
	reserveShare = 0.2
	// minReserve is four round trips to slow services; maxReserve is enough for two chunks of 16 MiB at 4 MB/s and the
	// small writes after them, so that a limit of 900 s wastes less than 2 % on it.
	minReserve = 300 * time.Millisecond
	maxReserve = 15 * time.Second

	// landingShare of the pulling time is for segments under way to come home: none is begun in it.
	landingShare = 0.1
	maxLanding   = 2 * time.Second
)

// budget divides the time of a batch: segments are begun until lastStart, pages may arrive until pullEnd, and what
// follows must be over at deadline.
type budget struct {
	start, lastStart, pullEnd, deadline time.Time
}

func newBudget(now, deadline time.Time) budget {
	total := max(0, deadline.Sub(now))
	reserve := max(minReserve, min(maxReserve, time.Duration(reserveShare*float64(total))))
	reserve = min(reserve, total/2)
	pullEnd := deadline.Add(-reserve)
	landing := min(maxLanding, time.Duration(landingShare*float64(pullEnd.Sub(now))))
	return budget{start: now, lastStart: pullEnd.Add(-landing), pullEnd: pullEnd, deadline: deadline}
}
