package serverless_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"chatexport/internal/config"
	"chatexport/scripts/internal/serverless"
)

const path = "../../../serverless.yml"

// required is what an operator has to set.
func required(name string) string {
	return map[string]string{
		"CHAT_SDKAPPID": "1400000000", "CHAT_SECRET_KEY": strings.Repeat("0123456789abcdef", 4),
		"COS_BUCKET": "archive-1250000000", "COS_REGION": "ap-guangzhou", "CHATEXPORT_ROLE": "chatexport",
	}[name]
}

// everything is every variable that the file can take over.
func everything(name string) string {
	values := map[string]string{
		"CHAT_ADMIN": "administrator", "CHAT_REGION": "singapore", "CHAT_QPS": "200", "CHAT_CONCURRENCY": "200",
		"CHAT_RETENTION_DAYS": "90", "COS_PREFIX": strings.Repeat("p", 127), "LOG_LEVEL": "debug",
		"EXPORT_SPAN": "10000000", "EXPORT_CHUNK_BYTES": "268435456", "EXPORT_VOID": "exhaustive", "EXPORT_MAX_HOPS": "1000000",
		"EXPORT_MEDIA": "off", "MEDIA_HOSTS": "files.example.com,*.example.org", "MEDIA_MAX_BYTES": "503316480", "EXPORT_LOOK": "72h",
		"REQUEUE": "cmq", "CMQ_TOPIC": "chatexport",
		"CLS_LOGSET_ID": "00000000-0000-0000-0000-000000000000", "CLS_TOPIC_ID": "00000000-0000-0000-0000-000000000000",
	}
	if v := values[name]; v != "" {
		return v
	}
	return required(name)
}

