package cosemu

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a key and of user metadata, from COS's documentation.
const (
	maxKeyBytes  = 850
	maxMetaBytes = 2 << 10
)

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
	createOnly, headers, apiErr := putOptions(r)
	if apiErr != nil {
		return apiErr
	}
	if fault.DiskFull {
		_, _ = io.Copy(io.Discard, r.Body) // a body cut short changes nothing
		return newError(http.StatusInternalServerError, "InternalError", "no space left on device")
	}
	bl, err := b.receive(r.Body, fault.Damage)
	switch {
	case errors.Is(err, errIncomplete):
		return newError(http.StatusBadRequest, "IncompleteBody", "The body is shorter than Content-Length says.")
	case err != nil:
		return internalError(err)
	}
	committed := false
	defer func() {
		if !committed {
			b.discard(bl)
		}
	}()
	if sum := r.Header.Get("Content-MD5"); sum != "" {
		want, err := base64.StdEncoding.DecodeString(sum)
		if err != nil || len(want) != len(bl.md5) {
			return newError(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid.")
		}
		if !slices.Equal(want, bl.md5[:]) {
			return newError(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	now := s.opts.Now()
	rec := &record{
		Key: key, Blob: bl.id, Size: bl.size, MD5: fmt.Sprintf("%x", bl.md5), CRC64: bl.crc64,
		Headers: headers, LastModified: now.UTC().Truncate(time.Second),
	}
	switch err := b.commit(rec, createOnly, now); {
	case errors.Is(err, errTaken):
		return newError(http.StatusConflict, "FileAlreadyExists", "The object you want to put already exists.")
	case err != nil:
		return internalError(err)
	}
	committed = true
	h := a.Header()
	h.Set("ETag", `"`+rec.MD5+`"`)
	h.Set(crcHeader, strconv.FormatUint(rec.CRC64, 10))
	if rec.VersionID != "" {
		h.Set(versionHeader, rec.VersionID)
	}
	a.WriteHeader(http.StatusOK)
	return nil
}

// putOptions reads what a PUT asks for besides its body.
func putOptions(r *http.Request) (createOnly bool, headers map[string]string, err *apiError) {
	invalid := func(text string) *apiError { return newError(http.StatusBadRequest, "InvalidArgument", text) }
	switch v := r.Header.Get("x-cos-forbid-overwrite"); v {
	case "true":
		createOnly = true
	case "", "false":
	default:
		return false, nil, invalid("x-cos-forbid-overwrite must be true or false")
	}
	headers = map[string]string{}
	metaBytes := 0
	for name, values := range r.Header {
		name = strings.ToLower(name)
		suffix, isMeta := strings.CutPrefix(name, metaPrefix)
		if isMeta {
			metaBytes += len(suffix) + len(values[0])
			if strings.Contains(suffix, "_") {
				return false, nil, invalid("user metadata names must not contain an underscore")
			}
		}
		if isMeta || storedHeader(name) {
			headers[name] = values[0]
		}
	}
	if metaBytes > maxMetaBytes {
		return false, nil, invalid("user metadata is longer than 2 KB")
	}
	return createOnly, headers, nil
}

// storedHeader tells the headers of a PUT that a GET gives back.
func storedHeader(name string) bool {
	switch name {
	case "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires":
		return true
	}
	return false
}

// get answers GET and HEAD; net/http brings ranges and the If- headers.
func (s *Server) get(a *answer, r *http.Request, b *bucket, req *Request, fault *Fault) *apiError {
	now := s.opts.Now()
	rec, f, err := b.read(req.Key, func(e *entry) *record {
		age := now.Sub(e.changed)
		switch {
		case fault.Stale, e.previous != nil && age < s.opts.StaleFor:
			return e.previous
		case e.previous == nil && req.Op == OpHead && age < s.opts.AbsentFor:
			return nil
		}
		return e.current
	})
	if err != nil {
		return internalError(err)
	}
	if rec == nil {
		return noSuchKey()
	}
	defer func() { _ = f.Close() }() // opened for reading
	h := a.Header()
	for name, value := range rec.Headers {
		h.Set(name, value)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/octet-stream")
	}
	h.Set("ETag", `"`+rec.MD5+`"`)
	h.Set(crcHeader, strconv.FormatUint(rec.CRC64, 10))
	if rec.VersionID != "" {
		h.Set(versionHeader, rec.VersionID)
	}
	http.ServeContent(&xmlErrors{answer: a, r: r}, r, "", rec.LastModified, f)
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
