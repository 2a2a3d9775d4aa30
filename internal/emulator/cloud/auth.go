package cloudemu

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far the time of a request may be off (cloud API documentation, signature method v3).
const maxSkew = 5 * time.Minute

var authorization = regexp.MustCompile(`^TC3-HMAC-SHA256 Credential=([^/ ,]+)/(\d{4}-\d{2}-\d{2})/([a-z0-9]+)/tc3_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// authenticate verifies the TC3-HMAC-SHA256 signature of a request, and the session token with it.
func (s *Server) authenticate(r *http.Request, body []byte, call *Call) error {
	parts := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if parts == nil {
		return refuse("AuthFailure.SignatureFailure", "Authorization is missing or malformed")
	}
	id, date, service, signed, signature := parts[1], parts[2], parts[3], parts[4], parts[5]
	call.SecretID, call.Service = id, service

	stamp := r.Header.Get("X-TC-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return refuse("MissingParameter", "X-TC-Timestamp is missing or malformed")
	}
	at := time.Unix(seconds, 0).UTC()
	if skew := time.Since(at); skew > maxSkew || skew < -maxSkew {
		return refuse("AuthFailure.SignatureExpire", "the request is older or newer than 5 minutes")
	}
	if at.Format(time.DateOnly) != date {
		return refuse("AuthFailure.SignatureFailure", "the credential's date is not that of X-TC-Timestamp")
	}
	known := slices.IndexFunc(s.config.Credentials, func(c Credential) bool { return c.SecretID == id })
	if known < 0 {
		return refuse("AuthFailure.SecretIdNotFound", "the SecretId is not found")
	}
	credential := s.config.Credentials[known]
	if call.Token != credential.Token {
		return refuse("AuthFailure.TokenFailure", "the session token is missing, wrong or not wanted")
	}
	headers := strings.Split(signed, ";")
	if !slices.Contains(headers, "content-type") || !slices.Contains(headers, "host") || !slices.IsSorted(headers) {
		return refuse("AuthFailure.SignatureFailure", "content-type and host must be signed, in order")
	}
	text := stringToSign(r, body, stamp, date+"/"+service+"/tc3_request", headers)
	if !hmac.Equal([]byte(signature), []byte(sign(credential.SecretKey, date, service, text))) {
		return refuse("AuthFailure.SignatureFailure", "the signature is wrong")
	}
	return nil
}

func stringToSign(r *http.Request, body []byte, stamp, scope string, headers []string) string {
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n/\n" + r.URL.RawQuery + "\n") // the path is / whatever the endpoint's is
	for _, name := range headers {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		canonical.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical.WriteString("\n" + strings.Join(headers, ";") + "\n" + digest(body))
	return "TC3-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + digest([]byte(canonical.String()))
}

func sign(key, date, service, text string) string {
	derived := mac([]byte("TC3"+key), date)
	derived = mac(derived, service)
	derived = mac(derived, "tc3_request")
	return hex.EncodeToString(mac(derived, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
