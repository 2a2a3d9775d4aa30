package chatapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// ErrConfiguration is matched by errors that every call will meet until a person changes a setting, a key, or the
// app's state: nothing can be gained by going on with the next stream. Callers go by the class, which is
// retry.Permanent; this tells these errors from those about one stream.
var ErrConfiguration = errors.New("the app's settings do not allow the call")

// errNotOK is an answer with ErrorCode 0 whose ActionStatus is not "OK".
var errNotOK = errors.New("the service reports a failure without a code")

// maxInfo bounds what is kept of the service's own words, in bytes.
const maxInfo = 200

// codeLocked means that the service refuses the app's signatures for a minute.
const codeLocked = 70050

// Error is a failed call. Its texts contain neither a URL nor a secret nor anything of a message.
type Error struct {
	Op         string // the command, as "group_msg_get_simple"
	HTTPStatus int    // 0 if no answer came
	Code       int    // ErrorCode; 0 if the answer had none, or none but 0
	Info       string // ErrorInfo without control characters, at most 200 bytes
	Random     uint32 // names the request towards Tencent's support; 0 if none was sent
	Err        error  // what went wrong otherwise: the connection, or the form of the answer; nil if Code says it all

	resigned bool          // Code is about the signature, and the next call will use another one
	final    bool          // the caller's context is done
	skew     time.Duration // Code is about the signature: the service's clock minus this one's, 0 if unknown
}

// Error says what failed and what an operator can do about it.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.HTTPStatus != 0 && e.HTTPStatus != http.StatusOK {
		fmt.Fprintf(&b, ": HTTP status %d", e.HTTPStatus)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, ": code %d", e.Code)
		if meaning := lookup(e.Code).meaning; meaning != "" {
			b.WriteString(": " + meaning)
		}
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Info != "" {
		fmt.Fprintf(&b, " (%q)", e.Info)
	}
	if advice := e.Advice(); advice != "" {
		b.WriteString("; " + advice)
	}
	if e.Random != 0 {
		fmt.Fprintf(&b, " [random %d]", e.Random)
	}
	return b.String()
}

// ErrorCode names the failure for states and logs: the service's code, or "http_<status>" where there was none.
func (e *Error) ErrorCode() string {
	switch {
	case e.Code != 0:
		return strconv.Itoa(e.Code)
	case e.HTTPStatus != 0 && e.HTTPStatus != http.StatusOK:
		return "http_" + strconv.Itoa(e.HTTPStatus)
	case errors.Is(e.Err, chat.ErrMalformed):
		return "malformed_page"
	default:
		return "network"
	}
}

// Advice says what an operator can do, empty if nothing is known.
func (e *Error) Advice() string {
	advice := lookup(e.Code).advice
	if e.Code == 0 && e.HTTPStatus >= 300 && e.HTTPStatus < 500 && e.HTTPStatus != http.StatusTooManyRequests {
		advice = "the service itself answers with status 200: check CHAT_ENDPOINT, and what stands between"
	}
	if e.skew.Abs() > maxSkew {
		advice += fmt.Sprintf("; the service's clock differs from this machine's by %v", e.skew.Round(time.Second))
	}
	return advice
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RetryClass says what the call may be followed by. A page that is too large, a stream that is gone and a refused
// configuration are permanent; so is everything once the caller's context is done.
func (e *Error) RetryClass() retry.Class {
	if e.final {
		return retry.Permanent
	}
	switch lookup(e.Code).kind {
	case kindUnknown:
		return e.classWithoutCode()
	case kindTransient:
		return retry.Transient
	case kindThrottled:
		return retry.Throttled
	case kindSignature:
		if e.resigned {
			return retry.Transient
		}
		return retry.Permanent
	case kindGone, kindUnsupported, kindTooLarge, kindConfiguration:
		return retry.Permanent
	default:
		return retry.Permanent
	}
}

// classWithoutCode judges answers whose code is 0 or unknown.
func (e *Error) classWithoutCode() retry.Class {
	switch {
	case e.Code != 0:
		return retry.Doubtful
	case errors.Is(e.Err, ErrConfiguration):
		return retry.Permanent
	case e.HTTPStatus == http.StatusTooManyRequests:
		return retry.Throttled
	case e.HTTPStatus >= 300 && e.HTTPStatus < 500 && e.HTTPStatus != http.StatusRequestTimeout:
		return retry.Doubtful // not the service, but something between; it may be over in a moment
	case errors.Is(e.Err, errNotOK):
		return retry.Doubtful
	default:
		return retry.Transient // the connection, a gateway, or an answer that is not whole
	}
}

// Is matches the conditions of package chat, and ErrConfiguration.
func (e *Error) Is(target error) bool {
	known := lookup(e.Code).kind
	switch target {
	case chat.ErrGone:
		return known == kindGone
	case chat.ErrUnsupported:
		return known == kindUnsupported
	case chat.ErrTooLarge:
		return known == kindTooLarge
	case ErrConfiguration:
		return known == kindConfiguration || known == kindSignature && !e.resigned && !e.final
	default:
		return false
	}
}

// withoutURLs takes out what the service might quote of a request, or of what it would have answered: a signed URL is a
// secret.
func withoutURLs(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		if strings.Contains(word, "://") {
			words[i] = "[removed]"
		}
	}
	return strings.Join(words, " ")
}
