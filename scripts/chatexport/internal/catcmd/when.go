package catcmd

import (
	"errors"
	"strconv"
	"time"
)

var errTime = errors.New("not a time: give a date (2026-11-22), a time (2026-11-22T08:30:00Z), seconds since 1970, or a duration before now (36h)")

// parseTime reads a time from the command line in seconds since 1970; 0 for none.
func parseTime(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(form, text); err == nil {
			return positive(t.Unix())
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return positive(now.Add(-d).Unix())
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return positive(n)
	}
	return 0, errTime
}

func positive(n int64) (int64, error) {
	if n <= 0 {
		return 0, errTime
	}
	return n, nil
}
