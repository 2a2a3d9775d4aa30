package cosstore

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// Preflight finds out whether the store can be used: credentials, the bucket, and versioning, which must never have
// been enabled, since create-only writes mean nothing then. Call it once before the first write. It matches
// objstore.ErrDenied, objstore.ErrNoBucket or objstore.ErrVersioned.
func (s *Store) Preflight(ctx context.Context) error {
	const op = "preflight"
	err := s.run(ctx, &call{op: op}, func(ctx context.Context) *failure {
		resp, err := s.client.Bucket.Head(ctx)
		f := s.failed(ctx, resp, err, true)
		if f == nil {
			return nil
		}
		switch f.status { // the answer to a HEAD has no code
		case http.StatusNotFound:
			f.class = retry.Permanent
			f.err = fmt.Errorf("%w: %s in region %s: check COS_BUCKET (name-appid) and COS_REGION", objstore.ErrNoBucket, s.cfg.Bucket, s.cfg.Region)
		case http.StatusForbidden:
			f.err = fmt.Errorf("%w: bucket %s: allow the execution role cos:HeadBucket, cos:GetBucketVersioning, cos:HeadObject, "+
				"cos:GetObject and cos:PutObject on it, and check that it belongs to this account", objstore.ErrDenied, s.cfg.Bucket)
		}
		return f
	})
	if err != nil {
		return err
	}
	return s.run(ctx, &call{op: op}, func(ctx context.Context) *failure {
		return s.checkVersioning(ctx)
	})
}

func (s *Store) checkVersioning(ctx context.Context) *failure {
	result, resp, err := s.client.Bucket.GetVersioning(ctx)
	if f := s.failed(ctx, resp, err, true); f != nil {
		if f.status == http.StatusForbidden && !f.expired {
			f.err = fmt.Errorf("%w: allow the execution role cos:GetBucketVersioning on bucket %s", objstore.ErrDenied, s.cfg.Bucket)
		}
		return f
	}
	if result.Status == "" {
		return nil
	}
	return s.versioned(ctx, resp, result.Status)
}

func (s *Store) versioned(ctx context.Context, resp *cos.Response, status string) *failure {
	f := s.failed(ctx, resp, fmt.Errorf("%w: bucket %s has versioning %s: an archive needs a bucket on which versioning was never enabled; "+
		"use a new one", objstore.ErrVersioned, s.cfg.Bucket, status), true)
	f.class = retry.Permanent
	return f
}
