package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/scripts/internal/scfstandin"
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

func TestCheck_NamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"CHAT_SDKAPPID", "CHAT_SECRET_KEY", "COS_BUCKET", "COS_REGION", "CHATEXPORT_ROLE"} {
		if _, err := deploy(t, "check", operator(name, "")); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
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

func TestLimits_AreThoseOfTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "serverless.yml")
	write(t, path, "inputs: {memorySize: 256, timeout: 60}\n")
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
	out, err := deploy(t, "policy", operator("REQUEUE", "cmq", "CMQ_TOPIC", "chatexport"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"qcs::cos:ap-guangzhou:uid/1250000000:archive-1250000000/chat/data/*", "scf.qcloud.com",
		"qcs::scf:ap-guangzhou::namespace/default/function/chatexport", "tdmq:PublishCmqMsg",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "${") {
		t.Errorf("a placeholder is left:\n%s", out)
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
	var actions []string
	for _, c := range s.Calls() {
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

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o700); err != nil { //nolint:gosec // some are scripts
		t.Fatal(err)
	}
}

// script runs a copy of scripts/deploy.sh in which go and scf only say how they were called; scf fails if told to.
func script(t *testing.T, env []string, args ...string) (output string, calls []string, err error) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	folder := t.TempDir()
	for _, dir := range []string{"scripts", "tools"} {
		if err := os.Mkdir(filepath.Join(folder, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	body, err := os.ReadFile("../deploy.sh")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "scripts/deploy.sh"), string(body))
	log := filepath.Join(folder, "calls")
	write(t, filepath.Join(folder, "scripts/package.sh"), "echo package >>"+log)
	write(t, filepath.Join(folder, "tools/go"), "#!/usr/bin/env bash\necho go \"$@\" \"$TENCENTCLOUD_SECRETID\" >>"+log+"\n[ \"$3\" != limits ] || echo --memory 256 --time-limit 60s")
	write(t, filepath.Join(folder, "tools/scf"), "#!/usr/bin/env bash\necho scf \"$@\" \"$TENCENT_SECRET_ID\" \"$CHAT_SDKAPPID\" $TENCENT_TOKEN >>"+log+"\nexit ${SCF_EXIT:-0}")
	write(t, filepath.Join(folder, ".env"), "CHAT_SDKAPPID=1400000000\nTENCENT_SECRET_ID=AKIDfile\nexport TENCENT_SECRET_KEY='file key'\nTENCENT_TOKEN=filetoken\n")
	cmd := exec.CommandContext(t.Context(), bash, append([]string{filepath.Join(folder, "scripts/deploy.sh")}, args...)...)
	cmd.Env = append(env, "PATH="+filepath.Join(folder, "tools")+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	recorded, readErr := os.ReadFile(log)
	if readErr == nil {
		calls = strings.Split(strings.TrimSpace(string(recorded)), "\n")
	}
	return string(out), calls, err
}

func TestScript_DoesItsStepsInOrder(t *testing.T) {
	t.Parallel()
	env := []string{
		"CHAT_SECRET_KEY=" + secret, "COS_BUCKET=archive-1250000000", "COS_REGION=ap-guangzhou", "CHATEXPORT_ROLE=chatexport",
		"TENCENT_SECRET_ID=AKIDtest", "TENCENT_SECRET_KEY=key",
	}
	steps := []string{
		"go run ./scripts/deploy limits AKIDtest", "go run ./scripts/deploy check AKIDtest", "package", "scf deploy AKIDtest 1400000000",
		"go run ./scripts/deploy settings AKIDtest", "go run ./scripts/chatexport doctor --memory 256 --time-limit 60s AKIDtest",
	}
	out, calls, err := script(t, env)
	if diff := cmp.Diff(steps, calls); err != nil || diff != "" || strings.Contains(out, secret) {
		t.Errorf("%v (-want +got):\n%s\n%s", err, diff, out)
	}
	out, calls, err = script(t, slices.Concat(env, []string{"SCF_EXIT=3"}))
	if diff := cmp.Diff(steps[:4], calls); err == nil || diff != "" {
		t.Errorf("when the deployment fails: %v (-want +got):\n%s\n%s", err, diff, out)
	}
	out, calls, err = script(t, env, "--dry-run")
	if err != nil || len(calls) != 0 || !strings.Contains(out, "$ scf deploy") || !strings.Contains(out, "doctor --memory") || strings.Contains(out, secret) {
		t.Errorf("a dry run: %v, calls %q\n%s", err, calls, out)
	}
	out, calls, err = script(t, env[1:])
	if err == nil || len(calls) != 0 || !strings.Contains(out, "set CHAT_SECRET_KEY") {
		t.Errorf("without a key: %v, calls %q\n%s", err, calls, out)
	}
	if out, calls, err = script(t, env, "--dryrun"); err == nil || len(calls) != 0 {
		t.Errorf("a misspelt flag: %v, calls %q\n%s", err, calls, out)
	}
}

func TestScript_LetsTheEnvironmentWin(t *testing.T) {
	t.Parallel()
	env := []string{
		"CHAT_SECRET_KEY=it's $HOME", "COS_BUCKET=archive-1250000000", "COS_REGION=ap-guangzhou", "CHATEXPORT_ROLE=chatexport",
	}
	for name, test := range map[string]struct {
		env  []string
		want string
	}{
		"the file alone":                {nil, "scf deploy AKIDfile 1400000000 filetoken"},
		"a variable of both":            {[]string{"CHAT_SDKAPPID=1500000000"}, "scf deploy AKIDfile 1500000000 filetoken"},
		"an empty variable":             {[]string{"CHAT_SDKAPPID="}, "scf deploy AKIDfile 1400000000 filetoken"},
		"a key of the environment":      {[]string{"TENCENT_SECRET_ID=AKIDenv", "TENCENT_SECRET_KEY=key"}, "scf deploy AKIDenv 1400000000"},
		"a key by its other name":       {[]string{"TENCENTCLOUD_SECRETID=AKIDenv", "TENCENTCLOUD_SECRETKEY=key"}, "scf deploy AKIDenv 1400000000"},
		"what a shell would make of it": {[]string{"CHAT_SDKAPPID=$(echo 1)'\""}, `scf deploy AKIDfile $(echo 1)'" filetoken`},
	} {
		out, calls, err := script(t, slices.Concat(env, test.env))
		if err != nil || len(calls) < 4 || calls[3] != test.want {
			t.Errorf("%s: %v, calls %q, want %q\n%s", name, err, calls, test.want, out)
		}
	}
}
