package cosstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// Get returns a whole object, its checksum verified. It matches objstore.ErrNotExist only when COS said NoSuchKey,
// objstore.ErrTooLarge above layout.MaxBytes, objstore.ErrCorrupt when the bytes stay wrong.
func (s *Store) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	c := &call{op: "get", key: key}
	full, err := s.fullKey(key)
	if err != nil {
		return nil, objstore.Object{}, c.refused(err)
	}
	var body []byte
	var object objstore.Object
	err = s.run(ctx, c, func(ctx context.Context) *failure {
		resp, err := s.client.Object.Get(ctx, full, nil)
		if f := s.failed(ctx, resp, err, true); f != nil {
			return f
		}
		body, object, err = receive(resp, layout.MaxBytes(key))
		class := retry.Transient
		if errors.Is(err, objstore.ErrTooLarge) {
			class = retry.Permanent
		}
		return s.failedAs(ctx, class, resp, err)
	})
	if err != nil {
		return nil, objstore.Object{}, err
	}
	return body, object, nil
}

// Open reads an object piece by piece, for operators' commands: what has begun to be read is not tried again. It fails as
// Get does, but for ErrCorrupt, which the reader returns at the end of bytes that COS has another checksum of, instead of
// io.EOF.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	c := &call{op: "get", key: key}
	full, err := s.fullKey(key)
	if err != nil {
		return nil, objstore.Object{}, c.refused(err)
	}
	var resp *cos.Response
	var object objstore.Object
	err = s.run(ctx, c, func(ctx context.Context) *failure {
		var err error
		resp, err = s.client.Object.Get(ctx, full, nil)
		if f := s.failed(ctx, resp, err, true); f != nil {
			return f
		}
		class := retry.Transient
		object, err = describe(resp.Header, resp.ContentLength)
		switch {
		case err != nil:
		case resp.Header.Get(crcHeader) == "" || resp.ContentLength < 0:
			err = fmt.Errorf("%w: the answer has no checksum or no length", objstore.ErrCorrupt)
		case object.Size > layout.MaxBytes(key):
			class, err = retry.Permanent, fmt.Errorf("%w, of at most %d bytes", objstore.ErrTooLarge, layout.MaxBytes(key))
		}
		if err != nil {
			_ = resp.Body.Close() // nothing of it was wanted
		}
		return s.failedAs(ctx, class, resp, err)
	})
	if err != nil {
		return nil, objstore.Object{}, err
	}
	return objstore.Verified(resp.Body, object, func(err error) error {
		c.last = s.failed(ctx, resp, err, true)
		return c.failed(ctx, c.last)
	}), object, nil
}

// receive reads and verifies the body of a GET.
func receive(resp *cos.Response, limit int64) ([]byte, objstore.Object, error) {
	defer func() { _ = resp.Body.Close() }() // only reading: its error says nothing more
	tooLarge := fmt.Errorf("%w, of at most %d bytes", objstore.ErrTooLarge, limit)
	if resp.ContentLength > limit {
		return nil, objstore.Object{}, tooLarge
	}
	var b bytes.Buffer
	b.Grow(int(max(0, resp.ContentLength)) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, objstore.Object{}, fmt.Errorf("read body: %w", err)
	case n > limit:
		return nil, objstore.Object{}, tooLarge
	}
	object, err := describe(resp.Header, n)
	if err == nil && (resp.Header.Get(crcHeader) == "" || objstore.CRC64(b.Bytes()) != object.CRC64) {
		err = fmt.Errorf("%w: the object's bytes are not those that COS has a checksum of", objstore.ErrCorrupt)
	}
	return b.Bytes(), object, err
}

// Head describes an object. It matches objstore.ErrNotExist on 404, whose missing body cannot tell a missing object
// from a missing bucket, and which COS may answer for a moment after an object was written: only Get is proof. An answer
// without a checksum is asked for again, then objstore.ErrCorrupt: manifests are made of what HEAD tells.
func (s *Store) Head(ctx context.Context, key string) (objstore.Object, error) {
	c := &call{op: "head", key: key}
	full, err := s.fullKey(key)
	if err != nil {
		return objstore.Object{}, c.refused(err)
	}
	var object objstore.Object
	err = s.run(ctx, c, func(ctx context.Context) *failure {
		resp, err := s.client.Object.Head(ctx, full, nil)
		if f := s.failed(ctx, resp, err, true); f != nil {
			if f.status == http.StatusNotFound && f.code == "" {
				f.class, f.err = retry.Permanent, objstore.ErrNotExist
			}
			return f
		}
		size, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64)
		switch {
		case err != nil:
			err = errors.New("the answer has no length")
		case resp.Header.Get(crcHeader) == "": // of every object that this version wrote, COS has one
			err = fmt.Errorf("%w: the answer has no checksum", objstore.ErrCorrupt)
		default:
			object, err = describe(resp.Header, size)
		}
		return s.failed(ctx, resp, err, true)
	})
	if err != nil {
		return objstore.Object{}, err
	}
	return object, nil
}
