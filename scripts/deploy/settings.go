package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

	"chatexport/internal/config"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
	"chatexport/scripts/internal/services"
)

// settle makes three calls, each of which says what should be, not what should change: a repetition is harmless.
func (d *deployment) settle(ctx context.Context, getenv func(string) string, out io.Writer) error {
	api, err := d.connect(getenv)
	if err != nil {
		return err
	}
	if err := api.active(ctx); err != nil {
		return err
	}
	// A crash between the calls: the platform's defaults stay for the rest; run it again.
	err = api.call(ctx, "UpdateFunctionEventInvokeConfig", map[string]any{
		"AsyncTriggerConfig": map[string]any{"MsgTTL": d.maxAge, "RetryConfig": []any{map[string]any{"RetryNum": d.retries}}},
	}, nil)
	if err != nil {
		return fmt.Errorf("set retries and age of asynchronous events: %w", err)
	}
	memory := d.file.Inputs.MemorySize * d.instances
	if err := api.call(ctx, "PutReservedConcurrencyConfig", map[string]any{"ReservedConcurrencyMem": memory}, nil); err != nil {
		return fmt.Errorf("set the cap on instances: %w", err)
	}
	var events struct {
		AsyncTriggerConfig struct {
			MsgTTL      int
			RetryConfig []struct{ RetryNum int }
		}
	}
	if err := api.call(ctx, "GetFunctionEventInvokeConfig", nil, &events); err != nil {
		return fmt.Errorf("read the settings back: %w", err)
	}
	c := events.AsyncTriggerConfig
	if c.MsgTTL != d.maxAge || len(c.RetryConfig) == 0 || c.RetryConfig[0].RetryNum != d.retries {
		return fmt.Errorf("the settings were accepted, but read back as %+v", c)
	}
	say(out, "asynchronous events: retried %d times, at most %d s old; at most %d instances (%d MB reserved)", d.retries, d.maxAge, d.instances, memory)
	return nil
}

// silence is how long the cloud API may give no answer at all: a person waits, and no network will come by itself. With the
// limit of an attempt on top it stays below 15 s.
const silence = 4 * time.Second

// cloud makes calls about one function, one at a time.
type cloud struct {
	client   *common.Client
	host     string
	function string
	space    string
	silent   time.Time // since when there has been no answer; zero after one
	way      *way
}

// way remembers why a call got no answer, which the SDK does not tell.
type way struct {
	next http.RoundTripper
	err  error
}

// RoundTrip implements http.RoundTripper.
func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	w.err = err
	return response, err
}

func (d *deployment) connect(getenv func(string) string) (*cloud, error) {
	credentials, err := config.LoadCredentials(getenv)
	if err != nil {
		return nil, errors.New("TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY: set the keys of somebody who may change the function")
	}
	way := &way{next: services.Cloud()}
	client, err := requeue.Config{Region: d.file.Inputs.Region, Endpoint: getenv("CLOUD_ENDPOINT"), Credentials: credentials, Transport: way}.Client()
	if err != nil {
		return nil, fmt.Errorf("CLOUD_ENDPOINT: %w", err)
	}
	host := "scf.tencentcloudapi.com"
	if u, err := url.Parse(getenv("CLOUD_ENDPOINT")); err == nil && u.Host != "" {
		host = u.Host
	}
	return &cloud{client: client, host: host, function: d.file.Inputs.Name, space: d.file.Inputs.Namespace, way: way}, nil
}

// active waits until the platform is done with the deployment: before that it refuses all changes.
func (c *cloud) active(ctx context.Context) error {
	policy := retry.Policy{Base: time.Second, Cap: 5 * time.Second, Attempts: 60}
	return policy.Do(ctx, func(ctx context.Context, _ int) error {
		var f struct{ Status string }
		if err := c.once(ctx, "GetFunction", nil, &f); err != nil {
			return err
		}
		if f.Status != "Active" {
			return &callError{op: "GetFunction", code: "status " + f.Status, class: retry.Transient, err: errors.New("the function is not active yet")}
		}
		return nil
	})
}

// call repeats transient failures.
func (c *cloud) call(ctx context.Context, action string, params map[string]any, result any) error {
	policy := retry.Policy{Base: 500 * time.Millisecond, Cap: 5 * time.Second, Attempts: 6}
	return policy.Do(ctx, func(ctx context.Context, _ int) error { return c.once(ctx, action, params, result) })
}

func (c *cloud) once(ctx context.Context, action string, params map[string]any, result any) error {
	all := map[string]any{"FunctionName": c.function, "Namespace": c.space}
	maps.Copy(all, params)
	request := tchttp.NewCommonRequest("scf", "2018-04-16", action)
	if err := request.SetActionParameters(all); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	request.SetContext(ctx)
	answer := &answered{BaseResponse: &tchttp.BaseResponse{}, Response: result}
	if result == nil {
		answer.Response = &struct{}{}
	}
	begun := time.Now()
	err := c.client.Send(request, answer)
	failure := classify(action, err)
	if failure == nil || failure.requestID != "" {
		c.silent = time.Time{}
	} else if c.silent.IsZero() {
		c.silent = begun
	}
	switch {
	case failure == nil:
		return nil
	case !c.silent.IsZero() && time.Since(c.silent) > silence:
		failure.class = retry.Permanent
		failure.err = fmt.Errorf("no answer from %s: %w", c.host, cmp.Or(c.way.err, failure.err))
	}
	return failure
}

// answered is an answer of the API; Response is decoded into what the caller asked for.
type answered struct {
	*tchttp.BaseResponse

	Response any `json:"Response"`
}

// callError is a refused or failed call.
type callError struct {
	op, code, requestID string
	class               retry.Class
	err                 error
}

// Error says what failed and what can be done.
func (e *callError) Error() string {
	text := fmt.Sprintf("%s: %v (code %s, request id %s)", e.op, e.err, e.code, cmp.Or(e.requestID, "none"))
	switch {
	case strings.HasPrefix(e.code, "ClientError.NetworkError"):
		text += "; is there a way to it from here? HTTPS_PROXY names a proxy"
	case strings.HasPrefix(e.code, "UnauthorizedOperation"):
		text += "; allow the deploying account scf:" + e.op + " on this function"
	case strings.HasPrefix(e.code, "ResourceNotFound"):
		text += "; deploy the function first, and check name, namespace and region"
	case strings.HasPrefix(e.code, "LimitExceeded"), strings.HasPrefix(e.code, "InvalidParameterValue"):
		text += "; lower CHATEXPORT_INSTANCES, or ask for more quota"
	}
	return text
}

// Unwrap returns the cause.
func (e *callError) Unwrap() error { return e.err }

// RetryClass implements retry.Classified.
func (e *callError) RetryClass() retry.Class { return e.class }

func classify(action string, err error) *callError {
	if err == nil {
		return nil
	}
	e := &callError{op: action, err: err, class: retry.Transient}
	sdk, ok := errors.AsType[*tcerr.TencentCloudSDKError](err)
	if !ok {
		return e
	}
	e.code, e.requestID, e.err = sdk.Code, sdk.RequestId, errors.New(sdk.Message)
	switch {
	case strings.HasPrefix(sdk.Code, "ClientError"), strings.HasPrefix(sdk.Code, "InternalError"),
		strings.HasPrefix(sdk.Code, "RequestLimitExceeded"), strings.HasPrefix(sdk.Code, "FailedOperation.FunctionStatusError"):
	default:
		e.class = retry.Permanent
	}
	return e
}
