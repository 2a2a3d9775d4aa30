package requeue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/config"
	cloudemu "chatexport/internal/emulator/cloud"
	"chatexport/internal/emulator/loopback"
	"chatexport/internal/event"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
)

const (
	secretID  = "AKIDexample0123456789"
	secretKey = "s3cr3tkey0123456789"
	token     = "t0ken0123456789"
	region    = "ap-guangzhou"
)

func credentials() config.Credentials {
	return config.Credentials{SecretID: config.NewSecret(secretID), SecretKey: config.NewSecret(secretKey), Token: config.NewSecret(token)}
}

func newCloud(fault func(*cloudemu.Call) *cloudemu.Fault) *cloudemu.Server {
	return cloudemu.New(cloudemu.Config{
		Credentials: []cloudemu.Credential{{SecretID: secretID, SecretKey: secretKey, Token: token}},
		Region:      region,
		Functions:   []cloudemu.Function{{Namespace: "prod", Name: "chatexport", Qualifier: "7"}},
		Topics:      []string{"exports"},
		Fault:       fault,
	})
}

type publisher interface {
	Publish(ctx context.Context, payload []byte) error
}

// publishers returns both publishers by name, over a transport and an endpoint that may be empty.
func publishers(transport http.RoundTripper, endpoint string) map[string]publisher {
	return map[string]publisher{
		"Invoke chatexport": requeue.New(requeue.Config{
			Region: region, Function: "chatexport", Namespace: "prod", Qualifier: "7",
			Endpoint: endpoint, Credentials: credentials(), Transport: transport,
		}),
		"PublishCmqMsg exports": requeue.New(requeue.Config{
			Region: region, Topic: "exports", Endpoint: endpoint, Credentials: credentials(), Transport: transport,
		}),
	}
}

// continuation has an id of digits beyond 2^53.
func continuation(t *testing.T) (event.Task, []byte) {
	t.Helper()
	task := event.Task{GroupID: "9007199254740993", V: 1, Continue: []byte(`{"cursor":4294967296}`)}
	payload, err := task.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return task, payload
}

func TestPublish_ArrivesAsTheSameTask(t *testing.T) {
	t.Parallel()
	cloud := newCloud(nil)
	base, err := cloud.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	task, payload := continuation(t)
	for name, p := range publishers(requeue.NewTransport(nil), base+"/") {
		if err := p.Publish(t.Context(), payload); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d, err := cloud.Queue().NextOrDrained(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]event.Task{task}, event.Decode(d.Payload).Tasks); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, c := range cloud.Calls() {
		if c.Token != token || c.Region != region || c.Code != "" {
			t.Errorf("call %+v", c)
		}
		if c.Action == "Invoke" && (c.Function != "chatexport" || c.Namespace != "prod" || c.Qualifier != "7") {
			t.Errorf("another function was invoked: %+v", c)
		}
	}
}

// first returns a fault that strikes the first n calls.
func first(n int, fault cloudemu.Fault) func(*cloudemu.Call) *cloudemu.Fault {
	return func(c *cloudemu.Call) *cloudemu.Fault {
		if c.N > n {
			return nil
		}
		return &fault
	}
}

func TestPublish_RepeatsWhatMayPass(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  cloudemu.Fault
		strike int
		events int // that are queued in the end: an ambiguous failure may have been a success
	}{
		"reset before the work":     {cloudemu.Fault{Reset: true}, 3, 1},
		"response lost":             {cloudemu.Fault{Lose: true}, 2, 3},
		"gateway's page":            {cloudemu.Fault{HTML: true}, 2, 1},
		"gateway's page, published": {cloudemu.Fault{HTML: true, Publish: true}, 1, 2},
		"status 500":                {cloudemu.Fault{Status: 500}, 2, 1},
		"status 503 of HTML":        {cloudemu.Fault{Status: 503, HTML: true}, 2, 1},
		"throttled":                 {cloudemu.Fault{Code: "RequestLimitExceeded"}, 4, 1},
		"throttled, special code":   {cloudemu.Fault{Code: "RequestLimitExceeded.UinLimitExceeded"}, 4, 1},
		"internal error":            {cloudemu.Fault{Code: "InternalError.System"}, 4, 1},
		"deployment under way":      {cloudemu.Fault{Code: "FailedOperation.FunctionStatusError"}, 6, 1},
		"unknown code, twice":       {cloudemu.Fault{Code: "FailedOperation.Odd"}, 2, 1},
		"no answer":                 {cloudemu.Fault{Hang: true}, 1, 1},
		"slow":                      {cloudemu.Fault{Delay: 5 * time.Second}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, payload := continuation(t)
				cloud := newCloud(first(tc.strike, tc.fault))
				if err := publishers(cloud.Transport(), "")["Invoke chatexport"].Publish(t.Context(), payload); err != nil {
					t.Fatal(err)
				}
				if queued, _ := cloud.Queue().Len(); queued != tc.events {
					t.Errorf("%d events were queued, want %d", queued, tc.events)
				}
			})
		})
	}
}

