package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"chatexport/scripts/internal/scfstandin"
	"chatexport/scripts/policy"
)

const secret = "0123456789abcdef0123456789abcdef"

// operator returns what an operator sets, with changes; an empty value unsets one.
func operator(changes ...string) func(string) string {
	all := map[string]string{
		"CHAT_SDKAPPID": "1400000000", "CHAT_SECRET_KEY": secret, "COS_BUCKET": "archive-1250000000",
		"COS_REGION": "ap-guangzhou", "COS_PREFIX": "chat", "CHATEXPORT_ROLE": "chatexport",
		"TENCENTCLOUD_SECRETID": "AKIDtest", "TENCENTCLOUD_SECRETKEY": "key",
	}
	for i := 0; i < len(changes); i += 2 {
		all[changes[i]] = changes[i+1]
	}
	return func(name string) string { return all[name] }
}

func deploy(t *testing.T, step string, getenv func(string) string) (string, error) {
	t.Helper()
	d, err := read("../../serverless.yml", getenv)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	switch step {
	case "check":
		err = d.check(&out)
	case "policy":
		err = d.policies(&out)
	case "settings":
		err = d.settle(t.Context(), getenv, &out)
	}
	return out.String(), err
}

func TestCheck_NamesWhatIsMissingOrWrong(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"CHAT_SDKAPPID", "CHAT_SECRET_KEY", "COS_BUCKET", "COS_REGION", "CHATEXPORT_ROLE"} {
		if _, err := deploy(t, "check", operator(name, "")); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for name, wrong := range map[string]string{
		"EXPORT_MEDIA": "yes", "MEDIA_HOSTS": "https://files.example.com/", "MEDIA_MAX_BYTES": "500000000000", "EXPORT_LOOK": "3 days",
	} {
		if _, err := deploy(t, "check", operator(name, wrong)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is %q: %v", name, wrong, err)
		}
	}
	for _, name := range []string{"CHATEXPORT_ROLE", "COS_REGION", "CHAT_SECRET_KEY"} {
		if _, err := deploy(t, "check", operator(name, operator()(name)+"\r")); err == nil || !strings.Contains(err.Error(), name+": its value has control characters") {
			t.Errorf("%s with a carriage return: %v", name, err)
		}
	}
	if _, err := deploy(t, "check", operator("CHATEXPORT_INSTANCES", "many")); err == nil || !strings.Contains(err.Error(), "CHATEXPORT_INSTANCES") {
		t.Errorf("error %v", err)
	}
	out, err := deploy(t, "check", operator("CHATEXPORT_INSTANCES", "5", "CHAT_QPS", "50"))
	if err != nil || !strings.Contains(out, "250 calls a second") || strings.Contains(out, secret) {
		t.Errorf("five instances of 50 calls a second: %v, %s", err, out)
	}
}

// Not in parallel: the file .env is looked for in the current folder.
func TestCheck_WarnsOfWhatIsProbablyNotMeant(t *testing.T) {
	file, err := filepath.Abs("../../serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("MEDIA_HOST=files.example.com\nMEDIA_HOSTS=a.example.com\nCHATEXPORT_RETRIES=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := read(file, operator("MEDIA_MAX_BYTES", "200000000", "EXPORT_LOOK", "160h"))
	if err != nil {
		t.Fatal(err)
	}
	warnings := d.warnings()
	text := strings.Join(warnings, "\n")
	if len(warnings) != 3 || !strings.Contains(text, "MEDIA_MAX_BYTES") || !strings.Contains(text, "EXPORT_LOOK is above 7/8") || !strings.HasPrefix(warnings[2], "MEDIA_HOST in .env is no variable of ours") {
		t.Errorf("%q", warnings)
	}
}

func TestLimits_AreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "serverless.yml")
	if err := os.WriteFile(path, []byte("inputs: {memorySize: 256, timeout: 60}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := read(path, operator())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if d.limits(&out); out.String() != "--memory 256 --time-limit 60s\n" {
		t.Errorf("%q", out.String())
	}
}

