package cosemu

import (
	"bytes"
	"context"
	"crypto/md5" // what COS uses for Content-MD5
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"chatexport/internal/objstore"
)

// maxKeyBytes is the limit of a key, from COS's documentation.
const maxKeyBytes = 850

const metaPrefix = "x-cos-meta-"

func checkKey(key string) *apiError {
	switch {
	case len(key) > maxKeyBytes:
		return newError(http.StatusBadRequest, "KeyTooLong", "Your key is too long.")
	case !utf8.ValidString(key), key[0] == '/', key[0] == '\\', strings.ContainsAny(key, "\x18\x19\x1a\x1b"):
		return newError(http.StatusBadRequest, "InvalidObjectName", "The specified object name is not valid.")
	}
	return nil
}

// put stores the body. If-Match and If-None-Match are ignored: COS documents them for GET and HEAD only.
func (s *Server) put(a *answer, r *http.Request, b *bucket, key string, fault *Fault) *apiError {
	createOnly, w, apiErr := putOptions(r)
	if apiErr != nil {
		return apiErr
	}
	if fault.DiskFull {
		_, _ = io.Copy(io.Discard, r.Body) // a body cut short changes nothing
		return newError(http.StatusInternalServerError, "InternalError", "no space left on device")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return newError(http.StatusBadRequest, "IncompleteBody", "The body is shorter than Content-Length says.")
	}
	if text := r.Header.Get("Content-MD5"); text != "" {
		sum := md5.Sum(body)
		want, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(want) != len(sum) {
			return newError(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid.")
		}
		if !slices.Equal(want, sum[:]) {
			return newError(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	if fault.Damage && len(body) > 0 {
		body[0] ^= 1
	}
	w.Body = body
	o, err := b.put(context.WithoutCancel(r.Context()), key, w, createOnly, s.opts.Now())
	switch {
	case errors.Is(err, objstore.ErrExist):
		return newError(http.StatusConflict, "FileAlreadyExists", "The object you want to put already exists.")
	case err != nil:
		return internalError(err)
	}
	o.describe(a.Header())
	a.WriteHeader(http.StatusOK)
	return nil
}

// describe writes what an answer tells of an object's bytes. Clients must not take an ETag for the MD5 of the bytes,
// which it is not for every object of COS; here it never is.
func (o *object) describe(h http.Header) {
	h.Set("ETag", etag(o.CRC64))
	h.Set(crcHeader, strconv.FormatUint(o.CRC64, 10))
	if o.versionID != "" {
		h.Set(versionHeader, o.versionID)
	}
}

func etag(crc uint64) string { return fmt.Sprintf(`"%016x"`, crc) }

// putOptions reads what a PUT asks for besides its body.
func putOptions(r *http.Request) (createOnly bool, w objstore.Write, err *apiError) {
	invalid := func(text string) *apiError { return newError(http.StatusBadRequest, "InvalidArgument", text) }
	switch v := r.Header.Get("x-cos-forbid-overwrite"); v {
	case "true":
		createOnly = true
	case "", "false":
	default:
		return false, w, invalid("x-cos-forbid-overwrite must be true or false")
	}
	w = objstore.Write{ContentType: r.Header.Get("Content-Type"), Metadata: map[string]string{}}
	for name, values := range r.Header {
		switch name = strings.ToLower(name); name {
		case "cache-control", "content-disposition", "content-encoding", "content-language", "expires":
			return false, w, notImplemented(name)
		}
		if name, ok := strings.CutPrefix(name, metaPrefix); ok {
			w.Metadata[name] = values[0]
		}
	}
	if err := objstore.CheckMetadata(w.Metadata); err != nil {
		return false, w, invalid(err.Error())
	}
	return createOnly, w, nil
}

// get answers GET and HEAD; net/http brings ranges and the If- headers.
func (s *Server) get(a *answer, r *http.Request, b *bucket, req *Request, fault *Fault) *apiError {
	now := s.opts.Now()
	o, err := b.get(r.Context(), req.Key, func(c change) bool {
		age := now.Sub(c.at)
		return fault.Stale || c.previous != nil && age < s.opts.StaleFor || c.previous == nil && req.Op == OpHead && age < s.opts.AbsentFor
	})
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return noSuchKey()
	case err != nil:
		return internalError(err)
	}
	h := a.Header()
	for name, value := range o.Metadata {
		h.Set(metaPrefix+name, value)
	}
	h.Set("Content-Type", "application/octet-stream")
	o.describe(h)
	http.ServeContent(&xmlErrors{answer: a, r: r}, r, "", o.LastModified, bytes.NewReader(o.body))
	return nil
}

// xmlErrors turns the plain text errors of http.ServeContent into those of COS.
type xmlErrors struct {
	*answer

	r      *http.Request
	failed bool
}

func (x *xmlErrors) WriteHeader(status int) {
	switch status {
	case http.StatusRequestedRangeNotSatisfiable:
		x.failed = true
		x.writeError(x.r, newError(status, "InvalidRange", "The requested range cannot be satisfied."))
	case http.StatusPreconditionFailed:
		x.failed = true
		x.writeError(x.r, newError(status, "PreconditionFailed", "At least one of the pre-conditions did not hold."))
	default:
		x.answer.WriteHeader(status)
	}
}

func (x *xmlErrors) Write(p []byte) (int, error) {
	if x.failed {
		return len(p), nil
	}
	return x.answer.Write(p)
}
