package retry_test

import (
	"testing"
	"time"

	"chatexport/internal/retry"
)

func TestShare_IsBounded(t *testing.T) {
	t.Parallel()
	for total, want := range map[time.Duration]time.Duration{-time.Hour: 2, 0: 2, 10: 2, 40: 4, 100: 9, time.Hour: 9} {
		if got := retry.Share(total, 0.1, 2, 9); got != want {
			t.Errorf("of %d: %d, want %d", total, got, want)
		}
	}
}
