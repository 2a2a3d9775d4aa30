package chatapi

import (
	"fmt"
	"sync"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

const (
	// sigValidity is the shortest that the documentation suggests for a UserSig.
	sigValidity = 24 * time.Hour

	// sigRenewal is the age at which less than 10 % of the validity is left.
	sigRenewal = sigValidity - sigValidity/10

	// resignInterval keeps a wrong key or clock from ending in a storm of signatures, which the service answers with
	// 70050.
	resignInterval = time.Minute

	// refusalPause is how long the service refuses an app after too many bad signatures (70050).
	refusalPause = time.Minute
)

// signature is one UserSig. Its address tells it from others: two that are signed within one second are the same text.
type signature struct {
	text   string
	signed time.Time // wall clock; the monotonic clock may stand still while an instance is frozen
}

// signer makes and renews the UserSig that all calls share. It is safe for concurrent use.
type signer struct {
	sign func() (string, error) // a closure, so that the secret key is in no field that could be printed

	mu      sync.Mutex
	current *signature // nil until the next call signs
	givenUp time.Time  // when a signature was last given up because it was refused
	pause   time.Time  // no call before this moment
}

func newSigner(sdkAppID int, key, admin string) *signer {
	return &signer{sign: func() (string, error) {
		return tencentyun.GenUserSig(sdkAppID, key, admin, int(sigValidity/time.Second))
	}}
}

// get returns the signature to use at the time now.
func (s *signer) get(now time.Time) (*signature, error) {
	now = now.Round(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		if age := now.Sub(s.current.signed); age >= 0 && age < sigRenewal {
			return s.current, nil
		}
	}
	text, err := s.sign()
	if err != nil {
		return nil, fmt.Errorf("sign UserSig: %w", err)
	}
	s.current = &signature{text: text, signed: now}
	return s.current, nil
}

// refused records that the service refused a signature, and reports whether a repeated call has a chance because it will
// use another one. However many callers fail with one signature, it is given up once, and at most one in a minute is: where
// a fresh one is refused in its turn, key, account or clock are wrong.
func (s *signer) refused(used *signature, now time.Time) bool {
	now = now.Round(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != used {
		return true
	}
	if since := now.Sub(s.givenUp); since >= 0 && since < resignInterval {
		return false
	}
	s.givenUp, s.current = now, nil
	return true
}

// locked records that the service refuses the app for a while (70050).
func (s *signer) locked(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause = now.Round(0).Add(refusalPause)
}

// wait returns how long no call may be made.
func (s *signer) wait(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The clock may have been set back: no pause is longer than it was when it began.
	return min(s.pause.Sub(now.Round(0)), refusalPause)
}
