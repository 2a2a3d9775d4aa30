package chatapi

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// newCountedSigner returns a signer whose signatures are numbered texts, and the count of them.
func newCountedSigner() (*signer, *int) {
	count := 0
	return &signer{sign: func() (string, error) {
		count++ // under the signer's lock
		return fmt.Sprintf("signature %d", count), nil
	}}, &count
}

func mustGet(t *testing.T, s *signer, now time.Time) *signature {
	t.Helper()
	got, err := s.get(now)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return got
}

func TestASignatureServesUntilATenthOfItsLifeIsLeft(t *testing.T) {
	t.Parallel()
	s, count := newCountedSigner()
	start := time.Now()
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{0, 1},
		{time.Hour, 1},
		{21*time.Hour + 35*time.Minute, 1},
		{21*time.Hour + 36*time.Minute, 2},
		{40 * time.Hour, 2},
		{30 * time.Hour, 2},
		{21 * time.Hour, 3}, // the clock was set back before the moment of signing
	} {
		mustGet(t, s, start.Add(step.after))
		if *count != step.want {
			t.Errorf("after %v: %d signatures, want %d", step.after, *count, step.want)
		}
	}
}

func TestCallersThatFailTogetherCauseOneSignature(t *testing.T) {
	t.Parallel()
	s, count := newCountedSigner()
	now := time.Now()
	old := mustGet(t, s, now)
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if !s.refused(old, now) {
				t.Error("a caller was told that no other signature will come")
			}
			if got, err := s.get(now); err != nil || got == old {
				t.Errorf("the refused signature again: %v", err)
			}
		})
	}
	group.Wait()
	if *count != 2 {
		t.Errorf("%d signatures, want 2", *count)
	}
}

func TestARefusedFreshSignatureIsGivenUpOnceAMinuteAtMost(t *testing.T) {
	t.Parallel()
	s, count := newCountedSigner()
	start := time.Now()
	steps := []struct {
		after time.Duration
		again bool // another attempt has a chance
		count int  // signatures used so far
	}{
		{0, true, 1},            // the first signature may be stale
		{time.Second, false, 2}, // a fresh one is refused, too
		{30 * time.Second, false, 2},
		{61 * time.Second, true, 2}, // it may be stale by now
		{62 * time.Second, false, 3},
	}
	for _, step := range steps {
		now := start.Add(step.after)
		got := mustGet(t, s, now)
		if again := s.refused(got, now); again != step.again {
			t.Errorf("after %v: another attempt %v, want %v", step.after, again, step.again)
		}
		if *count != step.count {
			t.Errorf("after %v: %d signatures, want %d", step.after, *count, step.count)
		}
	}
}
