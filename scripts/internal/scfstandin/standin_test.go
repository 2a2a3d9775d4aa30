package scfstandin_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"chatexport/scripts/internal/scfstandin"
)

// call sends a request as the component does, and returns the code of the answer.
func call(t *testing.T, s *scfstandin.Server, action string, params map[string]string) string {
	t.Helper()
	form := url.Values{
		"Action": {action}, "Version": {"2018-04-16"}, "Region": {"ap-guangzhou"},
		"SecretId": {"AKIDtest"}, "Signature": {"x"}, "Timestamp": {"1"}, "Nonce": {"1"},
		"FunctionName": {"chatexport"}, "Namespace": {"default"},
	}
	for name, value := range params {
		form.Set(name, value)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer struct {
		Response struct{ Error struct{ Code string } }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Response.Error.Code
}

func with(base map[string]string, changes ...string) map[string]string {
	changed := maps.Clone(base)
	for i := 0; i < len(changes); i += 2 {
		changed[changes[i]] = changes[i+1]
		if changes[i+1] == "" {
			delete(changed, changes[i])
		}
	}
	return changed
}

func TestRequest_IsJudged(t *testing.T) {
	t.Parallel()
	function := map[string]string{
		"Runtime": "Go1", "Handler": "main", "Type": "Event", "Role": "chatexport", "MemorySize": "128", "Timeout": "300",
		"Code.CosBucketName": "bucket", "Code.CosObjectName": "object",
		"Environment.Variables.0.Key": "CHAT_QPS", "Environment.Variables.0.Value": "50",
	}
	timer := map[string]string{
		"Type": "timer", "TriggerName": "tick", "TriggerDesc": "0 17 * * * * *", "Qualifier": "$DEFAULT", "Enable": "OPEN",
		"CustomArgument": `{"group_id":"g"}`,
	}
	s := &scfstandin.Server{}
	for _, test := range []struct {
		action string
		params map[string]string
		want   string
	}{
		{"GetFunction", nil, "ResourceNotFound.FunctionName"},
		{"CreateFunction", with(function, "MemorySize", "200"), "InvalidParameterValue"},
		{"CreateFunction", with(function, "Timeout", "99999"), "InvalidParameterValue"},
		{"CreateFunction", with(function, "Timeout", "soon"), "InvalidParameterValue"},
		{"CreateFunction", with(function, "FunctionName", "chat export"), "InvalidParameterValue"},
		{"CreateFunction", with(function, "Environment.Variables.0.Key", "SCF_X"), "InvalidParameterValue"},
		{"CreateFunction", with(function, "Environment.Variables.0.Value", "undefined"), "InvalidParameterValue"},
		{"CreateFunction", with(function, "Environment.Variables.0.Value", strings.Repeat("x", 4096)), "InvalidParameterValue"},
		{"CreateFunction", with(function, "Runtime", "Golang1"), "InvalidParameterValue.Runtime"},
		{"CreateFunction", with(function, "Role", ""), "MissingParameter"},
		{"CreateFunction", with(function, "RetryNum", "2"), "UnknownParameter"},
		{"CreateFunction", with(function, "Code.CosObjectName", ""), "InvalidParameterValue.Code"},
		{"CreateFunction", function, ""},
		{"CreateFunction", function, "ResourceInUse.FunctionName"},
		{"UpdateFunctionConfiguration", map[string]string{
			"Role": "r", "MemorySize": "128", "Timeout": "300", "Environment.Variables.0.Key": "", "Environment.Variables.0.Value": "",
		}, "InvalidParameterValue"},
		{"CreateTrigger", with(timer, "TriggerDesc", "not a cron"), "InvalidParameterValue"},
		{"CreateTrigger", with(timer, "CustomArgument", "[object Object]"), "InvalidParameterValue"},
		{"CreateTrigger", with(timer, "CustomArgument", `{"groups":"`+strings.Repeat("x", 4096)+`"}`), "InvalidParameterValue"},
		{"CreateTrigger", with(timer, "Enable", "true"), "InvalidParameterValue.Enable"},
		{"CreateTrigger", with(timer, "Type", "eb"), "InvalidParameterValue.Type"},
		{"CreateTrigger", timer, ""},
		{"CreateTrigger", timer, "ResourceInUse.Trigger"},
		{"DeleteTrigger", map[string]string{"Type": "timer", "TriggerName": "tock"}, "ResourceNotFound.Trigger"},
		{"DeleteTrigger", map[string]string{"Type": "timer", "TriggerName": "tick"}, ""},
		{"PutReservedConcurrencyConfig", map[string]string{"ReservedConcurrencyMem": "100"}, "InvalidParameterValue.ReservedConcurrencyMem"},
		{"PutReservedConcurrencyConfig", map[string]string{"ReservedConcurrencyMem": "384"}, ""},
		{"UpdateFunctionEventInvokeConfig", map[string]string{
			"AsyncTriggerConfig.MsgTTL": "3600", "AsyncTriggerConfig.RetryConfig.0.RetryNum": "3",
		}, "InvalidParameterValue.RetryNum"},
		{"DeleteFunction", nil, "InvalidAction"},
		{"GetFunction", map[string]string{"Signature": ""}, "AuthFailure.InvalidAuthorization"},
	} {
		if got := call(t, s, test.action, test.params); got != test.want {
			t.Errorf("%s %.200v: %q, want %q", test.action, test.params, got, test.want)
		}
	}
	if n := len(s.Triggers("chatexport")); n != 0 {
		t.Errorf("%d triggers are left", n)
	}
}
