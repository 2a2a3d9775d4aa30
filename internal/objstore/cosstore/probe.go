package cosstore

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// MayDelete finds out whether the credentials could delete objects, which those of the function should not. It asks COS
// to delete a key below prefix that cannot exist, since it is random and new: nothing is ever lost by it.
func (s *Store) MayDelete(ctx context.Context, prefix string) (bool, error) {
	c := &call{op: "delete", key: prefix + "never-" + rand.Text()}
	full, err := s.fullKey(c.key)
	if err != nil {
		return false, c.refused(err)
	}
	err = s.run(ctx, c, func(ctx context.Context) *failure {
		resp, err := s.client.Object.Delete(ctx, full)
		f := s.failed(ctx, resp, err, true)
		if f != nil && f.status == http.StatusNotFound && !errors.Is(f.err, objstore.ErrNoBucket) {
			return nil // permitted, and there was nothing
		}
		if f != nil && f.status == http.StatusForbidden {
			f.class = retry.Permanent
		}
		return f
	})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, objstore.ErrDenied):
		return false, nil
	default:
		return false, err
	}
}
