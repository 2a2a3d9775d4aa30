package cosstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	"chatexport/internal/logging"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// maxMessage bounds how much of a service's message an error repeats.
const maxMessage = 200

// failure is one failed attempt. It never holds an error of the SDK, whose request carries the credentials.
type failure struct {
	class     retry.Class
	err       error // a condition of objstore, a context's error, or text
	status    int
	code      string
	requestID string
	date      time.Time
	unknown   bool // a write may have taken effect
}

func (f *failure) Error() string           { return f.err.Error() }
func (f *failure) Unwrap() error           { return f.err }
func (f *failure) RetryClass() retry.Class { return f.class }

// failed turns what the SDK returned into a failure; nil when there was none. sent tells whether the request was.
func (s *Store) failed(ctx context.Context, resp *cos.Response, err error, sent bool) *failure {
	if err == nil {
		return nil
	}
	f := &failure{class: retry.Transient, unknown: sent}
	if resp != nil {
		f.status = resp.StatusCode
		f.requestID = resp.Header.Get("x-cos-request-id")
		f.date = httpDate(resp.Header.Get("Date"))
	}
	if answer, ok := errors.AsType[*cos.ErrorResponse](err); ok {
		f.code = answer.Code
		s.judge(f, s.redact(answer.Message))
		return f
	}
	if ctx.Err() != nil {
		f.class, f.err = retry.Permanent, retry.Ended(ctx)
	} else {
		f.err = withoutURL(err)
	}
	return f
}

// failedAs is failed for an answer that is not what it should be, with the class of that.
func (s *Store) failedAs(ctx context.Context, class retry.Class, resp *cos.Response, err error) *failure {
	f := s.failed(ctx, resp, err, true)
	if f != nil && ctx.Err() == nil {
		f.class = class
	}
	return f
}

// judge sets class and condition from status and code.
func (s *Store) judge(f *failure, message string) {
	text := strings.TrimSpace(f.code + ": " + message)
	if f.code == "" {
		text = http.StatusText(f.status)
	}
	f.err, f.class = errors.New(text), retry.Permanent
	// An overloaded or broken server may have done the work; a refusal is certain.
	f.unknown = f.status >= 500 && f.status != http.StatusNotImplemented
	denied := func(why string) { f.err = fmt.Errorf("%w: %s%s", objstore.ErrDenied, text, why) }
	const badKey = ": the credentials of the execution role have expired or are wrong"
	switch f.status {
	case http.StatusBadRequest:
		switch f.code {
		case "ExpiredToken":
			denied(badKey)
		case "RequestTimeout", "IncompleteBody", "UserNetworkTooSlow":
			f.class = retry.Transient
		case "BadDigest": // refused before anything was stored: the body was damaged on its way
			f.class, f.err = retry.Transient, fmt.Errorf("%w: %s", objstore.ErrCorrupt, text)
		case "": // the answer to a HEAD; an expired token is the usual cause, a passing failure is possible
			f.class, f.err = retry.Doubtful, errors.New(text+": the answer gives no reason; expired credentials are the usual one")
		}
	case http.StatusForbidden:
		switch f.code {
		case "InvalidObjectState":
			f.err = fmt.Errorf("%s: the object is in an archive storage class and must be restored first", text)
		case "RequestTimeTooSkewed":
			denied(": is this machine's clock right?")
		case "InvalidAccessKeyId", "SignatureDoesNotMatch":
			denied(badKey)
		default:
			if strings.Contains(text, "has expired") {
				denied(badKey)
			} else {
				denied("")
			}
		}
	case http.StatusUnauthorized:
		denied("")
	case http.StatusPaymentRequired, http.StatusUnavailableForLegalReasons:
		denied(": is the account in arrears?")
	case http.StatusNotFound:
		switch f.code {
		case "NoSuchKey":
			f.err = objstore.ErrNotExist
		case "NoSuchBucket":
			f.err = fmt.Errorf("%w: check COS_BUCKET (name-appid) and COS_REGION", objstore.ErrNoBucket)
		default: // only NoSuchKey is proof that an object is absent
			f.class = retry.Doubtful
		}
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		f.err = fmt.Errorf("%w: redirected (%s): is the bucket in another region? Check COS_REGION", objstore.ErrNoBucket, text)
	case http.StatusTooManyRequests:
		f.class = retry.Throttled
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusServiceUnavailable:
		f.class = retry.Transient
		if f.code == "SlowDown" || f.code == "KmsFreqControl" {
			f.class = retry.Throttled
		}
	}
}

// withoutURL drops the URL that net/http puts before its errors, and the SDK's list of errors around a single one.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	if r, ok := errors.AsType[*cos.RetryError](err); ok && len(r.Errs) > 0 {
		return r.Errs[len(r.Errs)-1]
	}
	return err
}

// redact shortens a service's message and drops it where it repeats anything of the signature.
func (s *Store) redact(message string) string {
	_, key, token, err := s.auth.GetCredential()
	for _, secret := range []string{key, token, "q-signature", "q-ak"} {
		if err != nil || secret != "" && strings.Contains(message, secret) {
			return "(message left out)"
		}
	}
	return logging.Line(message, maxMessage)
}

func httpDate(text string) time.Time {
	t, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}
	}
	return t
}
