// Package requeue hands an event to the next invocation of the function: by asynchronous Invoke of the function
// itself, or through the CMQ topic that triggers it.
//
// It owns the calls to the cloud API, their classification and their bounded retry, and it is the only importer of the
// cloud SDK. It must never look into a payload, put payloads or credentials into errors, log, or keep credentials
// beyond the invocation they belong to: make a publisher for each invocation, and share the transport.
package requeue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"chatexport/internal/config"
	"chatexport/internal/event"
	"chatexport/internal/guard"
	"chatexport/internal/retry"
)

const (
	// maxPayloadBytes is the largest payload that is published. The platform takes 128 KB (SCF documentation,
	// 583/11637); the rest is room for a queue's envelope.
	maxPayloadBytes = event.MaxTaskBytes

	// attemptSeconds is far above what the call takes. The reserve that a batch keeps for its end is longer only with a
	// time limit above 50 s; below, the context ends an attempt that hangs.
	attemptSeconds = 10

	// maxAnswerBytes is far above any answer of these calls; an endless one must not fill the memory.
	maxAnswerBytes = 1 << 20
)

// policy rides out a deployment of the function (FunctionStatusError) and short outages: about 11 s in the mean when
// every attempt fails at once. The context of a batch usually ends it earlier.
func policy() retry.Policy {
	return retry.Policy{Base: 200 * time.Millisecond, Cap: 10 * time.Second, Attempts: 8}
}

// NewTransport returns a transport to be shared by the publishers of one process. dial replaces the network, for tests in
// virtual time; nil otherwise.
func NewTransport(dial guard.Dialer) *http.Transport { return guard.NewPool(4, guard.Stall, dial) }

// action is one call of the cloud API, repeated until it is accepted.
type action struct {
	service, version, name string
	target                 string // what the errors say was called
	region, endpoint       string
	credentials            config.Credentials
	transport              http.RoundTripper
}

// publish calls the action until it is accepted, fails for good, or ctx ends. The error is an *Error, perhaps joined
// with the reason why no further attempt was made.
func (a *action) publish(ctx context.Context, payload []byte, params map[string]any) error {
	if len(payload) > maxPayloadBytes {
		return a.failure(0, fmt.Errorf("%w: %d bytes, at most %d", event.ErrTooLarge, len(payload), maxPayloadBytes))
	}
	if !json.Valid(payload) {
		return a.failure(0, errNotJSON)
	}
	client, watch, err := a.client()
	if err != nil {
		return a.failure(0, err)
	}
	err = policy().Do(ctx, func(ctx context.Context, attempt int) error {
		return a.attempt(ctx, client, watch, attempt, params)
	})
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); !ok {
		return a.failure(0, err) // ctx had ended before the first attempt
	}
	return err
}

func (a *action) attempt(ctx context.Context, client *common.Client, watch *watcher, attempt int, params map[string]any) error {
	request := tchttp.NewCommonRequest(a.service, a.version, a.name)
	// A map of strings: parameters given as JSON text would pass through float64 and lose integers above 2^53.
	if err := request.SetActionParameters(params); err != nil {
		return a.failure(attempt, errParameters)
	}
	request.SetContext(ctx)
	answer := &accepted{BaseResponse: &tchttp.BaseResponse{}}
	err := client.Send(request, answer)
	status := watch.done()
	if err == nil && answer.Response.RequestID == "" {
		err = errNoRequestID
	}
	if err != nil {
		return a.classified(err, status, attempt)
	}
	// Accepted. A crash right after this line is harmless: the event that is being served will be delivered again,
	// finds the frontier at the cursor that was published, and races with the new invocation for the next chunk; the
	// loser of that race ends. The same holds for an attempt whose answer was lost and that is now repeated: the
	// continuation arrives twice.
	return nil
}

// accepted is the part of an answer that matters: every answer of the cloud API has a request id.
type accepted struct {
	*tchttp.BaseResponse

	Response struct {
		RequestID string `json:"RequestId"`
	} `json:"Response"`
}

// client makes a client of the SDK whose own retries are off: they ignore the context.
func (a *action) client() (*common.Client, *watcher, error) {
	if a.region == "" || a.target == "" {
		return nil, nil, errIncomplete
	}
	if a.credentials.SecretID.Empty() || a.credentials.SecretKey.Empty() {
		return nil, nil, errNoCredentials
	}
	p := profile.NewClientProfile()
	p.Language = "en-US"
	p.HttpProfile.ReqTimeout = attemptSeconds
	if a.endpoint != "" {
		u, err := config.BaseURL(a.endpoint)
		if err != nil {
			return nil, nil, fmt.Errorf("the endpoint %w", err)
		}
		p.HttpProfile.Scheme = strings.ToUpper(u.Scheme)
		p.HttpProfile.Endpoint = u.Host + u.Path // the SDK wants no scheme here
	}
	transport := a.transport
	if transport == nil {
		transport = NewTransport(nil)
	}
	watch := &watcher{next: Guarded(transport)}
	credential := common.NewTokenCredential(a.credentials.SecretID.Reveal(), a.credentials.SecretKey.Reveal(), a.credentials.Token.Reveal())
	return common.NewCommonClient(credential, a.region, p).WithHttpTransport(watch), watch, nil
}

// Guarded returns a transport for a client of the cloud's SDK: see package guard.
func Guarded(next http.RoundTripper) http.RoundTripper {
	return guard.Transport{Next: next, Limit: func(*http.Response) int64 { return maxAnswerBytes }}
}

// watcher keeps the HTTP status, which the SDK does not tell, and closes the answer, which the SDK forgets for one that it
// cannot decompress. It serves one attempt at a time.
type watcher struct {
	next     http.RoundTripper
	response *http.Response
}

// done ends an attempt and returns its HTTP status, 0 if there was no answer.
func (w *watcher) done() int {
	if w.response == nil {
		return 0
	}
	status := w.response.StatusCode
	_ = w.response.Body.Close() // closed before in most cases; what was needed of it has been read
	w.response = nil
	return status
}

// RoundTrip implements http.RoundTripper.
func (w *watcher) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	w.response = response
	return response, nil
}
