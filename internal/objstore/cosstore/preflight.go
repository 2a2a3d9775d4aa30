package cosstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// Preflight finds out whether the store can be used: credentials, the bucket, and versioning, which must never have
// been enabled, since create-only writes mean nothing then. Call it once before the first write. It matches
// objstore.ErrDenied, objstore.ErrNoBucket or objstore.ErrVersioned.
func (s *Store) Preflight(ctx context.Context) error {
	// Versioning first: unlike the answer to a HEAD, its answer tells why something was refused.
	err := s.run(ctx, &call{op: "preflight"}, s.checkVersioning)
	if err != nil {
		return err
	}
	return s.run(ctx, &call{op: "preflight"}, func(ctx context.Context) *failure {
		resp, err := s.client.Bucket.Head(ctx)
		f := s.failed(ctx, resp, err, true)
		s.advise(f, "cos:HeadBucket")
		return f
	})
}

func (s *Store) checkVersioning(ctx context.Context) *failure {
	result, resp, err := s.client.Bucket.GetVersioning(ctx)
	if err == nil && result.Status != "" {
		return s.failedAs(ctx, retry.Permanent, resp, fmt.Errorf("%w: bucket %s has versioning %s: an archive needs a bucket on which "+
			"versioning was never enabled; make a new one", objstore.ErrVersioned, s.cfg.Bucket, result.Status))
	}
	f := s.failed(ctx, resp, err, true)
	s.advise(f, "cos:GetBucketVersioning")
	return f
}

// advise adds what the operator can do.
func (s *Store) advise(f *failure, action string) {
	switch {
	case f == nil:
	case f.status == http.StatusNotFound:
		f.class = retry.Permanent
		f.err = fmt.Errorf("%w: %s in region %s: check COS_BUCKET (name-appid) and COS_REGION", objstore.ErrNoBucket, s.cfg.Bucket, s.cfg.Region)
	case errors.Is(f.err, objstore.ErrNoBucket):
		f.err = fmt.Errorf("%w: check COS_REGION (%s)", f.err, s.cfg.Region)
	case f.expired:
		f.err = fmt.Errorf("%w: the credentials of the execution role have expired or are wrong", f.err)
	case f.status == http.StatusForbidden && f.code != "RequestTimeTooSkewed":
		f.err = fmt.Errorf("%w: allow the execution role %s on bucket %s, and check that the bucket belongs to this account", f.err, action, s.cfg.Bucket)
	}
}
