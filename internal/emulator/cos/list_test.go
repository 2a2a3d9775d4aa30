package cosemu_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/cos-go-sdk-v5"

	cosemu "chatexport/internal/emulator/cos"
)

func TestList_Pages(t *testing.T) {
	t.Parallel()
	emu, c := start(t, options(t.TempDir()))
	keys := []string{"a", "b/1", "b/2", "b0", "c/x/1", "c/x/2", "c/y", "d e+f", "ü"}
	for _, key := range keys {
		put(t, c, key, key)
	}
	for name, test := range map[string]struct {
		opt      cos.BucketGetOptions
		want     []string
		requests int
	}{
		"all":                    {cos.BucketGetOptions{}, keys, 1},
		"pages of three":         {cos.BucketGetOptions{MaxKeys: 3}, keys, 3},
		"prefix":                 {cos.BucketGetOptions{Prefix: "c/", MaxKeys: 2}, []string{"c/x/1", "c/x/2", "c/y"}, 2},
		"marker is exclusive":    {cos.BucketGetOptions{Marker: "d e+f"}, []string{"ü"}, 1},
		"delimiter":              {cos.BucketGetOptions{Delimiter: "/"}, []string{"a", "b/", "b0", "c/", "d e+f", "ü"}, 1},
		"delimiter, pages":       {cos.BucketGetOptions{Delimiter: "/", MaxKeys: 1}, []string{"a", "b/", "b0", "c/", "d e+f", "ü"}, 6},
		"delimiter below prefix": {cos.BucketGetOptions{Delimiter: "/", Prefix: "c/"}, []string{"c/x/", "c/y"}, 1},
	} {
		emu.ResetCounts()
		var got []string
		for range 20 {
			test.opt.EncodingType = "url"
			page, _, err := c.Bucket.Get(t.Context(), &test.opt)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				got = append(got, decode(t, o.Key))
			}
			for _, p := range page.CommonPrefixes {
				got = append(got, decode(t, p))
			}
			if !page.IsTruncated {
				break
			}
			test.opt.Marker = decode(t, page.NextMarker)
		}
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if n := emu.Counts()[cosemu.OpList]; n != test.requests {
			t.Errorf("%s: %d requests, want %d", name, n, test.requests)
		}
	}
}

func decode(t *testing.T, key string) string {
	t.Helper()
	s, err := cos.DecodeURIComponent(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestList_ControlCharactersBreakAnUnencodedOne(t *testing.T) {
	t.Parallel()
	_, c := start(t, options(t.TempDir()))
	put(t, c, "ctl\x01", "x")
	if _, _, err := c.Bucket.Get(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "illegal character") {
		t.Errorf("listing: %v, want an illegal character", err)
	}
}

func TestDelete_Multi(t *testing.T) {
	t.Parallel()
	_, c := start(t, options(t.TempDir()))
	for _, key := range []string{"a", "b", "c"} {
		put(t, c, key, key)
	}
	result, _, err := c.Object.DeleteMulti(t.Context(), &cos.ObjectDeleteMultiOptions{Objects: []cos.Object{{Key: "a"}, {Key: "b"}, {Key: "missing"}}})
	if err != nil || len(result.DeletedObjects) != 3 || len(result.Errors) != 0 {
		t.Errorf("%+v (%v), want three deleted", result, err)
	}
	page, _, err := c.Bucket.Get(t.Context(), nil)
	if err != nil || len(page.Contents) != 1 || page.Contents[0].Key != "c" {
		t.Errorf("%+v (%v) left, want c", page.Contents, err)
	}
}
