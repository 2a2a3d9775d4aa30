package cosstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/config"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

const (
	metaPrefix = "x-cos-meta-"
	crcHeader  = "x-cos-hash-crc64ecma"
)

// Store keeps objects in one bucket below one prefix. It is safe for concurrent use. Every method makes a bounded
// number of attempts within its context; a context that has already ended performs nothing. Errors are *objstore.Error.
type Store struct {
	cfg       Config
	transport *http.Transport
	auth      *cos.AuthorizationTransport
	client    *cos.Client
}

// SetCredentials replaces the credentials of all later requests. Call it at every invocation: the platform's role gives
// new ones before the old expire. Empty ones make every operation fail with objstore.ErrDenied.
func (s *Store) SetCredentials(c config.Credentials) {
	s.auth.SetCredential(c.SecretID.Reveal(), c.SecretKey.Reveal(), c.Token.Reveal())
}

// CloseIdleConnections drops connections that may have died while the process was frozen. Call it when an invocation
// begins.
func (s *Store) CloseIdleConnections() { s.transport.CloseIdleConnections() }

// call is one operation: one or more attempts and what became of them.
type call struct {
	op, key string
	write   bool

	attempts int
	unknown  bool // some attempt of a write may have taken effect
	last     *failure
}

// attempt makes one request. It reports what went wrong, nil for success.
type attempt func(ctx context.Context) *failure

// run makes attempts until one succeeds, fails for good, or time or attempts are used up.
func (s *Store) run(ctx context.Context, c *call, try attempt) error {
	if ctx.Err() != nil {
		return c.refused(retry.Ended(ctx))
	}
	if err := s.checkCredentials(); err != nil {
		return c.refused(err)
	}
	err := s.cfg.Retry.Do(ctx, func(ctx context.Context, _ int) error {
		c.attempts++
		c.last = try(ctx)
		if c.last == nil {
			return nil
		}
		c.unknown = c.unknown || c.last.unknown
		return c.last
	})
	if err == nil {
		return nil
	}
	return c.failed(ctx, err)
}

// refused is the error of an operation that sent nothing.
func (c *call) refused(err error) error {
	return &objstore.Error{Op: c.op, Key: c.key, Err: err}
}

// failed is the error of an operation whose last attempt failed.
func (c *call) failed(ctx context.Context, err error) error {
	f := c.last
	switch {
	case f == nil && ctx.Err() != nil:
		return c.refused(retry.Ended(ctx))
	case f == nil:
		return c.refused(err)
	}
	cause := f.err
	switch {
	case ctx.Err() != nil && !errors.Is(cause, ctx.Err()):
		cause = fmt.Errorf("%w; last failure: %w", retry.Ended(ctx), cause)
	case errors.Is(err, retry.ErrNoTime):
		cause = fmt.Errorf("%w; last failure: %w", retry.ErrNoTime, cause)
	}
	if c.write && c.unknown && !errors.Is(cause, objstore.ErrExist) && !errors.Is(cause, objstore.ErrVersioned) {
		cause = fmt.Errorf("%w: %w", objstore.ErrUnknown, cause)
	}
	return &objstore.Error{
		Op: c.op, Key: c.key, Status: f.status, Code: f.code, RequestID: f.requestID,
		Attempts: c.attempts, Date: f.date, Err: cause,
	}
}

// checkCredentials refuses missing ones: the SDK would send the request unsigned.
func (s *Store) checkCredentials() error {
	id, key, _, err := s.auth.GetCredential()
	if err != nil || id == "" || key == "" {
		return fmt.Errorf("%w: no credentials: give the function an execution role with access to the bucket, "+
			"which sets TENCENTCLOUD_SECRETID, TENCENTCLOUD_SECRETKEY and TENCENTCLOUD_SESSIONTOKEN", objstore.ErrDenied)
	}
	return nil
}

// traced returns a context that notes when a request has left.
func traced(ctx context.Context) (context.Context, *atomic.Bool) {
	sent := &atomic.Bool{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}), sent
}

// fullKey puts the prefix before a key, and accepts what COS stores and the SDK sends unharmed.
func (s *Store) fullKey(key string) (string, error) {
	full := s.cfg.Prefix + key
	switch err := cmp.Or(objstore.CheckKey(key), objstore.CheckKey(full)); {
	case err != nil:
		return "", err
	case path.Clean("/"+full) == "/":
		return "", fmt.Errorf("%w: the key names no object", objstore.ErrInvalid) // "." and ".." would address the bucket
	case full[0] == '/', full[0] == '\\', strings.ContainsAny(full, "\x18\x19\x1a\x1b"):
		return "", fmt.Errorf("%w: the key begins with a slash or holds a control character", objstore.ErrInvalid)
	}
	return full, nil
}

// describe reads an object's description from the headers of an answer.
func describe(h http.Header, size int64) (objstore.Object, error) {
	o := objstore.Object{
		Size: size, Metadata: map[string]string{},
		LastModified: httpDate(h.Get("Last-Modified")), Date: httpDate(h.Get("Date")),
	}
	for name, values := range h {
		if name, ok := strings.CutPrefix(strings.ToLower(name), metaPrefix); ok {
			o.Metadata[name] = values[0]
		}
	}
	if text := h.Get(crcHeader); text != "" {
		crc, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return o, fmt.Errorf("%w: malformed checksum header", objstore.ErrCorrupt)
		}
		o.CRC64 = crc
	}
	return o, nil
}
