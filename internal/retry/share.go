package retry

import "time"

// Share is a part of a time, at least and at most so long.
func Share(total time.Duration, part float64, least, most time.Duration) time.Duration {
	return max(least, min(most, time.Duration(part*float64(total))))
}
