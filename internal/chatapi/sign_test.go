package chatapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

// virtual answers without a network, so that a test can run in virtual time. It records the UserSigs.
type virtual struct {
	reply func(call int, userSig string) string
	date  func() time.Time // the service's clock; nil for the test's own

	mu       sync.Mutex
	userSigs []string
}

func (v *virtual) RoundTrip(r *http.Request) (*http.Response, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	userSig := r.URL.Query().Get("usersig")
	v.userSigs = append(v.userSigs, userSig)
	recorder := httptest.NewRecorder()
	if v.date != nil {
		recorder.Header().Set("Date", v.date().UTC().Format(http.TimeFormat))
	}
	_, _ = io.WriteString(recorder, v.reply(len(v.userSigs), userSig))
	return recorder.Result(), nil
}

func (v *virtual) client(t *testing.T) *chatapi.Client {
	t.Helper()
	return newClient(t, "https://chat.example", func(c *chatapi.Config) { c.Transport = v })
}

func TestAStaleSignatureIsRenewedAndTheCallMayBeRepeated(t *testing.T) {
	t.Parallel()
	for _, code := range []int{10008, 20002, 60004, 60005, 70001, 70003, 70005, 70052} {
		synctest.Test(t, func(t *testing.T) {
			var stale string
			v := &virtual{}
			v.reply = func(_ int, userSig string) string {
				if stale == "" || userSig == stale {
					stale = userSig
					return failure(code)
				}
				return emptyPage
			}
			client := v.client(t)
			_, err := client.Page(t.Context(), newest())
			if retry.ClassOf(err) != retry.Transient || errors.Is(err, chatapi.ErrConfiguration) {
				t.Fatalf("code %d: class %v: %v", code, retry.ClassOf(err), err)
			}
			checkClean(t, err, stale)
			time.Sleep(time.Second) // a signature of the same second is the same text
			if _, err := client.Page(t.Context(), newest()); err != nil {
				t.Errorf("code %d: the repeated call: %v", code, err)
			}
			if err := verify(v.userSigs[1], time.Now()); err != nil {
				t.Errorf("code %d: the new signature: %v", code, err)
			}
		})
	}
}

func TestASignatureThatIsRefusedFreshEndsTheTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &virtual{
			reply: func(int, string) string { return failure(70001) },
			date:  func() time.Time { return time.Now().Add(26*time.Hour + 10*time.Second) },
		}
		client := v.client(t)
		policy := retry.Policy{Base: time.Second, Cap: time.Second, Attempts: 10}
		err := policy.Do(t.Context(), func(ctx context.Context, _ int) error {
			_, err := client.Page(ctx, newest())
			return err
		})
		if !errors.Is(err, chatapi.ErrConfiguration) || retry.ClassOf(err) != retry.Permanent {
			t.Errorf("class %v: %v", retry.ClassOf(err), err)
		}
		if n := len(v.userSigs); n != 2 {
			t.Errorf("%d attempts, want 2", n)
		}
		if err == nil || !strings.Contains(err.Error(), "clock differs") || !strings.Contains(err.Error(), "26h0m") {
			t.Errorf("error does not tell how far the clocks are apart: %v", err)
		}
	})
}

func TestASignatureIsRenewedBeforeItExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &virtual{reply: func(_ int, userSig string) string {
			if verify(userSig, time.Now().Add(2*time.Hour)) != nil {
				return failure(70001)
			}
			return emptyPage
		}}
		client := v.client(t)
		for range 100 {
			if _, err := client.Page(t.Context(), newest()); err != nil {
				t.Fatalf("page: %v", err)
			}
			time.Sleep(time.Hour)
		}
		different := map[string]bool{}
		for _, userSig := range v.userSigs {
			different[userSig] = true
		}
		if len(different) != 5 {
			t.Errorf("%d signatures in 100 hours, want 5", len(different))
		}
	})
}

func TestASignatureThatWorkedIsRenewedAgainWhenItIsRefusedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &virtual{reply: func(call int, _ string) string {
			if call%2 == 1 {
				return failure(70052)
			}
			return emptyPage
		}}
		client := v.client(t)
		for round := range 3 {
			if _, err := client.Page(t.Context(), newest()); retry.ClassOf(err) != retry.Transient {
				t.Errorf("round %d: class %v: %v", round, retry.ClassOf(err), err)
			}
			if _, err := client.Page(t.Context(), newest()); err != nil {
				t.Errorf("round %d: the repeated call: %v", round, err)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestALockedAppIsLeftAloneForAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := &virtual{reply: func(call int, _ string) string {
			if call == 1 {
				return failure(70050)
			}
			return emptyPage
		}}
		client := v.client(t)
		_, err := client.Page(t.Context(), newest())
		if retry.ClassOf(err) != retry.Transient {
			t.Errorf("class %v: %v", retry.ClassOf(err), err)
		}
		start := time.Now()

		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = client.Page(short, newest())
		if retry.ClassOf(err) != retry.Permanent || !errors.Is(err, retry.ErrNoTime) || time.Since(start) != 0 {
			t.Errorf("a caller without the time to wait got this after %v: %v", time.Since(start), err)
		}
		if errors.Is(err, chatapi.ErrConfiguration) {
			t.Errorf("a caller without the time to wait blames the configuration: %v", err)
		}

		if _, err := client.Page(t.Context(), newest()); err != nil || time.Since(start) != time.Minute {
			t.Errorf("the next call came after %v: %v", time.Since(start), err)
		}
		if n := len(v.userSigs); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
		if v.userSigs[0] == v.userSigs[1] {
			t.Error("the signature was not renewed")
		}
	})
}
