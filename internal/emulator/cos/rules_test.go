package cosemu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	cosemu "chatexport/internal/emulator/cos"
)

func createOnly(ctx context.Context, c *cos.Client, key, body string) (*cos.Response, error) {
	return c.Object.Put(ctx, key, strings.NewReader(body), &cos.ObjectPutOptions{
		ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{XOptionHeader: &http.Header{"X-Cos-Forbid-Overwrite": {"true"}}},
	})
}

func TestCreateOnly_OneOfManyPutsWins(t *testing.T) {
	t.Parallel()
	emu, c := start(t, options(t.TempDir()))
	errs := make([]error, 32)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { _, errs[i] = createOnly(t.Context(), c, "k", fmt.Sprint("body ", i)) })
	}
	group.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		t.Fatal("nobody won")
	}
	for i, err := range errs {
		if i != winner {
			wantCode(t, fmt.Sprint("put ", i), err, http.StatusConflict, "FileAlreadyExists")
		}
	}
	if got := get(t, c, "k"); got != fmt.Sprint("body ", winner) {
		t.Errorf("stored %q, winner %d", got, winner)
	}
	if n := emu.Count(cosemu.OpPut, "k"); n != 32 {
		t.Errorf("%d PUTs counted, want 32", n)
	}
}

func TestCreateOnly_IsVoidWithVersioning(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	emu, c := start(t, options(root))
	if _, err := createOnly(t.Context(), c, "k", "1"); err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{"Enabled", "Suspended"} {
		if _, err := c.Bucket.PutVersioning(t.Context(), &cos.BucketPutVersionOptions{Status: status}); err != nil {
			t.Fatal(err)
		}
		got, _, err := c.Bucket.GetVersioning(t.Context())
		if err != nil || got.Status != status {
			t.Errorf("versioning %q (%v), want %q", got.Status, err, status)
		}
		resp, err := createOnly(t.Context(), c, "k", status)
		if err != nil || resp.Header.Get("x-cos-version-id") == "" {
			t.Errorf("%s: put %v with version id %q, want one", status, err, resp.Header.Get("x-cos-version-id"))
		}
		if got := get(t, c, "k"); got != status {
			t.Errorf("%s: stored %q", status, got)
		}
	}
	if err := emu.SetVersioning(bucket, cosemu.VersioningNever); err == nil {
		t.Error("versioning was made undone")
	}
	if err := emu.Close(); err != nil {
		t.Fatal(err)
	}
	_, c = start(t, options(root))
	if got, _, err := c.Bucket.GetVersioning(t.Context()); err != nil || got.Status != "Suspended" {
		t.Errorf("versioning %v (%v) after reopening, want Suspended", got, err)
	}
}

