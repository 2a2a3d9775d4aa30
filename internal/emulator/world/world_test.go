package world_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/config"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
)

// asSigning turns whatever call of a client into one of get_cos_sig, and keeps the answer.
type asSigning struct {
	next   http.RoundTripper
	url    string
	answer []byte
}

func (a *asSigning) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"RawURLs":[{"ResourceID":1,"RawURL":"` + a.url + `"}]}`
	r = r.Clone(r.Context())
	r.URL.Path, r.Body, r.ContentLength = "/v4/im_cos_msg/get_cos_sig", io.NopCloser(strings.NewReader(body)), int64(len(body))
	resp, err := a.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a.answer, err = io.ReadAll(resp.Body)
	return resp, err
}

// What the Chat service signs, the media host opens, on loopback and without sockets.
func TestWorld_ChatServiceSignsFilesOfTheMediaHost(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]world.Options{"loopback": {}, "virtual": {Virtual: true}} {
		w := world.New(t, options)
		transport := &http.Transport{}
		if w.Network != nil {
			transport.DialContext = w.Network.Dial
		}
		t.Cleanup(transport.CloseIdleConnections)
		f := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(1, 99), Access: mediaemu.Signed403})
		signing := &asSigning{next: transport, url: f.URL()}
		c, err := chatapi.New(chatapi.Config{
			SDKAppID: world.SDKAppID, SecretKey: config.NewSecret(world.SecretKey), Admin: "administrator",
			BaseURL: w.Env["CHAT_ENDPOINT"], Transport: signing,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Group(t.Context(), chat.Stream{GroupID: "g"}) // not what it asked for
		var answer struct{ PreSigURLs []struct{ PreSigURL string } }
		if err := json.Unmarshal(signing.answer, &answer); err != nil || len(answer.PreSigURLs) != 1 {
			t.Fatalf("%s: %s, %v", name, signing.answer, err)
		}
		for url, want := range map[string]int{f.URL(): http.StatusForbidden, answer.PreSigURLs[0].PreSigURL: http.StatusOK} {
			if got := status(t.Context(), t, transport, url); got != want {
				t.Errorf("%s: status %d, want %d", name, got, want)
			}
		}
	}
}

// A file that stalls costs no real time where there are no sockets, and its host notices when the client leaves.
func TestWorld_FilesStallInVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := world.New(t, world.Options{Virtual: true})
		transport := &http.Transport{DialContext: w.Network.Dial}
		defer transport.CloseIdleConnections()
		f := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(1, 99), Troubles: []mediaemu.Trouble{{Stall: mediaemu.StallBody}}})
		began := time.Now()
		ctx, leave := context.WithTimeout(t.Context(), time.Hour)
		defer leave()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		synctest.Wait()
		if !errors.Is(err, context.DeadlineExceeded) || len(body) != 49 || time.Since(began) != time.Hour {
			t.Errorf("%d bytes and %v after %v", len(body), err, time.Since(began))
		}
		if n := w.Media.Counters(); n.Statuses[0] != 1 {
			t.Errorf("the host still waits: %+v", n)
		}
	})
}

func status(ctx context.Context, t *testing.T, transport http.RoundTripper, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
