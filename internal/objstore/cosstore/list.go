package cosstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// List goes through the objects whose keys begin with prefix and sort behind after, in byte order. An error ends it.
// For tools that verify or repair: COS documents listings as eventually consistent, so that nothing may be concluded
// from a missing key.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Entry, error] {
	return func(yield func(objstore.Entry, error) bool) {
		marker := ""
		if after != "" {
			marker = s.cfg.Prefix + after
		}
		for {
			page, err := s.listPage(ctx, prefix, marker)
			if err != nil {
				yield(objstore.Entry{}, err)
				return
			}
			for _, e := range page.entries {
				e.Key = strings.TrimPrefix(e.Key, s.cfg.Prefix)
				if !yield(e, nil) {
					return
				}
			}
			if page.next == "" {
				return
			}
			marker = page.next
		}
	}
}

// listed is one page with full keys; next is empty for the last one.
type listed struct {
	entries []objstore.Entry
	next    string
}

func (s *Store) listPage(ctx context.Context, prefix, marker string) (listed, error) {
	var page listed
	full := s.cfg.Prefix + prefix
	err := s.run(ctx, &call{op: "list", key: prefix}, func(ctx context.Context) *failure {
		// Without encoding-type=url one control character in any key makes the whole page unreadable.
		result, resp, err := s.client.Bucket.Get(ctx, &cos.BucketGetOptions{Prefix: full, Marker: marker, EncodingType: "url", MaxKeys: 1000})
		if f := s.failed(ctx, resp, err, true); f != nil {
			return f
		}
		page, err = readPage(result, full, marker)
		return s.failedAs(ctx, retry.Doubtful, resp, err)
	})
	return page, err
}

// readPage decodes a page and makes sure that the listing comes forward: a page that repeats keys would never end.
func readPage(result *cos.BucketGetResult, prefix, marker string) (listed, error) {
	var page listed
	last := marker
	for _, o := range result.Contents {
		key, err := url.PathUnescape(o.Key)
		if err != nil {
			return listed{}, fmt.Errorf("malformed listing: %w", err)
		}
		if key <= last && last != "" || !strings.HasPrefix(key, prefix) {
			return listed{}, errors.New("malformed listing: its keys do not ascend within the prefix")
		}
		last = key
		modified, err := time.Parse(time.RFC3339, o.LastModified)
		if err != nil {
			return listed{}, fmt.Errorf("malformed listing: %w", err)
		}
		page.entries = append(page.entries, objstore.Entry{Key: key, Size: o.Size, LastModified: modified})
	}
	if !result.IsTruncated {
		return page, nil
	}
	next, err := url.PathUnescape(result.NextMarker)
	if err != nil {
		return listed{}, fmt.Errorf("malformed listing: %w", err)
	}
	if page.next = max(next, last); page.next <= marker {
		return listed{}, errors.New("malformed listing: it says that more follows but does not come forward")
	}
	return page, nil
}
