// Package requeue hands an event to the next invocation of the function: by asynchronous Invoke of the function
// itself, or through the CMQ topic that triggers it.
//
// It owns the calls to the cloud API, their classification and their bounded retry, and it is the only importer of the
// cloud SDK. It must never look into a payload, put payloads or credentials into errors, log, or keep credentials
// beyond the invocation they belong to: make a publisher for each invocation, and share the transport.
package requeue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

// Config says how an event reaches the next invocation: through a topic, or by an Invoke of the running function.
type Config struct {
	Region string // of the topic and the function, such as ap-guangzhou; required

	Topic string // of TDMQ for CMQ, which triggers the function and takes 20 messages a second; empty for Invoke

	Function string // its name; required for Invoke
	// Namespace and Qualifier (a version or an alias) must be those of the running function, or the continuation would
	// go to another one. Empty means default and $LATEST, as for the API.
	Namespace string
	Qualifier string

	// Endpoint is the base URL of the cloud API; empty means the product's. Plain http is refused but for loopback hosts.
	Endpoint    string
	Credentials config.Credentials
	Transport   http.RoundTripper // NewTransport's, shared by the process; nil means a new one
}

// Publisher hands events on. It is safe for concurrent use.
type Publisher struct {
	config                 Config
	service, version, name string         // of the action
	target                 string         // what the errors say was called
	params                 map[string]any // of the action, but for the payload
	payload                string         // the parameter for it
}

// New returns a publisher for one invocation. It does no I/O; what is wrong with the configuration is an error of
// Publish.
func New(c Config) *Publisher {
	if c.Topic != "" {
		return &Publisher{
			config: c, service: "tdmq", version: "2020-02-17", name: "PublishCmqMsg", target: c.Topic,
			params: map[string]any{"TopicName": c.Topic}, payload: "MsgContent",
		}
	}
	return &Publisher{
		config: c, service: "scf", version: "2018-04-16", name: "Invoke", target: c.Function,
		// InvokeFunction would be the synchronous API; Invoke with Event returns when the event is in the platform's queue.
		params: map[string]any{
			"FunctionName": c.Function, "Namespace": cmp.Or(c.Namespace, "default"), "Qualifier": cmp.Or(c.Qualifier, "$LATEST"),
			"InvocationType": "Event",
		},
		payload: "ClientContext",
	}
}

// Publish returns nil when the payload (JSON, at most event.MaxTaskBytes) was accepted as an event of the function. It
// retries by itself, within ctx. After an error the event may have been accepted all the same: the answer may have been
// lost. The error is an *Error, perhaps joined with the reason why no further attempt was made.
func (p *Publisher) Publish(ctx context.Context, payload []byte) error {
	if len(payload) > maxPayloadBytes {
		return p.failure(fmt.Errorf("%w: %d bytes, at most %d", event.ErrTooLarge, len(payload), maxPayloadBytes))
	}
	if !json.Valid(payload) {
		return p.failure(errors.New("the payload is not JSON"))
	}
	if p.config.Region == "" || p.target == "" {
		return p.failure(errors.New("region or name of what is to be called is empty"))
	}
	watch := &watcher{}
	client, err := p.config.client(watch)
	if err != nil {
		return p.failure(err)
	}
	params := maps.Clone(p.params)
	params[p.payload] = string(payload)
	err = policy().Do(ctx, func(ctx context.Context, attempt int) error {
		return p.attempt(ctx, client, watch, attempt, params)
	})
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); !ok {
		return p.failure(err) // ctx had ended before the first attempt
	}
	return err
}

func (p *Publisher) attempt(ctx context.Context, client *common.Client, watch *watcher, attempt int, params map[string]any) error {
	request := tchttp.NewCommonRequest(p.service, p.version, p.name)
	// A map of strings: parameters given as JSON text would pass through float64 and lose integers above 2^53.
	if err := request.SetActionParameters(params); err != nil {
		return p.failure(errors.New("the parameters were refused by the SDK"))
	}
	request.SetContext(ctx)
	answer := &accepted{BaseResponse: &tchttp.BaseResponse{}}
	err := client.Send(request, answer)
	status := watch.done()
	if err == nil && answer.Response.RequestID == "" {
		err = errNoRequestID
	}
	if err != nil {
		return p.classified(err, status, attempt)
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

// Client makes a guarded client of the SDK whose own retries are off: they ignore the context.
func (c Config) Client() (*common.Client, error) { return c.client(&watcher{}) }

func (c Config) client(watch *watcher) (*common.Client, error) {
	if c.Credentials.SecretID.Empty() || c.Credentials.SecretKey.Empty() {
		return nil, errNoCredentials
	}
	p := profile.NewClientProfile()
	p.Language = "en-US"
	p.HttpProfile.ReqTimeout = attemptSeconds
	if c.Endpoint != "" {
		u, err := config.BaseURL(c.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("the endpoint %w", err)
		}
		p.HttpProfile.Scheme = strings.ToUpper(u.Scheme)
		p.HttpProfile.Endpoint = u.Host + u.Path // the SDK wants no scheme here
	}
	transport := c.Transport
	if transport == nil {
		transport = NewTransport(nil)
	}
	watch.next = guard.Transport{Next: transport, Limit: func(*http.Response) int64 { return maxAnswerBytes }}
	credential := common.NewTokenCredential(c.Credentials.SecretID.Reveal(), c.Credentials.SecretKey.Reveal(), c.Credentials.Token.Reveal())
	return common.NewCommonClient(credential, c.Region, p).WithHttpTransport(watch), nil
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
