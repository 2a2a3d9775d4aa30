package cosemu

import (
	"crypto/hmac"
	"crypto/sha1" // the algorithm of COS request signatures
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far ahead of the server's clock a signature may begin.
const maxSkew = 900 * time.Second

// tokenName is the header, or query parameter of a presigned request, that carries a session token.
const tokenName = "x-cos-security-token"

// signature is a parsed Authorization header, or the same fields of a presigned query.
type signature struct {
	secretID, signTime, keyTime, value string
	headers, params                    []string
	presigned                          bool
}

// canonical is what client and server must agree on.
type canonical struct {
	httpString   string
	stringToSign string
	signature    string
}

// authenticate returns nil for a request whose signature, times and token are right.
func (s *Server) authenticate(r *http.Request) *apiError {
	sig, err := parseSignature(r)
	if err != nil {
		return err
	}
	cred, ok := s.opts.Credentials(sig.secretID)
	if !ok {
		return newError(http.StatusForbidden, "InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.")
	}
	now := s.opts.AuthNow()
	if err := checkWindow(sig, now); err != nil {
		return err
	}
	if !s.opts.Lax {
		if name := unsignedHeader(r, sig); name != "" {
			return newError(http.StatusForbidden, "AccessDenied", "the header "+name+" must be signed")
		}
	}
	want := sig.canonical(r, cred.SecretKey)
	if !hmac.Equal([]byte(want.signature), []byte(sig.value)) {
		e := newError(http.StatusForbidden, "SignatureDoesNotMatch", "The Signature you specified is invalid.")
		e.stringToSign, e.formatString = want.stringToSign, want.httpString
		return e
	}
	return checkToken(r, sig, cred, now)
}

func checkToken(r *http.Request, sig *signature, cred Credential, now time.Time) *apiError {
	token := r.Header.Get(tokenName)
	if sig.presigned {
		token = r.URL.Query().Get(tokenName)
	}
	if token != cred.Token {
		return newError(http.StatusForbidden, "InvalidAccessKeyId", "The security token does not belong to this Access Key Id.")
	}
	if !cred.Expires.IsZero() && !now.Before(cred.Expires) {
		return newError(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
	}
	return nil
}

func parseSignature(r *http.Request) (*signature, *apiError) {
	text := r.Header.Get("Authorization")
	sig := &signature{presigned: text == ""}
	fields := map[string]string{}
	query := r.URL.Query()
	switch {
	case text == "" && query.Has("sign"):
		text = query.Get("sign")
	case text == "" && query.Has("q-signature"):
		for name := range query {
			fields[name] = query.Get(name)
		}
	case text == "":
		return nil, newError(http.StatusForbidden, "AccessDenied", "Access Denied.")
	}
	for pair := range strings.SplitSeq(text, "&") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			fields[name] = value
		}
	}
	if fields["q-sign-algorithm"] != "sha1" {
		return nil, newError(http.StatusForbidden, "AccessDenied", "unknown signature algorithm")
	}
	sig.secretID, sig.value = fields["q-ak"], fields["q-signature"]
	sig.signTime, sig.keyTime = fields["q-sign-time"], fields["q-key-time"]
	sig.headers = splitList(fields["q-header-list"])
	sig.params = splitList(fields["q-url-param-list"])
	return sig, nil
}

func splitList(list string) []string {
	if list == "" {
		return nil
	}
	return slices.Compact(slices.Sorted(strings.SplitSeq(strings.ToLower(list), ";")))
}

func checkWindow(sig *signature, now time.Time) *apiError {
	for _, span := range []string{sig.signTime, sig.keyTime} {
		first, last, ok := strings.Cut(span, ";")
		start, err1 := strconv.ParseInt(first, 10, 64)
		end, err2 := strconv.ParseInt(last, 10, 64)
		if !ok || err1 != nil || err2 != nil || start > end {
			return newError(http.StatusForbidden, "AccessDenied", "malformed signature time")
		}
		if now.After(time.Unix(end, 0)) {
			return newError(http.StatusForbidden, "AccessDenied", "Request has expired")
		}
		if time.Unix(start, 0).Sub(now) > maxSkew {
			return newError(http.StatusForbidden, "RequestTimeTooSkewed",
				"The difference between the request time and the server's time is too large.")
		}
	}
	return nil
}

// unsignedHeader returns the first header that strict mode wants signed and is not.
func unsignedHeader(r *http.Request, sig *signature) string {
	want := []string{"host"}
	if !sig.presigned && r.ContentLength > 0 {
		want = append(want, "content-length")
	}
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-cos-") || !sig.presigned && (name == "content-type" || name == "content-md5") {
			want = append(want, name)
		}
	}
	for _, name := range want {
		if !slices.Contains(sig.headers, strings.ToLower(encodeStrict(name))) {
			return name
		}
	}
	if sig.presigned && r.URL.Query().Has(tokenName) && !slices.Contains(sig.params, tokenName) {
		return tokenName
	}
	return ""
}

// canonical computes the signature that the request should have.
func (sig *signature) canonical(r *http.Request, secretKey string) canonical {
	headers := http.Header{"Host": {r.Host}}
	if r.ContentLength >= 0 {
		headers.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	if len(r.TransferEncoding) > 0 {
		headers["Transfer-Encoding"] = r.TransferEncoding
	}
	for name, values := range r.Header {
		if name != "Content-Length" {
			headers[name] = values
		}
	}
	var c canonical
	c.httpString = strings.ToLower(r.Method) + "\n" + r.URL.Path + "\n" +
		joinSigned(r.URL.Query(), sig.params) + "\n" + joinSigned(url.Values(headers), sig.headers) + "\n"
	digest := sha1.Sum([]byte(c.httpString))
	c.stringToSign = "sha1\n" + sig.signTime + "\n" + hex.EncodeToString(digest[:]) + "\n"
	c.signature = hmacHex(hmacHex(secretKey, sig.keyTime), c.stringToSign)
	return c
}

// joinSigned writes the listed names with their values as name=value&..., both percent-encoded, sorted.
func joinSigned(values url.Values, list []string) string {
	byName := map[string][]string{}
	for name, vs := range values {
		name = strings.ToLower(encodeStrict(name))
		byName[name] = append(byName[name], vs...)
	}
	var pairs []string
	for _, name := range list {
		vs := slices.Sorted(slices.Values(byName[name]))
		if len(vs) == 0 {
			vs = []string{""}
		}
		for _, v := range vs {
			pairs = append(pairs, name+"="+encodeStrict(v))
		}
	}
	return strings.Join(pairs, "&")
}

func hmacHex(key, message string) string {
	h := hmac.New(sha1.New, []byte(key))
	h.Write([]byte(message))
	return hex.EncodeToString(h.Sum(nil))
}

// encodeStrict percent-encodes everything but A-Z a-z 0-9 - _ . ~ with upper-case hex.
func encodeStrict(s string) string { return percentEncode(s, "-_.~") }

func percentEncode(s, keep string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
