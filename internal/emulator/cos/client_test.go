package cosemu_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	cosemu "chatexport/internal/emulator/cos"
)

const (
	bucket    = "examplebucket-1250000000"
	secretID  = "AKIDEXAMPLE"
	secretKey = "SECRETEXAMPLE"
	token     = "TO/KEN+EXAM=PLE"
)

func options(root string) cosemu.Options {
	return cosemu.Options{
		Root: root, Buckets: []cosemu.Bucket{{Name: bucket}},
		Credentials: cosemu.StaticCredential(secretID, cosemu.Credential{SecretKey: secretKey, Token: token}),
	}
}

// start runs an emulator and returns it with an SDK client whose URL is the production one.
func start(t *testing.T, opts cosemu.Options) (*cosemu.Server, *cos.Client) {
	t.Helper()
	emu, base := listen(t, opts)
	return emu, client(t, transport(t, base))
}

func listen(t *testing.T, opts cosemu.Options) (*cosemu.Server, string) {
	t.Helper()
	emu, base, err := cosemu.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := emu.Close(); err != nil {
			t.Error(err)
		}
	})
	return emu, base
}

// transport connects to the emulator, whatever host is asked for.
func transport(t *testing.T, base string) *http.Transport {
	t.Helper()
	tr := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(base, "http://"))
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// client signs with the right credentials, unless tr is a transport that signs by itself.
func client(t *testing.T, tr http.RoundTripper) *cos.Client {
	t.Helper()
	if _, signs := tr.(*cos.AuthorizationTransport); !signs {
		tr = &cos.AuthorizationTransport{SecretID: secretID, SecretKey: secretKey, SessionToken: token, Transport: tr}
	}
	u, err := url.Parse("http://" + bucket + ".cos.ap-guangzhou.myqcloud.com")
	if err != nil {
		t.Fatal(err)
	}
	c := cos.NewClient(&cos.BaseURL{BucketURL: u}, &http.Client{Transport: tr})
	c.Conf.RetryOpt.Count = 1
	return c
}

func newBody(text string) *strings.Reader { return strings.NewReader(text) }

func put(t *testing.T, c *cos.Client, key, body string) {
	t.Helper()
	if _, err := c.Object.Put(t.Context(), key, strings.NewReader(body), nil); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func get(t *testing.T, c *cos.Client, key string) string {
	t.Helper()
	resp, err := c.Object.Get(t.Context(), key, nil)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return string(body)
}

// wantCode proves that an SDK call was answered with this status and code.
func wantCode(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	e, ok := cos.IsCOSError(err)
	if !ok || e.Response.StatusCode != status || e.Code != code {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}

func TestReadableTreeShowsObjects(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, c := start(t, options(root))
	file := filepath.Join(root, bucket, "data", "gid=G", "tid=-", "0000000001.ndjson.gz")
	for _, body := range []string{"first", "second"} {
		put(t, c, "data/gid=G/tid=-/0000000001.ndjson.gz", body)
		if got, err := os.ReadFile(file); err != nil || string(got) != body {
			t.Errorf("file holds %q (%v), want %q", got, err, body)
		}
	}
	if _, err := c.Object.Delete(t.Context(), "data/gid=G/tid=-/0000000001.ndjson.gz"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(root, bucket)); err != nil || len(left) != 0 {
		t.Errorf("%v (%v) left after the delete", left, err)
	}
	if blobs, err := os.ReadDir(filepath.Join(root, ".cos", bucket, "blobs")); err != nil || len(blobs) != 0 {
		t.Errorf("%v (%v) left after the delete", blobs, err)
	}
}

func TestReopenRestoresEverything(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	emu, c := start(t, options(root))
	keys := []string{"a/b", "a//b", "a/../b", "..x", "dir/", "ctl\x01", strings.Repeat("long", 100), "ü/🙂"}
	for _, key := range keys {
		put(t, c, key, "body of "+key)
	}
	opt := &cos.ObjectPutOptions{ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{
		ContentType: "application/x-test", XCosMetaXXX: &http.Header{"X-Cos-Meta-Lo": {"17"}},
	}}
	if _, err := c.Object.Put(t.Context(), "a", strings.NewReader("with metadata"), opt); err != nil {
		t.Fatal(err)
	}
	before, err := c.Object.Head(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := emu.Close(); err != nil {
		t.Fatal(err)
	}
	opts := options(root)
	opts.Buckets = nil // buckets come back by themselves
	_, c = start(t, opts)
	after, err := c.Object.Head(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Content-Type", "Content-Length", "X-Cos-Meta-Lo", "Etag", "X-Cos-Hash-Crc64ecma", "Last-Modified"} {
		if before.Header.Get(name) == "" || before.Header.Get(name) != after.Header.Get(name) {
			t.Errorf("%s was %q, is %q", name, before.Header.Get(name), after.Header.Get(name))
		}
	}
	for _, key := range keys {
		if got := get(t, c, key); got != "body of "+key {
			t.Errorf("%q holds %q", key, got)
		}
	}
}

func TestPresignedRequests(t *testing.T) {
	t.Parallel()
	_, base := listen(t, options(t.TempDir()))
	tr := transport(t, base)
	c := client(t, tr)
	put(t, c, "a b/c+d#e.json", "content")
	fetch := func(u *url.URL) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, merged := range []bool{false, true} {
		u, err := c.Object.GetPresignedURL3(t.Context(), http.MethodGet, "a b/c+d#e.json", time.Minute, &cos.PresignedURLOptions{SignMerged: merged})
		if err != nil {
			t.Fatal(err)
		}
		if status, body := fetch(u); status != http.StatusOK || body != "content" {
			t.Errorf("merged %v: %d %s", merged, status, body)
		}
		u.RawQuery = strings.Replace(u.RawQuery, "q-ak", "q-ax", 1)
		if status, _ := fetch(u); status != http.StatusForbidden {
			t.Errorf("merged %v, signature changed: %d, want 403", merged, status)
		}
	}
}
