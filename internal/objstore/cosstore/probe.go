package cosstore

import (
	"context"
	"crypto/md5" // Content-MD5
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// The May methods find out what the credentials could do to objects below prefix, without doing it: each asks for a key
// that cannot exist, since it is random and new. An error means that the answer told neither.

// MayDelete finds out whether objects could be deleted. Nothing is ever lost by it.
func (s *Store) MayDelete(ctx context.Context, prefix string) (bool, error) {
	return s.may(ctx, "try to delete", prefix, func(ctx context.Context, key string) (*cos.Response, error) {
		return s.client.Object.Delete(ctx, key)
	})
}

// MayCreate finds out whether new objects could be written: what an archive needs.
func (s *Store) MayCreate(ctx context.Context, prefix string) (bool, error) {
	return s.mayPut(ctx, "try to create", prefix, true, nil)
}

// MayReplace finds out whether objects could be written without create-only, and so be replaced.
func (s *Store) MayReplace(ctx context.Context, prefix string) (bool, error) {
	return s.mayPut(ctx, "try to replace", prefix, false, nil)
}

// MayPublish finds out whether new objects could be opened to everybody by an ACL of their own.
func (s *Store) MayPublish(ctx context.Context, prefix string) (bool, error) {
	return s.mayPut(ctx, "try to publish", prefix, true, &cos.ACLHeaderOptions{XCosACL: "public-read"})
}

// MayGrant finds out whether new objects could be opened to another account (uin).
func (s *Store) MayGrant(ctx context.Context, prefix, uin string) (bool, error) {
	return s.mayPut(ctx, "try to grant", prefix, true, &cos.ACLHeaderOptions{XCosGrantRead: `id="` + uin + `"`})
}

// mayPut sends a body with another one's MD5: who may write is told that they do not match, and nothing is stored.
func (s *Store) mayPut(ctx context.Context, op, prefix string, createOnly bool, acl *cos.ACLHeaderOptions) (bool, error) {
	w := objstore.Write{Body: []byte("a body"), ContentType: "application/octet-stream"}
	content := w.Source()
	content.MD5 = md5.Sum([]byte("another body"))
	opt := putOptions(w, content, createOnly)
	opt.ACLHeaderOptions = acl
	return s.may(ctx, op, prefix, func(ctx context.Context, key string) (*cos.Response, error) {
		resp, err := s.client.Object.Put(ctx, key, content.Reader(), opt)
		if err == nil {
			err = fmt.Errorf("%w: an object was stored as %s although its Content-MD5 is wrong; remove it", objstore.ErrCorrupt, key)
		}
		return resp, err
	})
}

// may makes the request. Only a refusal of the right itself is a no.
func (s *Store) may(ctx context.Context, op, prefix string, request func(ctx context.Context, key string) (*cos.Response, error)) (bool, error) {
	c := &call{op: op, key: prefix + "never-" + rand.Text()}
	full, err := s.fullKey(c.key)
	if err != nil {
		return false, c.refused(err)
	}
	err = s.run(ctx, c, func(ctx context.Context) *failure {
		resp, err := request(ctx, full)
		f := s.failed(ctx, resp, err, true)
		switch {
		case f == nil, f.code == "BadDigest", f.status == http.StatusNotFound && !errors.Is(f.err, objstore.ErrNoBucket):
			return nil // permitted
		case f.status == http.StatusForbidden, f.status == http.StatusOK:
			f.class = retry.Permanent
		}
		return f
	})
	if refusal, ok := errors.AsType[*objstore.Error](err); ok && refusal.Code == "AccessDenied" {
		return false, nil
	}
	return err == nil, err
}