func TestPut_Rules(t *testing.T) {
	t.Parallel()
	_, c := start(t, options(t.TempDir()))
	type opts = cos.ObjectPutHeaderOptions
	for name, test := range map[string]struct {
		key    string
		opt    opts
		status int
		code   string
	}{
		"wrong md5":           {"k", opts{ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA=="}, 400, "BadDigest"},
		"malformed md5":       {"k", opts{ContentMD5: "AAAA"}, 400, "InvalidDigest"},
		"forbid value":        {"k", opts{XOptionHeader: &http.Header{"X-Cos-Forbid-Overwrite": {"yes"}}}, 400, "InvalidArgument"},
		"copy":                {"k", opts{XOptionHeader: &http.Header{"X-Cos-Copy-Source": {"x"}}}, 501, "NotImplemented"},
		"metadata too long":   {"k", opts{XCosMetaXXX: &http.Header{"X-Cos-Meta-A": {strings.Repeat("x", 2048)}}}, 400, "InvalidArgument"},
		"metadata underscore": {"k", opts{XCosMetaXXX: &http.Header{"X-Cos-Meta-A_b": {"x"}}}, 400, "InvalidArgument"},
		"key too long":        {strings.Repeat("k", 851), opts{}, 400, "KeyTooLong"},
		"key with slash":      {"/k", opts{}, 400, "InvalidObjectName"},
		"key not utf-8":       {"k\xff", opts{}, 400, "InvalidObjectName"},
	} {
		_, err := c.Object.Put(t.Context(), test.key, strings.NewReader("x"), &cos.ObjectPutOptions{ObjectPutHeaderOptions: &test.opt})
		wantCode(t, name, err, test.status, test.code)
	}
	result, _, err := c.Bucket.Get(t.Context(), nil)
	if err != nil || len(result.Contents) != 0 {
		t.Errorf("%v (%v) stored by refused PUTs", result.Contents, err)
	}
	// A body without a length is accepted, and If-None-Match means nothing on PUT.
	for range 2 {
		opt := &cos.ObjectPutOptions{ObjectPutHeaderOptions: &opts{XOptionHeader: &http.Header{"If-None-Match": {"*"}}}}
		if _, err := c.Object.Put(t.Context(), "chunked", io.LimitReader(strings.NewReader("chunked body"), 7), opt); err != nil {
			t.Errorf("chunked put: %v", err)
		}
	}
	if got := get(t, c, "chunked"); got != "chunked" {
		t.Errorf("stored %q", got)
	}
}

func TestUnknownCalls_AreNotServed(t *testing.T) {
	t.Parallel()
	_, c := start(t, options(t.TempDir()))
	put(t, c, "k", "content")
	ctx := t.Context()
	_, taggingErr := c.Object.PutTagging(ctx, "k", &cos.ObjectPutTaggingOptions{})
	_, _, aclErr := c.Object.GetACL(ctx, "k")
	_, _, initErr := c.Object.InitiateMultipartUpload(ctx, "k", nil)
	_, partErr := c.Object.UploadPart(ctx, "k", "id", 1, strings.NewReader("x"), nil)
	_, versionErr := c.Object.Get(ctx, "k", nil, "version")
	_, bucketErr := c.Bucket.Put(ctx, nil)
	_, _, policyErr := c.Bucket.GetPolicy(ctx)
	for what, err := range map[string]error{
		"put tagging": taggingErr, "get acl": aclErr, "initiate upload": initErr, "upload part": partErr,
		"get version": versionErr, "put bucket": bucketErr, "get policy": policyErr,
	} {
		wantCode(t, what, err, http.StatusNotImplemented, "NotImplemented")
	}
	if got := get(t, c, "k"); got != "content" {
		t.Errorf("an unknown call changed the object to %q", got)
	}
}

func TestGet_RangesAndConditions(t *testing.T) {
	t.Parallel()
	_, c := start(t, options(t.TempDir()))
	put(t, c, "k", "0123456789")
	resp, err := c.Object.Get(t.Context(), "k", &cos.ObjectGetOptions{Range: "bytes=2-4"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "234" || resp.StatusCode != http.StatusPartialContent || resp.Header.Get("x-cos-hash-crc64ecma") == "" {
		t.Errorf("range: %d %q (%v), checksum %q", resp.StatusCode, body, err, resp.Header.Get("x-cos-hash-crc64ecma"))
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	_, err = c.Object.Get(t.Context(), "k", &cos.ObjectGetOptions{Range: "bytes=10-"})
	wantCode(t, "range behind the end", err, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
	_, err = c.Object.Get(t.Context(), "k", &cos.ObjectGetOptions{XOptionHeader: &http.Header{"If-Match": {`"x"`}}})
	wantCode(t, "if-match", err, http.StatusPreconditionFailed, "PreconditionFailed")
	_, err = c.Object.Get(t.Context(), "k", &cos.ObjectGetOptions{IfModifiedSince: time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)})
	if e, ok := cos.IsCOSError(err); !ok || e.Response.StatusCode != http.StatusNotModified {
		t.Errorf("if-modified-since: %v, want 304", err)
	}
	_, err = c.Object.Get(t.Context(), "missing", nil)
	wantCode(t, "missing", err, http.StatusNotFound, "NoSuchKey")
	_, err = c.Object.Head(t.Context(), "missing", nil)
	wantCode(t, "head of missing", err, http.StatusNotFound, "")
}

func TestBucket_ComesFromTheHost(t *testing.T) {
	t.Parallel()
	opts := options(t.TempDir())
	opts.Buckets = append(opts.Buckets, cosemu.Bucket{Name: "second-1250000000"})
	_, base := listen(t, opts)
	c := client(t, transport(t, base))
	put(t, c, "k", "in the first")
	for host, code := range map[string]string{
		"second-1250000000.cos.ap-guangzhou.myqcloud.com":  "NoSuchKey",
		"second-1250000000.cos.ap-guangzhou.tencentcos.cn": "NoSuchKey",
		"third-1250000000.cos.ap-guangzhou.myqcloud.com":   "NoSuchBucket",
		"127.0.0.1":                        "NoSuchBucket",
		"second-1250000000.s3.example.com": "NoSuchBucket",
	} {
		c.Host = host
		_, err := c.Object.Get(t.Context(), "k", nil)
		wantCode(t, host, err, http.StatusNotFound, code)
	}
}

func TestClose_EndsHangingRequests(t *testing.T) {
	t.Parallel()
	opts := options(t.TempDir())
	entered := make(chan struct{})
	opts.Fault = func(*cosemu.Request) *cosemu.Fault {
		close(entered)
		return &cosemu.Fault{Hang: true}
	}
	emu, c := start(t, opts)
	done := make(chan error, 1)
	go func() {
		_, err := c.Object.Get(context.WithoutCancel(t.Context()), "k", nil)
		done <- err
	}()
	<-entered
	if err := emu.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("get: %v, want a broken connection", err)
	}
}
