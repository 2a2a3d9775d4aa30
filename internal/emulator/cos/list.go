package cosemu

import (
	"context"
	"crypto/md5" // what COS uses for Content-MD5
	"encoding/base64"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/objstore"
)

const maxListKeys = 1000

// listing is one page of GET Bucket.
type listing struct {
	prefix, delimiter, marker string
	max                       int
	encode                    bool
	contents                  []objstore.Entry
	prefixes                  []string
	next                      string
	truncated                 bool
}

// list answers GET Bucket (version 1). Keys newer than ListLag are left out, as COS documents.
func (s *Server) list(a *answer, r *http.Request, b *bucket) *apiError {
	q := r.URL.Query()
	l := &listing{prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), marker: q.Get("marker"), max: s.opts.ListMax}
	switch v := q.Get("encoding-type"); v {
	case "url":
		l.encode = true
	case "":
	default:
		return newError(http.StatusBadRequest, "InvalidArgument", "encoding-type must be url")
	}
	if v := q.Get("max-keys"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return newError(http.StatusBadRequest, "InvalidArgument", "max-keys must be a number from 0 to 1000")
		}
		l.max = min(n, s.opts.ListMax)
	}
	now := s.opts.Now()
	err := b.collect(r.Context(), l, func(c change) bool { return c.previous != nil || now.Sub(c.at) >= s.opts.ListLag })
	if err != nil {
		return internalError(err)
	}
	a.Header().Set("Content-Type", "application/xml")
	a.writeString(l.xml(b.name))
	return nil
}

// collect fills a page in the byte order of the keys.
func (b *bucket) collect(ctx context.Context, l *listing, visible func(change) bool) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	group := ""
	for found, err := range b.store.List(ctx, l.prefix, l.marker) {
		if err != nil {
			return err
		}
		key := found.Key
		c, ok := b.changes[key]
		if ok && !visible(c) || group != "" && strings.HasPrefix(key, group) {
			continue
		}
		name, isGroup := key, false
		if l.delimiter != "" {
			if i := strings.Index(key[len(l.prefix):], l.delimiter); i >= 0 {
				name, isGroup = key[:len(l.prefix)+i+len(l.delimiter)], true
			}
		}
		if isGroup && name <= l.marker {
			continue // the marker is this group, or lies behind it
		}
		if len(l.contents)+len(l.prefixes) == l.max {
			l.truncated = l.max > 0
			return nil
		}
		l.next = name
		if isGroup {
			l.prefixes, group = append(l.prefixes, name), name
			continue
		}
		if ok {
			found.LastModified = c.at
		}
		l.contents = append(l.contents, found)
	}
	return nil
}

func (l *listing) xml(bucketName string) string {
	enc := func(s string) string {
		if l.encode {
			return percentEncode(s, "-_.~/")
		}
		return s
	}
	var b strings.Builder
	b.WriteString("<?xml version='1.0' encoding='utf-8' ?>\n<ListBucketResult>")
	element(&b, "Name", bucketName)
	if l.encode {
		element(&b, "EncodingType", "url")
	}
	element(&b, "Prefix", enc(l.prefix))
	element(&b, "Marker", enc(l.marker))
	element(&b, "MaxKeys", strconv.Itoa(l.max))
	if l.delimiter != "" {
		element(&b, "Delimiter", enc(l.delimiter))
	}
	element(&b, "IsTruncated", strconv.FormatBool(l.truncated))
	if l.truncated {
		element(&b, "NextMarker", enc(l.next))
	}
	for _, o := range l.contents {
		b.WriteString("<Contents>")
		element(&b, "Key", enc(o.Key))
		element(&b, "LastModified", o.LastModified.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z"))
		element(&b, "Size", strconv.FormatInt(o.Size, 10))
		b.WriteString("<Owner><ID>1250000000</ID><DisplayName>1250000000</DisplayName></Owner>")
		element(&b, "StorageClass", "STANDARD")
		b.WriteString("</Contents>")
	}
	for _, p := range l.prefixes {
		b.WriteString("<CommonPrefixes>")
		element(&b, "Prefix", enc(p))
		b.WriteString("</CommonPrefixes>")
	}
	b.WriteString("</ListBucketResult>")
	return b.String()
}

// deleteMulti answers POST ?delete.
func (s *Server) deleteMulti(a *answer, r *http.Request, b *bucket) *apiError {
	body, err := io.ReadAll(io.LimitReader(r.Body, 2<<20))
	if err != nil {
		return newError(http.StatusBadRequest, "IncompleteBody", "The body is shorter than Content-Length says.")
	}
	if sum := md5.Sum(body); r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]) {
		return newError(http.StatusBadRequest, "InvalidDigest", "Content-MD5 is missing or wrong.")
	}
	var in struct {
		Quiet  bool
		Object []struct{ Key string }
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Object) == 0 || len(in.Object) > maxListKeys {
		return newError(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed.")
	}
	var out strings.Builder
	out.WriteString("<?xml version='1.0' encoding='utf-8' ?>\n<DeleteResult>")
	for _, o := range in.Object {
		if err := b.remove(r.Context(), o.Key); err != nil {
			out.WriteString("<Error>")
			element(&out, "Key", o.Key)
			element(&out, "Code", "InternalError")
			out.WriteString("</Error>")
		} else if !in.Quiet {
			out.WriteString("<Deleted>")
			element(&out, "Key", o.Key)
			out.WriteString("</Deleted>")
		}
	}
	out.WriteString("</DeleteResult>")
	a.Header().Set("Content-Type", "application/xml")
	a.writeString(out.String())
	return nil
}

func getVersioning(a *answer, b *bucket) *apiError {
	var out strings.Builder
	out.WriteString("<?xml version='1.0' encoding='utf-8' ?>\n<VersioningConfiguration>")
	if v := b.status(); v != VersioningNever {
		element(&out, "Status", string(v))
	}
	out.WriteString("</VersioningConfiguration>")
	a.Header().Set("Content-Type", "application/xml")
	a.writeString(out.String())
	return nil
}

func putVersioning(a *answer, r *http.Request, b *bucket) *apiError {
	var in struct{ Status Versioning }
	err := xml.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&in)
	if err != nil || in.Status != VersioningEnabled && in.Status != VersioningSuspended {
		return newError(http.StatusBadRequest, "MalformedXML", "Status must be Enabled or Suspended.")
	}
	if err := b.setStatus(in.Status); err != nil {
		return internalError(err)
	}
	a.WriteHeader(http.StatusOK)
	return nil
}
