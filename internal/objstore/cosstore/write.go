package cosstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// Create stores an object under a key that is not taken. It matches
//   - objstore.ErrExist when the key is taken, maybe by this very call: the answer to an earlier attempt may have been
//     lost, or its checksum wrong. The caller must look at what is stored, its CRC64 included;
//   - objstore.ErrUnknown when the object may have been stored although no attempt was acknowledged;
//   - objstore.ErrVersioned when it was stored, but on a bucket where create-only means nothing.
//
// Any other error means that nothing was stored.
func (s *Store) Create(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return s.put(ctx, &call{op: "create", key: key, write: true}, w, true)
}

// Overwrite stores an object, whether or not the key is taken. It matches objstore.ErrUnknown when it may have been
// stored although no attempt was acknowledged, objstore.ErrVersioned when it was stored on a bucket with versioning.
func (s *Store) Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error) {
	return s.put(ctx, &call{op: "overwrite", key: key, write: true}, w, false)
}

// put stores an object. A crash right after an attempt leaves the whole object or nothing: COS commits a PUT at once.
func (s *Store) put(ctx context.Context, c *call, w objstore.Write, createOnly bool) (objstore.Object, error) {
	full, err := s.fullKey(c.key)
	if err == nil {
		err = objstore.CheckMetadata(w.Metadata)
	}
	if err != nil {
		return objstore.Object{}, c.refused(err)
	}
	content := w.Source()
	opt := putOptions(w, content, createOnly)
	var object objstore.Object
	err = s.run(ctx, c, func(ctx context.Context) *failure {
		ctx, sent := traced(ctx)
		// A new reader for every attempt: the transport of a failed one may still be reading its own.
		resp, err := s.client.Object.Put(ctx, full, body(content), opt)
		f := s.failed(ctx, resp, err, sent.Load())
		if f != nil {
			judgeConflict(f, createOnly)
			return f
		}
		object, err = describe(resp.Header, content.Size)
		switch {
		case err != nil:
			return s.failed(ctx, resp, err, true)
		case object.CRC64 != content.CRC64:
			// COS has stored something: whether that is damaged, or its answer is, cannot be told from here.
			return s.failed(ctx, resp, fmt.Errorf("%w: COS answered with another checksum than the body has", objstore.ErrCorrupt), true)
		case resp.Header.Get("x-cos-version-id") != "":
			return s.failedAs(ctx, retry.Permanent, resp, fmt.Errorf("%w: the object was stored, but create-only means nothing there", objstore.ErrVersioned))
		}
		return nil
	})
	object.Metadata = maps.Clone(w.Metadata)
	return object, err
}

// body returns a reader of the content, and for none the one that the SDK knows to have no end to wait for.
func body(content *objstore.File) io.Reader {
	if content.Size == 0 {
		return bytes.NewReader(nil)
	}
	return content.Reader()
}

// putOptions asks COS to check the body before it stores it (Content-MD5) and, for createOnly, to refuse a taken key.
// Never a Content-Encoding: readers, this SDK among them, would then get inflated bytes that match no checksum.
func putOptions(w objstore.Write, content *objstore.File, createOnly bool) *cos.ObjectPutOptions {
	meta := http.Header{}
	for name, value := range w.Metadata {
		meta.Set(metaPrefix+name, value)
	}
	opt := &cos.ObjectPutOptions{ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{
		ContentType:   w.ContentType,
		ContentLength: content.Size, // the SDK would send it in pieces of untold length
		ContentMD5:    base64.StdEncoding.EncodeToString(content.MD5[:]),
		XCosMetaXXX:   &meta,
	}}
	if createOnly {
		opt.XOptionHeader = &http.Header{"X-Cos-Forbid-Overwrite": {"true"}}
	}
	return opt
}

// judgeConflict gives a 409 its meaning. FileAlreadyExists is final; the others tell of a write that is going on at
// this moment (PathConflict, UploadConflict), so that another attempt finds out how it ended.
func judgeConflict(f *failure, createOnly bool) {
	if f.status != http.StatusConflict {
		return
	}
	switch f.code {
	case "FileAlreadyExists", "ObjectLocked", "BucketLocked":
	default:
		f.class = retry.Transient
	}
	if createOnly {
		f.err = fmt.Errorf("%w: %s", objstore.ErrExist, f.code)
	}
}
