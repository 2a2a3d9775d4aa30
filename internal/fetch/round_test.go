package fetch_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatexport/internal/config"
	"chatexport/internal/fetch"
	"chatexport/internal/retry"
)

func TestFetch_HasABoundForTheWholeProcess(t *testing.T) {
	t.Parallel()
	for maxBytes, want := range map[int64]int{1: 4, 100 << 20: 4, 128 << 20: 4, 200 << 20: 2, 480 << 20: 1} {
		var mu sync.Mutex
		var now, most int
		full, once := make(chan struct{}), sync.Once{}
		s := newSite(t, func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			if now == want {
				once.Do(func() { close(full) })
			}
			mu.Unlock()
			<-full // all that may come at first have come
			mu.Lock()
			now--
			mu.Unlock()
			w.WriteHeader(http.StatusNotFound)
		})
		f := s.fetcher(t, nil, func(c *fetch.Config) { c.MaxBytes = maxBytes })
		links := make([]fetch.Link, 20)
		for i := range links {
			links[i].URL = s.link(tencent, "/a")
		}
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				err := f.For(new(retry.Caller)).Fetch(t.Context(), time.Now().Add(time.Hour), links, func(context.Context, int, *fetch.File, error) {})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got := most; got != want {
			t.Errorf("%d files of %d bytes side by side, want %d", got, maxBytes, want)
		}
	}
}

func TestFetch_BeginsNothingAfterSoft(t *testing.T) {
	t.Parallel()
	s := newSite(t, body("body"))
	f := s.fetcher(t, nil, nil)
	link := fetch.Link{URL: s.link(tencent, "/a")}
	if got := fetchUntil(t.Context(), t, f, time.Now(), link, fetch.Link{URL: "ftp://x/"}); len(got) != 0 || len(s.seen()) != 0 {
		t.Errorf("begun: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := fetchUntil(ctx, t, f, time.Now().Add(time.Hour), link); len(got) != 0 || len(s.seen()) != 0 {
		t.Errorf("begun after the end: %v", got)
	}
}

// What has begun by soft goes on: only the end of the time cuts it, and tells since when it was under way.
func TestFetch_EndsWithItsTime(t *testing.T) {
	t.Parallel()
	began := time.Now()
	hang := make(chan struct{})
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_, _ = io.WriteString(w, "bo")
			_ = http.NewResponseController(w).Flush()
			<-hang
		}
	})
	t.Cleanup(func() { close(hang) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	links := []fetch.Link{{URL: s.link(tencent, "/slow")}, {URL: s.link(tencent, "/a")}}
	f := s.fetcher(t, nil, func(c *fetch.Config) { c.MaxBytes = 480 << 20 }) // one by one
	outcomes := fetchUntil(ctx, t, f, began.Add(time.Second/2), links...)
	if got := outcomes[0]; len(outcomes) != 1 || got.String() != "failed too-slow, passing" || !errors.Is(got.failure, context.DeadlineExceeded) {
		t.Fatalf("outcomes %v", outcomes)
	}
	if at := outcomes[0].failure.Began; at.Before(began) || at.After(began.Add(time.Second/2)) {
		t.Errorf("begun %v after the beginning", at.Sub(began))
	}
}

func TestTry_IsGivenUpWhenNothingMoves(t *testing.T) {
	t.Parallel()
	for name, stalls := range map[string]func(w http.ResponseWriter, hang chan struct{}){
		"before an answer": func(_ http.ResponseWriter, hang chan struct{}) { <-hang },
		"in the body": func(w http.ResponseWriter, hang chan struct{}) {
			_, _ = io.WriteString(w, "bo")
			_ = http.NewResponseController(w).Flush()
			<-hang
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			hang := make(chan struct{})
			s := newSite(t, func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) < 3 {
					stalls(w, hang)
				}
				_, _ = io.WriteString(w, "body")
			})
			t.Cleanup(func() { close(hang) })
			change := func(c *fetch.Config) { c.HeaderTimeout, c.StallTimeout = 200*time.Millisecond, 200*time.Millisecond }
			if got := bring(t, s.fetcher(t, nil, change), fetch.Link{URL: s.link(tencent, "/a")})[0].String(); got != "body" {
				t.Errorf("got %q, want the third try's", got)
			}
			n.Store(-1000)
			if got := bring(t, s.fetcher(t, nil, change), fetch.Link{URL: s.link(tencent, "/a")})[0].String(); got != "failed timeout, passing" {
				t.Errorf("got %q, want a timeout", got)
			}
		})
	}
}

