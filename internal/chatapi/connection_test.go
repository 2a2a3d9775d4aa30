package chatapi_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
)

func TestConnectionsAreKeptAndBounded(t *testing.T) {
	t.Parallel()
	const workers, calls = 8, 10
	s := newService(t, func(w http.ResponseWriter, _ request) {
		w.WriteHeader(http.StatusBadGateway) // an error's body must be read, too, or the connection is lost
		_, _ = io.WriteString(w, strings.Repeat("<p>busy</p>", 5000))
	})
	client := newClient(t, s.URL, func(c *chatapi.Config) { c.Concurrency = 4 })
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range calls {
				if _, err := client.Page(t.Context(), newest()); err == nil {
					t.Error("page: no error")
				}
			}
		})
	}
	group.Wait()
	if n := len(s.seen()); n != workers*calls {
		t.Errorf("%d calls, want %d", n, workers*calls)
	}
	if n := s.connectionCount(); n > 4 {
		t.Errorf("%d connections for %d calls, want at most 4", n, workers*calls)
	}
	before := s.connectionCount()
	client.CloseIdleConnections()
	if _, err := client.Page(t.Context(), newest()); err == nil {
		t.Error("page: no error")
	}
	if n := s.connectionCount(); n != before+1 {
		t.Errorf("%d connections after the idle ones were closed, want %d", n, before+1)
	}
}

func TestAnAnswerThatIsGivenUpFreesItsConnection(t *testing.T) {
	t.Parallel()
	s := newService(t, func(w http.ResponseWriter, _ request) {
		for range 5 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	})
	client := newClient(t, s.URL, func(c *chatapi.Config) { c.Concurrency, c.Timeout = 1, 5*time.Second })
	for range 2 { // with one connection, the second call would wait for ever for the first one's
		if _, err := client.Page(t.Context(), newest()); !errors.Is(err, chat.ErrMalformed) {
			t.Errorf("page: %v", err)
		}
	}
}

func TestCompressedAnswersAreRead(t *testing.T) {
	t.Parallel()
	s := newService(t, func(w http.ResponseWriter, r request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			_, _ = io.WriteString(w, emptyPage)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		writeGzip(t, w, emptyPage)
	})
	if _, err := newClient(t, s.URL, nil).Page(t.Context(), newest()); err != nil {
		t.Errorf("page: %v", err)
	}
}
