package cosemu_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore/dirstore"
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

// file is where a key of the archive lies.
func file(root, key string) string { return filepath.Join(root, bucket, filepath.FromSlash(key)) }

func TestFolder_IsAnArchiveLikeAnyOther(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, c := start(t, options(root))
	const key = "data/gid=G/tid=-/0000000001.ndjson.gz"
	for _, body := range []string{"first", "second"} {
		put(t, c, key, body)
		if got, err := os.ReadFile(file(root, key)); err != nil || string(got) != body {
			t.Errorf("file holds %q (%v), want %q", got, err, body)
		}
	}
	reader, err := dirstore.Open(filepath.Join(root, bucket))
	if err != nil {
		t.Fatal(err)
	}
	if body, _, err := reader.Get(t.Context(), key); err != nil || string(body) != "second" {
		t.Errorf("a reader of the folder gets %q, %v", body, err)
	}
	if _, err := c.Object.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(root, bucket)); err != nil || len(left) != 1 {
		t.Errorf("%v (%v) left after the delete", left, err)
	}
}

func TestFolder_ChangedBytesAreServedWithTheirOldChecksum(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, c := start(t, options(root))
	put(t, c, "a.json", "abc")
	head, err := c.Object.Head(t.Context(), "a.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file(root, "a.json"), []byte("abd"), 0o600); err != nil {
		t.Fatal(err)
	}
	resp, err := c.Object.Get(t.Context(), "a.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	const name = "X-Cos-Hash-Crc64ecma"
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "abd" || resp.Header.Get(name) != head.Header.Get(name) {
		t.Errorf("%q, %v, checksum %s, want that of the old bytes, %s", body, err, resp.Header.Get(name), head.Header.Get(name))
	}
}

func TestFolder_BrokenDiskIsAnswered500(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, c := start(t, options(root))
	put(t, c, "k.json", "one")
	own := filepath.Join(root, bucket, ".chatexport")
	if err := os.Rename(filepath.Join(own, "tmp"), filepath.Join(own, "away")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Object.Put(t.Context(), "other.json", newBody("x"), nil)
	wantCode(t, "put without a disk", err, http.StatusInternalServerError, "InternalError")
	if err := errors.Join(os.Remove(file(root, "k.json")), os.Symlink("elsewhere", file(root, "k.json"))); err != nil {
		t.Fatal(err)
	}
	_, err = c.Object.Get(t.Context(), "k.json", nil)
	wantCode(t, "get of what is no file", err, http.StatusInternalServerError, "InternalError")
}

func TestFolder_BodyCutShortStoresNothing(t *testing.T) {
	t.Parallel()
	emu, c := start(t, options(t.TempDir()))
	opt := &cos.ObjectPutOptions{ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{ContentLength: 100000}}
	half := io.MultiReader(newBody(strings.Repeat("x", 50000)), iotest.ErrReader(errors.New("the client dies")))
	if _, err := c.Object.Put(t.Context(), "k", half, opt); err == nil {
		t.Error("half a body was accepted")
	}
	_, err := c.Object.Get(t.Context(), "k", nil)
	wantCode(t, "get", err, http.StatusNotFound, "NoSuchKey")
	if err := emu.Close(); err != nil {
		t.Error(err)
	}
	if n := emu.Count(cosemu.OpPut, "k"); n != 1 {
		t.Errorf("%d PUTs, want 1", n)
	}
}

func TestFolder_IsFoundAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	emu, c := start(t, options(root))
	keys := []string{"a/b", "a//b", "a/../b", "..x", "dir/", "ctl\x01", strings.Repeat("long", 50), "ü/🙂"}
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
	_, c = start(t, options(root))
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

func TestSignature_MayBePresigned(t *testing.T) {
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