func TestFetch_PanicIsAnError(t *testing.T) {
	t.Parallel()
	s := newSite(t, body("body"))
	f := s.fetcher(t, nil, nil)
	links := make([]fetch.Link, 20)
	for i := range links {
		links[i].URL = s.link(tencent, "/a")
	}
	err := f.Fetch(t.Context(), time.Now().Add(time.Hour), links, func(_ context.Context, i int, _ *fetch.File, _ error) {
		if i == 3 {
			panic("a fault")
		}
	})
	if err == nil || !strings.Contains(err.Error(), "a fault") {
		t.Errorf("fetch: %v", err)
	}
	if got := bring(t, f, links...); len(got) != len(links) {
		t.Errorf("%d of %d links afterwards", len(got), len(links))
	}
}

const killedFolder, killedLink = "MEDIA_KILLED_FOLDER", "MEDIA_KILLED_LINK"

// TestSpool_FetchUntilKilled is no test: it is the process that TestSpool_IsGoneWithItsProcess kills.
func TestSpool_FetchUntilKilled(t *testing.T) {
	dir, link := os.Getenv(killedFolder), os.Getenv(killedLink)
	if dir == "" {
		t.Skip("only as a child process")
	}
	f := fetch.New(fetch.Config{Dir: dir, Hosts: config.Hosts{"127.0.0.1"}, Loopback: true}, nil, nil)
	_ = f.Fetch(t.Context(), time.Now().Add(time.Hour), []fetch.Link{{URL: link}}, func(context.Context, int, *fetch.File, error) {})
}

func TestSpool_IsGoneWithItsProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	server := http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 32 { // more than is under way: the file has begun
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		kill()
		<-ctx.Done()
	})}
	l := listen(t)
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSpool_FetchUntilKilled$", "-test.timeout=1m")
	child.Env = append(os.Environ(), killedFolder+"="+dir, killedLink+"=http://"+l.Addr().String()+"/a")
	if out, err := child.CombinedOutput(); ctx.Err() == nil {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	if runtime.GOOS != "windows" {
		checkEmpty(t, dir)
	}
	fetch.New(fetch.Config{Dir: dir}, nil, nil)
	checkEmpty(t, dir)
}

// While a file is fetched, another process may begin.
func TestSpool_OnlyLeftoversAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"chatexport-media-123.part", "chatexport-media-x1.part", "chatexport-media-.part", "chatexport-media-1", "other.part"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "chatexport-media-5.part"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(w http.ResponseWriter, _ *http.Request) {
		fetch.New(fetch.Config{Dir: dir}, nil, nil)
		_, _ = io.WriteString(w, "body")
	})
	f := fetch.New(fetch.Config{Dir: dir, Resolver: s.resolver(), RootCAs: s.roots}, nil, nil)
	t.Cleanup(f.CloseIdleConnections)
	err := f.Fetch(t.Context(), time.Now().Add(time.Hour), []fetch.Link{{URL: s.link(tencent, "/a")}}, func(_ context.Context, _ int, file *fetch.File, err error) {
		if there, _ := os.ReadDir(dir); runtime.GOOS != "windows" && len(there) != 5 {
			t.Errorf("while a file is stored, the folder has %v", there)
		}
		fetch.New(fetch.Config{Dir: dir}, nil, nil)
		if err != nil || file.Write().File.CopyTo(bufio.NewWriter(io.Discard)) != nil {
			t.Errorf("the file of a process that lives was taken: %v", err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if there, _ := os.ReadDir(dir); len(there) != 5 {
		t.Errorf("left are %v, want what is not ours", there)
	}
}

func TestSpool_FolderMustBeWritable(t *testing.T) {
	t.Parallel()
	s := newSite(t, body("body"))
	f := fetch.New(fetch.Config{
		Dir: filepath.Join(t.TempDir(), "missing"), Resolver: s.resolver(), RootCAs: s.roots, Retry: retry.Policy{Base: 1, Cap: 1},
	}, nil, nil)
	t.Cleanup(f.CloseIdleConnections)
	if got := bring(t, f, fetch.Link{URL: s.link(tencent, "/a")})[0]; got.String() != "failed disk, passing" || !errors.Is(got.failure, os.ErrNotExist) {
		t.Errorf("got %q: %v", got, got.failure)
	}
}