func source(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parse(t *testing.T, raw []byte, getenv func(string) string) serverless.File {
	t.Helper()
	f, err := serverless.Parse(raw, getenv)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheFileKeepsEveryLimit(t *testing.T) {
	t.Parallel()
	raw := source(t)
	for name, f := range map[string]serverless.File{
		"required variables only":          parse(t, raw, required),
		"all variables":                    parse(t, raw, everything),
		"all variables, everything is on":  parse(t, serverless.SwitchOn(raw), everything),
		"required only, everything is on":  parse(t, serverless.SwitchOn(raw), required),
		"values as long as they may be":    parse(t, raw, long),
		"everything is on, values as long": parse(t, serverless.SwitchOn(raw), long),
	} {
		if err := f.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func long(name string) string {
	if name == "CHAT_SECRET_KEY" {
		return strings.Repeat("k", 256)
	}
	return everything(name)
}

func TestTheFileAsksForNothingElse(t *testing.T) {
	t.Parallel()
	parse(t, serverless.SwitchOn(source(t)), func(name string) string {
		if everything(name) == "" {
			t.Errorf("${env:%s} is not among the variables that this test fills in", name)
		}
		return everything(name)
	})
}

// A deployment replaces all variables of the function: what is not in the file cannot be set, in the console neither.
func TestEveryVariableReachesTheFunction(t *testing.T) {
	t.Parallel()
	given := parse(t, source(t), everything).Inputs.Environment.Variables
	if _, err := config.Load(func(name string) string {
		// Base URLs are for tests and for networks of their own; SWEEP_LANES is only told to be of no use.
		if given[name] == "" && !strings.HasSuffix(name, "_ENDPOINT") && name != "SWEEP_LANES" {
			t.Errorf("the function reads %s, which the file does not hand over", name)
		}
		return given[name]
	}); err != nil {
		t.Error(err)
	}
}

func TestWhatIsSwitchedOffIsThere(t *testing.T) {
	t.Parallel()
	raw := source(t)
	off, on := parse(t, raw, required).Inputs, parse(t, serverless.SwitchOn(raw), required).Inputs
	if off.DeadLetter != nil || on.DeadLetter == nil {
		t.Error("deadLetter is not ready to be switched on")
	}
	has := func(events []serverless.Event, is func(serverless.Event) bool) bool {
		return slices.ContainsFunc(events, is)
	}
	if cmq := func(e serverless.Event) bool { return e.CMQ != nil }; has(off.Events, cmq) || !has(on.Events, cmq) {
		t.Error("a CMQ trigger is not ready to be switched on")
	}
	if ckafka := func(e serverless.Event) bool { return e.CKafka != nil }; has(off.Events, ckafka) || !has(on.Events, ckafka) {
		t.Error("a CKafka trigger is not ready to be switched on")
	}
	var group, sweep bool
	for _, e := range off.Events {
		if e.Timer == nil {
			continue
		}
		isSweep := strings.Contains(e.Timer.Parameters.Argument, `"sweep"`)
		sweep = sweep || isSweep
		group = group || !isSweep
	}
	if !group || !sweep {
		t.Errorf("timer for one group: %v, for the sweep: %v; want both", group, sweep)
	}
}

// TestTheGuardFindsMistakes changes the file in ways that the command line and the component would let pass.
func TestTheGuardFindsMistakes(t *testing.T) {
	t.Parallel()
	for _, m := range []struct{ old, new, want string }{
		{"memorySize: 128", "memorySize: 200", "memory of 200 MB"},
		{"memorySize: 128", "memorySize: 4096", "memory of 4096 MB"},
		{"timeout: 300", "timeout: 901", "time limit of 901 s"},
		{"runtime: Go1", "runtime: Golang1", "runtime"},
		{"handler: main", "handler: index.main_handler", "handler"},
		{"org: chatexport", "org: ''", "org"},
		{"enable: true", "enabled: true", "field enabled not found"},
		{"enable: true", "enable: 'true'", "cannot unmarshal"},
		{"qualifier: $DEFAULT", "qualifier: live", "qualifier"},
		{"  type: event", "  asyncRunEnable: true\n  type: event", "field asyncRunEnable not found"},
		{"  type: event", "  retryNum: 2\n  type: event", "field retryNum not found"},
		{"CHAT_SDKAPPID: ${env:CHAT_SDKAPPID}", "CHAT_SDKAPPID: '1400${env:CHAT_SDKAPPID}'", "longer text"},
		{"CHAT_SDKAPPID: ${env:CHAT_SDKAPPID}", "CHAT_SDKAPPID: ${env:NOT_SET}", "CHAT_SDKAPPID: is not set"},
		{"CHAT_SDKAPPID: ${env:CHAT_SDKAPPID}", "CHAT_SDKAPPID: ${stage}", "only ${env:NAME}"},
		{"      CHAT_SDKAPPID:", "      SCF_NAMESPACE: default\n      CHAT_SDKAPPID:", "reserved"},
		{"      CHAT_SDKAPPID:", "      CHAT_QSP: '50'\n      CHAT_SDKAPPID:", "knows no such variable"},
		{"      CHAT_SDKAPPID:", "      X1: '" + strings.Repeat("x", 4096) + "'\n      CHAT_SDKAPPID:", "environment of"},
		{"role: ${env:CHATEXPORT_ROLE}", "role: ${env:NOT_SET}", "execution role"},
		{`argument: '{"sweep"`, `argument: '{"swep"`, "argument"},
		{`argument: '{"sweep":`, `argument: {"sweep":`, ""},
		{"name: chatexport\n", "name: chatexport_\n", "name"},
		{"cronExpression: '0 ", "cronExpression: '60 ", "second"},
		{"cronExpression: '0 ", "cronExpression: '", "6 fields"},
	} {
		raw := string(source(t))
		changed := strings.ReplaceAll(raw, m.old, m.new)
		if changed == raw {
			t.Errorf("%q is not in the file", m.old)
			continue
		}
		f, err := serverless.Parse([]byte(changed), required)
		if err == nil {
			err = f.Check()
		}
		if err == nil || !strings.Contains(err.Error(), m.want) {
			t.Errorf("%q instead of %q: %v, want %q", m.new, m.old, err, m.want)
		}
	}
}

func TestAProblemDoesNotShowTheSecret(t *testing.T) {
	t.Parallel()
	f := parse(t, source(t), func(name string) string {
		if name == "CHAT_SECRET_KEY" {
			return "hunter2 hunter2"
		}
		return required(name)
	})
	if err := f.Check(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func TestCron(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"0 17 * * * * *", "*/5 * * * * * *", "0 0 2 1-15 JAN,jul * 2026-2030", "0 0 10-12/2 * * MON-FRI *"} {
		if err := serverless.CheckCron(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{
		"", "not a cron", "0 17 * * * *", "0 60 * * * * *", "0 0 24 * * * *", "0 0 0 0 * * *", "0 0 0 1 13 * *", "0 0 0 1 1 7 *",
		"0 0 0 1 1 * 1969", "0 0 5-3 * * * *", "0 0/0 * * * * *", "0 0/x * * * * *", "0 -1 * * * * *", "0 1, * * * * *", "0 ? * * * * *", "0 +1 * * * * *",
	} {
		if serverless.CheckCron(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
