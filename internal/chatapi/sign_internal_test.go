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

func mustGet(t *testing.T, s *signer, now time.Time) signature {
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
			if !s.refused(old.number, now) {
				t.Error("a caller was told that no other signature will come")
			}
			if got, err := s.get(now); err != nil || got.number != old.number+1 {
				t.Errorf("signature %d after the refusal, want %d: %v", got.number, old.number+1, err)
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
		{61 * time.Second, false, 2}, // still no repetition, but the next call tries another
		{62 * time.Second, false, 3},
		{122 * time.Second, false, 3},
		{123 * time.Second, false, 4},
	}
	for _, step := range steps {
		now := start.Add(step.after)
		got := mustGet(t, s, now)
		if again := s.refused(got.number, now); again != step.again {
			t.Errorf("after %v: another attempt %v, want %v", step.after, again, step.again)
		}
		if *count != step.count {
			t.Errorf("after %v: %d signatures, want %d", step.after, *count, step.count)
		}
	}
}

func TestAnAcceptedSignatureMayBeRefusedLater(t *testing.T) {
	t.Parallel()
	s, _ := newCountedSigner()
	start := time.Now()
	s.refused(mustGet(t, s, start).number, start)
	second := mustGet(t, s, start)
	s.accepted(second.number)
	if s.refused(second.number, start.Add(30*time.Second)) {
		t.Error("a second signature within a minute")
	}
	later := start.Add(time.Hour)
	if !s.refused(second.number, later) {
		t.Error("no new signature for one that was accepted an hour ago and is refused now")
	}
	third := mustGet(t, s, later)
	s.accepted(second.number) // a late answer to a call with the old one
	if s.refused(third.number, later.Add(time.Hour)) {
		t.Error("the new signature counts as accepted though only the old one was")
	}
}
