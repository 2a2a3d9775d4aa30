package fetch

import (
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"chatexport/internal/guard"
	"chatexport/internal/retry"
)

// State says what became of a link whose file was not had.
type State string

// The states.
const (
	Gone     State = "gone"      // the server, or the service, says that there is none
	Banned   State = "banned"    // the service says so; it is not fetched
	Refused  State = "refused"   // 401 or 403 to the end, or what must not be asked for
	TooLarge State = "too-large" // than MEDIA_MAX_BYTES, by the message or by the answer
	External State = "external"  // on a host that is not on the list: no request was made
	Failed   State = "failed"    // anything else
)

// Codes of failures beside "http_<status>".
const (
	CodeURL       = "url"       // refused: no URL of a host
	CodeScheme    = "scheme"    // refused: neither http nor https
	CodeUser      = "user"      // refused: with a user, who would be told to the host
	CodeAddress   = "address"   // refused: the host has no public address
	CodeRedirect  = "redirect"  // refused: sent on to where no file may be fetched from
	CodeRedirects = "redirects" // refused: sent on too often
	CodeHost      = "host"      // external
	CodeBanned    = "banned"
	CodeMissing   = "missing"  // gone: the service knows of no such file
	CodeMessage   = "message"  // too large: the message says so
	CodeAnswer    = "answer"   // too large: the answer says or shows so
	CodeNetwork   = "network"  // failed: no answer
	CodeTimeout   = "timeout"  // failed: no answer in time, or it came to a halt
	CodeCutOff    = "cut_off"  // failed: the body did not come whole
	CodeSize      = "size"     // failed: another size than the message says, and another each time
	CodeDisk      = "disk"     // failed: the temporary file could not be written
	CodeTooSlow   = "too-slow" // failed: the time ended before the file had come
)

// Failure is why a file was not had.
//
//nolint:errname // what is told of a link is its failure; that it is an error, too, is for retry
type Failure struct {
	State   State
	Code    string    // short; never content
	Passing bool      // it may be had later
	Began   time.Time // when the first try began; zero if none did
	Err     error     // the cause, without a URL; nil where the code says all

	unsigned bool // a signature may help
}

// Error says what became of the link and why, and not which it was.
func (f *Failure) Error() string {
	text := "file " + string(f.State) + " (" + f.Code + ")"
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// RetryClass says that what may pass is tried again, but not without the signature that it wants.
func (f *Failure) RetryClass() retry.Class {
	if f.Passing && !f.unsigned {
		return retry.Transient
	}
	return retry.Permanent
}

func refused(code string) *Failure { return &Failure{State: Refused, Code: code} }

// tooSlow is the failure of what the end of the time has cut.
func tooSlow(cause error) *Failure {
	return &Failure{State: Failed, Code: CodeTooSlow, Passing: true, Err: cause}
}

// ofTransport judges a request to which no answer came.
func ofTransport(err error) *Failure {
	if errors.Is(err, errAddress) {
		return &Failure{State: Refused, Code: CodeAddress, Err: guard.Cause(err)}
	}
	return &Failure{State: Failed, Code: timeoutOr(err, CodeNetwork), Passing: true, Err: guard.Cause(err)}
}

// ofBody judges a body that did not come whole.
func ofBody(err error) *Failure {
	return &Failure{State: Failed, Code: timeoutOr(err, CodeCutOff), Passing: true, Err: guard.Cause(err)}
}

func timeoutOr(err error, code string) string {
	if e, ok := errors.AsType[net.Error](err); errors.Is(err, os.ErrDeadlineExceeded) || ok && e.Timeout() {
		return CodeTimeout
	}
	return code
}

// ofStatus judges an answer that is no file. What may pass is trouble of the server, and a refusal: a signature may help,
// an account in arrears (402, 451) be paid for. Whatever else it answers it will answer again.
func ofStatus(status int, signed bool) *Failure {
	f := &Failure{State: Failed, Code: "http_" + strconv.Itoa(status)}
	switch status {
	case 404, 410:
		f.State = Gone
	case 401, 403:
		f.State, f.Passing, f.unsigned = Refused, true, !signed
	case 402, 408, 425, 429, 451:
		f.Passing = true
	default:
		f.Passing = status >= 500
	}
	return f
}
