package view_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"

	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/view"
)

// scene is a server under way, and a person who has its address.
type scene struct {
	t       testing.TB
	address string // with the token
	origin  string
	dir     string
	client  *http.Client
}

// show starts the command on an archive that has everything, and enters.
func show(t testing.TB, args ...string) *scene {
	t.Helper()
	store, dir := clitest.Folder(t)
	clitest.Talk(t, store)
	clitest.HostileTalk(t, store)
	s := serve(t, dir, args...)
	s.get(strings.TrimPrefix(s.address, s.origin))
	return s
}

// serve starts the command on a folder.
func serve(t testing.TB, dir string, args ...string) *scene {
	t.Helper()
	out, in := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		cmd := view.Command(clitest.Env(nil))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs(append(args, "--dir", dir))
		cmd.SetOut(in)
		err := cmd.ExecuteContext(ctx)
		_ = in.CloseWithError(err)
		ended <- err
	}()
	var text strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(text.String(), "Ctrl-C") {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("%v: %s", err, text.String())
		}
		text.Write(buf[:n])
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("view ended with %v", err)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(http://[^/]+)/enter/\w+`).FindStringSubmatch(text.String())
	return &scene{t: t, address: found[0], origin: found[1], dir: dir, client: &http.Client{Jar: jar}}
}

// get returns a page that must be there.
func (s *scene) get(path string) string {
	s.t.Helper()
	r, body := s.ask(path, nil) //nolint:bodyclose // ask has closed it
	if r.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s\n%s", path, r.Status, body)
	}
	return body
}

// ask sends a request as change likes.
func (s *scene) ask(path string, change func(*http.Request)) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.origin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, string(body)
}