func TestPolicy_IsFilledIn(t *testing.T) {
	t.Parallel()
	out, err := deploy(t, "policy", operator("REQUEUE", "cmq", "CMQ_TOPIC", "continue", "CHATEXPORT_OWNER", "100000000001"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"qcs::cos:ap-guangzhou:uid/1250000000:archive-1250000000/chat/data/*", "scf.qcloud.com",
		"qcs::scf:ap-guangzhou::namespace/default/function/chatexport", "qcs::tdmq:ap-guangzhou::topic/continue",
		"nobody but 100000000001", `"qcs:uin": "100000000001"`, "<Prefix>chat/rejected/</Prefix>",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	for _, want := range []string{"Policy of the function's role:", "Policy of whoever deploys", "qcs::cam:::roleName/chatexport", "Policy of whoever audits"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "${") {
		t.Errorf("a placeholder is left:\n%s", out)
	}
	bucket := operator("CHAT_SDKAPPID", "", "CHAT_SECRET_KEY", "", "CHATEXPORT_ROLE", "", "TENCENTCLOUD_SECRETID", "", "TENCENTCLOUD_SECRETKEY", "")
	if _, err := deploy(t, "policy", bucket); err != nil {
		t.Errorf("with nothing but the bucket: %v", err)
	}
	if _, err := deploy(t, "policy", operator("COS_BUCKET", "")); err == nil || !strings.Contains(err.Error(), "COS_BUCKET") {
		t.Errorf("without the bucket: %v", err)
	}
	if out, err := deploy(t, "policy", operator()); err != nil || strings.Contains(out, "tdmq") || !strings.Contains(out, "nobody may delete") {
		t.Errorf("without topic and owner: %v\n%s", err, out)
	}
	if _, err := deploy(t, "policy", operator("CHATEXPORT_OWNER", `1"`)); err == nil || !strings.Contains(err.Error(), "CHATEXPORT_OWNER") {
		t.Errorf("an owner that is no number: %v", err)
	}
}

// standin starts the cloud API with the function deployed.
func standin(t *testing.T, fault func(action string) string) (*scfstandin.Server, string) {
	t.Helper()
	s := &scfstandin.Server{Busy: 1, Fault: fault}
	s.Deploy("default", "chatexport", 128)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func TestSettings_AreSetAndReadBack(t *testing.T) {
	t.Parallel()
	var failures atomic.Int32
	s, url := standin(t, func(action string) string {
		if action == "PutReservedConcurrencyConfig" && failures.Add(1) == 1 {
			return "FailedOperation.FunctionStatusError"
		}
		return ""
	})
	out, err := deploy(t, "settings", operator("CLOUD_ENDPOINT", url, "CHATEXPORT_INSTANCES", "2", "CHATEXPORT_RETRIES", "1", "CHATEXPORT_EVENT_AGE", "3600"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "retried 1 times, at most 3600 s old; at most 2 instances (256 MB reserved)"; !strings.Contains(out, want) {
		t.Errorf("%q does not say %q", out, want)
	}
	deployer, err := policy.Deployer(policy.Place{Region: "ap-guangzhou", Bucket: "archive-1250000000", Namespace: "default", Function: "chatexport", Role: "r"})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, c := range s.Calls() {
		if !strings.Contains(deployer, `"scf:`+c.Action+`"`) {
			t.Errorf("whoever deploys is not granted scf:%s", c.Action)
		}
		actions = append(actions, strings.TrimSpace(c.Action+" "+c.Code))
	}
	want := []string{
		"GetFunction", "GetFunction", "UpdateFunctionEventInvokeConfig",
		"PutReservedConcurrencyConfig FailedOperation.FunctionStatusError", "PutReservedConcurrencyConfig", "GetFunctionEventInvokeConfig",
	}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestSettings_SayWhatCanBeDone(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"UnauthorizedOperation.CAM":      "allow the deploying account scf:PutReservedConcurrencyConfig",
		"LimitExceeded.ReservedInstance": "lower CHATEXPORT_INSTANCES",
	} {
		_, url := standin(t, func(action string) string {
			if action == "PutReservedConcurrencyConfig" {
				return code
			}
			return ""
		})
		_, err := deploy(t, "settings", operator("CLOUD_ENDPOINT", url))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", code, err, want)
		}
	}
	if _, err := deploy(t, "settings", operator("TENCENTCLOUD_SECRETID", "")); err == nil || !strings.Contains(err.Error(), "TENCENTCLOUD_SECRETID") {
		t.Errorf("without keys: %v", err)
	}
	if _, err := deploy(t, "settings", operator("CLOUD_ENDPOINT", "http://scf.example.com")); err == nil || !strings.Contains(err.Error(), "CLOUD_ENDPOINT") {
		t.Errorf("plain http to somewhere else: %v", err)
	}
}

func TestSettings_WithoutNetworkSayHostAndCauseSoon(t *testing.T) {
	t.Parallel()
	_, url := standin(t, nil)
	closed := httptest.NewServer(nil)
	closed.Close()
	begun := time.Now()
	_, err := deploy(t, "settings", operator("CLOUD_ENDPOINT", closed.URL))
	host := strings.TrimPrefix(closed.URL, "http://")
	if took := time.Since(begun); err == nil || !strings.Contains(err.Error(), "no answer from "+host) || !strings.Contains(err.Error(), "connection refused") || took > 15*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	if _, err := deploy(t, "settings", operator("CLOUD_ENDPOINT", url)); err != nil {
		t.Errorf("with it: %v", err)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		scripts, err := filepath.Abs("..")
		e.Setenv("SCRIPTS", scripts)
		return err
	}})
}
