package cloudemu_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudemu "chatexport/internal/emulator/cloud"
)

const (
	secretID  = "AKIDexample"
	secretKey = "key"
	token     = "token"
)

// signed returns a request signed as the documentation of signature method v3 says, written independently of the
// emulator's own computation, in one piece.
func signed(t *testing.T, base, service, version, action, body string, at time.Time) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/", strings.NewReader(body))
	must(t, err)
	date := at.UTC().Format("2006-01-02")
	stamp := fmt.Sprint(at.Unix())
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	mac := func(key, s string) string {
		h := hmac.New(sha256.New, []byte(key))
		_, _ = io.WriteString(h, s)
		return string(h.Sum(nil))
	}
	canonical := "POST\n/\n\ncontent-type:application/json\nhost:" + r.URL.Host + "\n\ncontent-type;host\n" + sum(body)
	scope := date + "/" + service + "/tc3_request"
	text := "TC3-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + sum(canonical)
	signature := hex.EncodeToString([]byte(mac(mac(mac(mac("TC3"+secretKey, date), service), "tc3_request"), text)))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-TC-Action": action, "X-TC-Version": version, "X-TC-Region": "ap-guangzhou",
		"X-TC-Timestamp": stamp, "X-TC-Token": token,
		"Authorization": "TC3-HMAC-SHA256 Credential=" + secretID + "/" + scope + ", SignedHeaders=content-type;host, Signature=" + signature,
	} {
		r.Header.Set(name, value)
	}
	return r
}

func send(t *testing.T, s *cloudemu.Server, r *http.Request) (code, requestID string) {
	t.Helper()
	response, err := s.Transport().RoundTrip(r)
	must(t, err)
	defer func() { must(t, response.Body.Close()) }()
	var a struct {
		Response struct {
			Error struct{ Code string }

			RequestID string `json:"RequestId"`
		}
	}
	must(t, json.NewDecoder(response.Body).Decode(&a))
	return a.Response.Error.Code, a.Response.RequestID
}

