package cosstore

import (
	"context"
	"fmt"
	"net/http"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// Preflight finds out whether the store can be used: credentials, the bucket, and versioning, which must never have
// been enabled, since create-only writes mean nothing then. Call it once before the first write. It matches
// objstore.ErrDenied, objstore.ErrNoBucket or objstore.ErrVersioned.
func (s *Store) Preflight(ctx context.Context) error {
	return s.run(ctx, &call{op: "preflight"}, func(ctx context.Context) *failure {
		result, resp, err := s.client.Bucket.GetVersioning(ctx)
		if err == nil && result.Status != "" {
			return s.failedAs(ctx, retry.Permanent, resp, fmt.Errorf("%w: bucket %s has versioning %s: an archive needs a bucket on which "+
				"versioning was never enabled; make a new one", objstore.ErrVersioned, s.cfg.Bucket, result.Status))
		}
		f := s.failed(ctx, resp, err, true)
		if f != nil && f.status == http.StatusForbidden && f.code == "AccessDenied" {
			f.err = fmt.Errorf("%w: allow the execution role cos:GetBucketVersioning on bucket %s, and check that the bucket belongs to this account", f.err, s.cfg.Bucket)
		}
		return f
	})
}
