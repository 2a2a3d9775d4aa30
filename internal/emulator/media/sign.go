package mediaemu

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Validity is how long a signed URL opens its file (Chat documentation of get_cos_sig).
const Validity = 15 * time.Minute

// The statuses of get_cos_sig.
const (
	StatusNormal   = 0
	StatusBanned   = 1
	StatusNotExist = 2
)

const (
	expiresMember = "expires="
	signMember    = "&sign="
)

// Sign signs a URL for Validity, as the service does for get_cos_sig. The URL of a file that is not there is signed, too;
// one of another host is not. A URL without signature and with StatusNormal stands for an error.
func (s *Server) Sign(rawURL string) (signed string, status int) {
	path, ok := strings.CutPrefix(rawURL, s.baseURL())
	path, query, _ := strings.Cut(path, "?")
	f, _ := s.find(path)
	now := s.opts.Now()
	s.mu.Lock()
	s.record.counters.Asked++
	s.mu.Unlock()
	switch {
	case !ok || f == nil:
		return "", StatusNotExist
	case f.Unsignable:
		return "", StatusNormal
	case !f.there(now):
		status = StatusNotExist
	case f.Banned:
		status = StatusBanned
	}
	if query != "" {
		query += "&"
	}
	query += expiresMember + strconv.FormatInt(now.Add(Validity).Unix(), 10)
	return s.baseURL() + path + "?" + query + signMember + s.sum(path, query), status
}

func (s *Server) sum(path, query string) string {
	h := hmac.New(sha256.New, []byte(s.opts.Secret))
	h.Write([]byte(path + "?" + query))
	return hex.EncodeToString(h.Sum(nil))
}

// signature is what a request's query has of one.
type signature int

const (
	unsigned signature = iota
	badSignature
	validSignature
)

// verify judges the signature of a URL, and returns the query without it.
func (s *Server) verify(u *url.URL, now time.Time) (query string, sig signature) {
	covered, sum, ok := strings.Cut(u.RawQuery, signMember)
	if !ok {
		return u.RawQuery, unsigned
	}
	at := strings.LastIndex(covered, expiresMember)
	if at < 0 {
		return "", badSignature
	}
	query = strings.TrimSuffix(covered[:at], "&")
	expires, err := strconv.ParseInt(covered[at+len(expiresMember):], 10, 64)
	if err != nil || now.Unix() >= expires || !hmac.Equal([]byte(sum), []byte(s.sum(u.EscapedPath(), covered))) {
		return query, badSignature
	}
	return query, validSignature
}