func invokeBody(payload string) string {
	raw, err := json.Marshal(map[string]string{"FunctionName": "f", "Namespace": "default", "Qualifier": "$LATEST", "InvocationType": "Event", "ClientContext": payload})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func newServer() *cloudemu.Server {
	return cloudemu.New(cloudemu.Config{
		Credentials: []cloudemu.Credential{{SecretID: secretID, SecretKey: secretKey, Token: token}},
		Region:      "ap-guangzhou",
		Functions:   []cloudemu.Function{{Namespace: "default", Name: "f", Qualifier: "$LATEST"}},
		Topics:      []string{"t"},
	})
}

func TestCall_IsRefusedAsTheServiceRefusesIt(t *testing.T) {
	t.Parallel()
	const base = "http://scf.tencentcloudapi.com"
	now := time.Now()
	ok := invokeBody(`{"group_id":"a"}`)
	for name, tc := range map[string]struct {
		want, service, version, action, body string
		at                                   time.Time
		change                               func(*http.Request)
	}{
		"nothing wrong":           {want: "", body: ok},
		"tampered body":           {want: "AuthFailure.SignatureFailure", body: ok, change: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(ok + " ")) }},
		"tampered host":           {want: "AuthFailure.SignatureFailure", body: ok, change: func(r *http.Request) { r.Host = "other.example.com" }},
		"tampered content type":   {want: "AuthFailure.SignatureFailure", body: ok, change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
		"tampered time":           {want: "AuthFailure.SignatureFailure", body: ok, change: func(r *http.Request) { r.Header.Set("X-TC-Timestamp", fmt.Sprint(now.Unix()-1)) }},
		"no signature":            {want: "AuthFailure.SignatureFailure", body: ok, change: func(r *http.Request) { r.Header.Del("Authorization") }},
		"no token":                {want: "AuthFailure.TokenFailure", body: ok, change: func(r *http.Request) { r.Header.Del("X-TC-Token") }},
		"wrong token":             {want: "AuthFailure.TokenFailure", body: ok, change: func(r *http.Request) { r.Header.Set("X-TC-Token", "x") }},
		"old request":             {want: "AuthFailure.SignatureExpire", body: ok, at: now.Add(-6 * time.Minute)},
		"request from the future": {want: "AuthFailure.SignatureExpire", body: ok, at: now.Add(6 * time.Minute)},
		"unknown id": {want: "AuthFailure.SecretIdNotFound", body: ok, change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), secretID, "AKIDother", 1))
		}},
		"unknown action":       {want: "InvalidAction", action: "DeleteFunction", body: ok},
		"unknown version":      {want: "InvalidAction", version: "2017-01-01", body: ok},
		"another service":      {want: "InvalidAction", service: "cvm", body: ok},
		"no region":            {want: "MissingParameter", body: ok, change: func(r *http.Request) { r.Header.Del("X-TC-Region") }},
		"another region":       {want: "UnsupportedRegion", body: ok, change: func(r *http.Request) { r.Header.Set("X-TC-Region", "ap-beijing") }},
		"body is not JSON":     {want: "InvalidParameter", body: "{"},
		"no function":          {want: "MissingParameter", body: strings.Replace(ok, `"FunctionName":"f"`, `"FunctionName":""`, 1)},
		"no qualifier":         {want: "MissingParameter", body: strings.Replace(ok, `"Qualifier"`, `"Other"`, 1)},
		"unknown function":     {want: "ResourceNotFound.Function", body: strings.Replace(ok, `"FunctionName":"f"`, `"FunctionName":"g"`, 1)},
		"synchronous":          {want: "InvalidParameterValue.Param", body: strings.Replace(ok, `"Event"`, `"RequestResponse"`, 1)},
		"event too large":      {want: "InvalidParameterValue.Param", body: invokeBody(`"` + strings.Repeat("a", 128<<10) + `"`)},
		"event is not JSON":    {want: "InvalidParameterValue.Param", body: invokeBody("a")},
		"topic":                {want: "", service: "tdmq", version: "2020-02-17", action: "PublishCmqMsg", body: `{"TopicName":"t","MsgContent":"a"}`},
		"unknown topic":        {want: "ResourceNotFound", service: "tdmq", version: "2020-02-17", action: "PublishCmqMsg", body: `{"TopicName":"u","MsgContent":"a"}`},
		"no content":           {want: "MissingParameter", service: "tdmq", version: "2020-02-17", action: "PublishCmqMsg", body: `{"TopicName":"t"}`},
		"message over 1024 KB": {want: "InvalidParameterValue", service: "tdmq", version: "2020-02-17", action: "PublishCmqMsg", body: `{"TopicName":"t","MsgContent":"` + strings.Repeat("a", 1024<<10+1) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			or := func(v, otherwise string) string {
				if v == "" {
					return otherwise
				}
				return v
			}
			at := tc.at
			if at.IsZero() {
				at = now
			}
			r := signed(t, base, or(tc.service, "scf"), or(tc.version, "2018-04-16"), or(tc.action, "Invoke"), tc.body, at)
			if tc.change != nil {
				tc.change(r)
			}
			code, requestID := send(t, s, r)
			if code != tc.want || requestID == "" {
				t.Errorf("code %q, want %q; request id %q", code, tc.want, requestID)
			}
			queued, _ := s.Queue().Len()
			if (tc.want == "") != (queued == 1) {
				t.Errorf("%d events were queued", queued)
			}
			if s.Count(tc.want) != 1 {
				t.Errorf("the record says %+v", s.Calls())
			}
		})
	}
}

func TestListen_ServesUntilItIsClosed(t *testing.T) {
	t.Parallel()
	s := newServer()
	base, err := s.Listen(t.Context(), "127.0.0.1:0")
	must(t, err)
	client := &http.Client{}
	response, err := client.Do(signed(t, base, "scf", "2018-04-16", "Invoke", invokeBody(`{"group_id":"a"}`), time.Now()))
	must(t, err)
	must(t, response.Body.Close())
	if queued, _ := s.Queue().Len(); queued != 1 {
		t.Errorf("%d events were queued", queued)
	}
	must(t, s.Close())
	must(t, s.Close())
}