func TestPublish_GivesUpOnWhatCannotPass(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		publisher, code, advice string
		status, calls           int
		class                   retry.Class
	}{
		"not permitted":       {"Invoke chatexport", "UnauthorizedOperation.CAM", "scf:Invoke", 0, 1, retry.Permanent},
		"not permitted, CMQ":  {"PublishCmqMsg exports", "UnauthorizedOperation", "tdmq:PublishCmqMsg", 0, 1, retry.Permanent},
		"no such function":    {"Invoke chatexport", "ResourceNotFound.FunctionName", "function name", 0, 1, retry.Permanent},
		"no such topic":       {"PublishCmqMsg exports", "ResourceNotFound", "CMQ_TOPIC", 0, 1, retry.Permanent},
		"arrears":             {"Invoke chatexport", "ResourceUnavailable.InsufficientBalance", "arrears", 0, 1, retry.Permanent},
		"role without key":    {"Invoke chatexport", "AuthFailure.SecretIdNotFound", "role in serverless.yml", 0, 1, retry.Permanent},
		"wrong parameter":     {"Invoke chatexport", "InvalidParameterValue.Param", "", 0, 1, retry.Permanent},
		"unknown code":        {"Invoke chatexport", "FailedOperation.Odd", "", 0, 3, retry.Doubtful},
		"status 404":          {"Invoke chatexport", "InternalError", "", 404, 3, retry.Doubtful},
		"throttled for ever":  {"Invoke chatexport", "RequestLimitExceeded", "quota", 0, 8, retry.Throttled},
		"internal error, too": {"PublishCmqMsg exports", "InternalError", "", 0, 8, retry.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, payload := continuation(t)
				cloud := newCloud(first(1000, cloudemu.Fault{Code: tc.code, Status: tc.status, HTML: tc.status != 0}))
				err := publishers(cloud.Transport(), "")[tc.publisher].Publish(t.Context(), payload)
				e, ok := errors.AsType[*requeue.Error](err)
				if !ok {
					t.Fatalf("error %v", err)
				}
				if e.Op != tc.publisher || e.Attempts != tc.calls || len(cloud.Calls()) != tc.calls || retry.ClassOf(err) != tc.class {
					t.Errorf("op %q, attempts %d, %d calls, class %v: %v", e.Op, e.Attempts, len(cloud.Calls()), retry.ClassOf(err), err)
				}
				if !strings.Contains(e.Advice(), tc.advice) || (tc.advice == "") != (e.Advice() == "") {
					t.Errorf("advice %q, want %q", e.Advice(), tc.advice)
				}
				if tc.status == 0 && (e.Code != tc.code || e.Status != 200 || e.RequestID == "") {
					t.Errorf("code %q, status %d, request id %q", e.Code, e.Status, e.RequestID)
				}
				if tc.status != 0 && e.Status != tc.status {
					t.Errorf("status %d, want %d", e.Status, tc.status)
				}
			})
		})
	}
}

