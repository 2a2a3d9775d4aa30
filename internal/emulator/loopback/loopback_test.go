package loopback_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"chatexport/internal/emulator/loopback"
)

func TestServe_RefusesWhatOthersCanReach(t *testing.T) {
	t.Parallel()
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "10.1.2.3:0", "192.0.2.1:80", "localhost:0", "localhost", "example.com:80", "127.0.0.1"} {
		if _, stop, err := loopback.Serve(t.Context(), address, &http.Server{Handler: http.NotFoundHandler()}); !errors.Is(err, loopback.ErrNotLoopback) {
			t.Errorf("%s: %v, want ErrNotLoopback", address, err)
			_ = stop()
		}
	}
}

// The end of its context ends a server, too, and every call that hangs.
func TestServe_StopEndsHangingCallsAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(cancel func(), stop func() error) error{
		"stop":    func(_ func(), stop func() error) error { return stop() },
		"context": func(cancel func(), _ func() error) error { cancel(); return nil },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hung := make(chan struct{})
		url, stop, err := loopback.Serve(ctx, "", &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(hung)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
			if err == nil {
				_, err = (&http.Transport{}).RoundTrip(r) //nolint:bodyclose // it fails
			}
			ended <- err
		}()
		<-hung
		if err := errors.Join(end(cancel, stop), stop(), stop()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if <-ended == nil {
			t.Errorf("%s: the hanging call was answered", name)
		}
	}
}

func TestTransport_AnswersAsAConnectionWould(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		body    string
		broken  bool // there is no answer, or no whole one
	}{
		"answer": {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "to "+r.Host) }, "to a.example", false},
		"reset":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", true},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "half")
		}, "half", true},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a.example/x", strings.NewReader("q"))
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		response, err := loopback.Transport(test.handler).RoundTrip(r)
		if err == nil {
			body, err = io.ReadAll(response.Body)
			_ = response.Body.Close() // a buffer
		}
		if string(body) != test.body || (err != nil) != test.broken {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}
