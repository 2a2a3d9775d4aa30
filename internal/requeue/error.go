package requeue

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"

	"chatexport/internal/logging"
	"chatexport/internal/retry"
)

var (
	errNoCredentials = errors.New("no credentials")
	errNoRequestID   = errors.New("the answer has no request id")
	errUnreadable    = errors.New("the answer is not one of the cloud API")
)

// maxMessageBytes is enough for a refusal by CAM, which names action and resource.
const maxMessageBytes = 400

// Error is a publication that was not accepted, or whose acceptance is not known.
type Error struct {
	Op        string // action and what it was to reach, such as "Invoke chatexport"
	Code      string // the service's error code, such as UnauthorizedOperation.CAM, or ClientError.*; empty if there was no call
	Status    int    // HTTP status of the last answer; 0 if there was none
	RequestID string // of the last answer
	Attempts  int    // attempts made; 0 if there was no call
	Err       error  // the service's message, a context's error, or the transport's

	class retry.Class
}

// Error says what failed, what was answered and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Op, e.Err)
	if e.Attempts > 0 {
		fmt.Fprintf(&b, " (code %s, status %d, request id %s, attempts %d)", e.Code, e.Status, e.RequestID, e.Attempts)
	}
	if advice := e.Advice(); advice != "" {
		b.WriteString("; " + advice)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RetryClass implements retry.Classified.
func (e *Error) RetryClass() retry.Class { return e.class }

// ErrorCode names the failure for states and logs: the service's code, or "requeue" where there was none.
func (e *Error) ErrorCode() string { return cmp.Or(e.Code, "requeue") }

// Advice says what a person can do about the error; it is empty when there is nothing but to wait.
func (e *Error) Advice() string {
	is := func(prefix string) bool { return hasCode(e.Code, prefix) }
	invoke := strings.HasPrefix(e.Op, "Invoke ")
	switch {
	case errors.Is(e.Err, errNoCredentials), is("AuthFailure.SecretIdNotFound"), is("AuthFailure.TokenFailure"):
		return "check the function's execution role (the key role in serverless.yml)"
	case is("AuthFailure.SignatureExpire"):
		return "check the clock"
	case (is("UnauthorizedOperation") || is("AuthFailure.UnauthorizedOperation")) && invoke:
		return "allow the function's execution role scf:Invoke and scf:InvokeFunction on this one function (CAM)"
	case is("UnauthorizedOperation"), is("AuthFailure.UnauthorizedOperation"):
		return "allow the function's execution role tdmq:PublishCmqMsg on this topic (CAM)"
	case is("ResourceNotFound") && invoke:
		return "check that function name, namespace, version and region are those of the running function"
	case is("ResourceNotFound"):
		return "check CMQ_TOPIC: the topic must exist in the function's region"
	case strings.Contains(e.Code, "InsufficientBalance"):
		return "the account is in arrears: recharge it"
	case is("RequestLimitExceeded"):
		return "too many publications a second: fewer instances, or a higher quota"
	default:
		return ""
	}
}

func (p *Publisher) op() string { return p.name + " " + p.target }

// failure is an error without a call.
func (p *Publisher) failure(err error) *Error { return &Error{Op: p.op(), Err: err} }

// classified turns an error of the SDK into ours. The SDK's text is not kept as it is: it quotes whole answers.
func (p *Publisher) classified(err error, status, attempt int) *Error {
	e := &Error{Op: p.op(), Status: status, Attempts: attempt, Err: err, class: retry.Transient}
	if errors.Is(err, errNoRequestID) {
		e.Code = "ClientError.ParseJsonError"
		return e
	}
	sdk, ok := errors.AsType[*tcerr.TencentCloudSDKError](err)
	if !ok {
		e.Code, e.Err = "ClientError", errUnreadable // such as an answer in an unknown encoding
		return e
	}
	e.Code, e.RequestID, e.class = sdk.Code, sdk.RequestId, classOf(sdk.Code, status)
	switch {
	case !strings.HasPrefix(sdk.Code, "ClientError"):
		c := p.config.Credentials
		e.Err = errors.New(logging.Line(sdk.Message, maxMessageBytes, c.SecretKey.Reveal(), c.Token.Reveal(), c.SecretID.Reveal()))
	case sdk.Unwrap() != nil:
		e.Err = sdk.Unwrap()
	default:
		e.Err = errUnreadable
	}
	return e
}

// classOf follows the table of codes that may pass by themselves. An unknown code is tried again twice at most, and so is
// a redirect, which is not followed.
func classOf(code string, status int) retry.Class {
	is := func(prefix string) bool { return hasCode(code, prefix) }
	switch {
	case strings.Contains(code, "InsufficientBalance"):
		return retry.Permanent
	case is("RequestLimitExceeded"):
		return retry.Throttled
	case is("InternalError"), is("FailedOperation.FunctionStatusError"):
		return retry.Transient
	case is("ClientError") && (status < 300 || status >= 500 || status == 408 || status == 429):
		return retry.Transient // reset, timeout, gateway's page: ambiguous, and worth another attempt
	case is("AuthFailure.SignatureExpire"):
		return retry.Doubtful // a request that was long under way; each attempt is signed anew
	case is("UnauthorizedOperation"), is("AuthFailure"), is("ResourceNotFound"), is("InvalidParameter"), is("InvalidParameterValue"),
		is("MissingParameter"), is("UnknownParameter"), is("InvalidAction"), is("InvalidRequest"), is("NoSuchVersion"),
		is("NoSuchProduct"), is("UnsupportedOperation"), is("UnsupportedRegion"), is("UnsupportedProtocol"), is("RequestSizeLimitExceeded"):
		return retry.Permanent
	default:
		return retry.Doubtful
	}
}

// hasCode reports whether code is prefix or below it: Invalid is not a prefix of InvalidParameter.
func hasCode(code, prefix string) bool {
	rest, ok := strings.CutPrefix(code, prefix)
	return ok && (rest == "" || rest[0] == '.')
}