func TestPublish_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]cloudemu.Fault{"no answer": {Hang: true}, "throttled": {Code: "RequestLimitExceeded"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, payload := continuation(t)
				cloud := newCloud(first(1000, fault))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				err := publishers(cloud.Transport(), "")["Invoke chatexport"].Publish(ctx, payload)
				if _, ok := errors.AsType[*requeue.Error](err); !ok {
					t.Errorf("error %v", err)
				}
				if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, retry.ErrNoTime) {
					t.Errorf("the error does not say that time was up: %v", err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("took %v", took)
				}
				ctx, cancel = context.WithCancel(t.Context())
				cancel()
				calls := len(cloud.Calls())
				if err := publishers(cloud.Transport(), "")["Invoke chatexport"].Publish(ctx, payload); !errors.Is(err, context.Canceled) || len(cloud.Calls()) != calls {
					t.Errorf("an ended context made a call: %v", err)
				}
			})
		})
	}
}

func TestPublish_RefusesWithoutACall(t *testing.T) {
	t.Parallel()
	cloud := newCloud(nil)
	good := requeue.Config{Region: region, Function: "chatexport", Namespace: "prod", Qualifier: "7", Credentials: credentials(), Transport: cloud.Transport()}
	for name, tc := range map[string]struct {
		change  func(*requeue.Config)
		payload string
		want    error
	}{
		"payload too large":         {payload: `"` + strings.Repeat("a", event.MaxTaskBytes) + `"`, want: event.ErrTooLarge},
		"payload is not JSON":       {payload: `group`},
		"no region":                 {change: func(c *requeue.Config) { c.Region = "" }},
		"no function":               {change: func(c *requeue.Config) { c.Function = "" }},
		"no credentials":            {change: func(c *requeue.Config) { c.Credentials = config.Credentials{} }},
		"plain http":                {change: func(c *requeue.Config) { c.Endpoint = "http://scf.tencentcloudapi.com" }},
		"endpoint without a scheme": {change: func(c *requeue.Config) { c.Endpoint = "127.0.0.1:80" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			invoke, payload := good, `{"group_id":"a"}`
			if tc.change != nil {
				tc.change(&invoke)
			}
			if tc.payload != "" {
				payload = tc.payload
			}
			err := requeue.New(invoke).Publish(t.Context(), []byte(payload))
			e, ok := errors.AsType[*requeue.Error](err)
			if !ok || e.Attempts != 0 || retry.ClassOf(err) != retry.Permanent || (tc.want != nil && !errors.Is(err, tc.want)) {
				t.Errorf("error %v", err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
	t.Cleanup(func() {
		if calls := cloud.Calls(); len(calls) != 0 {
			t.Errorf("%d calls were made", len(calls))
		}
	})
}

func TestErrors_NeverShowCredentialsOrPayload(t *testing.T) {
	t.Parallel()
	answers := map[string]http.HandlerFunc{
		"service error": func(w http.ResponseWriter, r *http.Request) {
			raw, _ := json.Marshal(map[string]any{"Response": map[string]any{"RequestId": "r", "Error": map[string]string{
				"Code":    "UnauthorizedOperation.CAM",
				"Message": fmt.Sprintf("%s %s %s %s\nnot allowed: scf:Invoke", secretID, secretKey, r.Header.Get("X-TC-Token"), strings.Repeat("é", 1000)),
			}}})
			_, _ = w.Write(raw)
		},
		"gateway's page":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); _ = r.Header.Write(w) },
		"odd answer":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`["` + token + `"]`)) },
		"no request id":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"Response":{}}`)) },
		"endless answer":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(strings.Repeat(token, 100_000))) },
		"broken encoding": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", token) },
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				payload := `{"group_id":"a-very-private-group"}`
				err := publishers(loopback.Transport(answer), "")["Invoke chatexport"].Publish(t.Context(), []byte(payload))
				if err == nil {
					t.Fatal("an odd answer was taken for acceptance")
				}
				text := fmt.Sprintf("%v %+v %#v %v", err, err, err, errors.Unwrap(err))
				for _, secret := range []string{secretID, secretKey, token, "a-very-private-group"} {
					if strings.Contains(text, secret) {
						t.Errorf("the error shows %q: %.600s", secret, text)
					}
				}
				if len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
					t.Errorf("not fit for a log line: %d bytes, %q", len(err.Error()), err.Error())
				}
			})
		})
	}
}
