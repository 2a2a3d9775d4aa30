package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerr "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

	"chatexport/internal/config"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
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

// cloud makes calls about one function.
type cloud struct {
	client   *common.Client
	function string
	space    string
}

func (d *deployment) connect(getenv func(string) string) (*cloud, error) {
	credentials, err := config.LoadCredentials(getenv)
	if err != nil {
		return nil, errors.New("TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY: set the keys of somebody who may change the function")
	}
	client, err := requeue.Config{Region: d.file.Inputs.Region, Endpoint: getenv("CLOUD_ENDPOINT"), Credentials: credentials}.Client()
	if err != nil {
		return nil, fmt.Errorf("CLOUD_ENDPOINT: %w", err)
	}
	return &cloud{client: client, function: d.file.Inputs.Name, space: d.file.Inputs.Namespace}, nil
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
	if err := c.client.Send(request, answer); err != nil {
		return classify(action, err)
	}
	return nil
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
	text := fmt.Sprintf("%s: %v (code %s, request id %s)", e.op, e.err, e.code, e.requestID)
	switch {
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

func classify(action string, err error) error {
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
