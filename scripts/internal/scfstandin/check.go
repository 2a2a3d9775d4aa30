package scfstandin

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"chatexport/scripts/internal/serverless"
)

// known refuses parameters that the API does not have: the component sends whatever it is given under some keys.
func known(action string, p map[string]any) error {
	target := []string{"FunctionName", "Namespace"}
	// The last ones are undocumented, but the component sends them with every function.
	configuration := append(slices.Clone(target), "Description", "MemorySize", "Timeout", "Environment", "VpcConfig", "Role",
		"ClsLogsetId", "ClsTopicId", "Layers", "DeadLetterConfig", "PublicNetConfig", "CfsConfig", "InitTimeout", "L5Enable", "DiskSize")
	trigger := append(slices.Clone(target), "TriggerName", "Type", "TriggerDesc", "Qualifier")
	allowed, ok := map[string][]string{
		"GetFunction":                     append(slices.Clone(target), "Qualifier", "ShowCode", "ShowTriggers"),
		"CreateFunction":                  append(slices.Clone(configuration), "Code", "Handler", "Runtime", "Type", "InstallDependency", "DeployMode"),
		"UpdateFunctionCode":              append(slices.Clone(target), "Code", "Handler", "InstallDependency"),
		"UpdateFunctionConfiguration":     configuration,
		"ListTriggers":                    append(slices.Clone(target), "Limit", "Offset", "Filters"),
		"CreateTrigger":                   append(slices.Clone(trigger), "Enable", "CustomArgument", "Description"),
		"DeleteTrigger":                   trigger,
		"UpdateFunctionEventInvokeConfig": append(slices.Clone(target), "AsyncTriggerConfig"),
		"GetFunctionEventInvokeConfig":    append(slices.Clone(target), "Qualifier"),
		"PutReservedConcurrencyConfig":    append(slices.Clone(target), "ReservedConcurrencyMem"),
		"GetReservedConcurrencyConfig":    target,
		"GetAlias":                        append(slices.Clone(target), "Name"),
	}[action]
	if !ok {
		return refuse("InvalidAction", "%s is not known here", action)
	}
	for name := range p {
		if !slices.Contains(allowed, name) {
			return refuse("UnknownParameter", "%s has no %s", action, name)
		}
	}
	if action != "GetAlias" && (text(p, "FunctionName") == "" || text(p, "Namespace") == "") {
		return refuse("MissingParameter", "FunctionName and Namespace")
	}
	return nil
}

func checkConfiguration(p map[string]any) error {
	variables, err := environment(p)
	if err != nil {
		return err
	}
	memory, memoryOK := integer(p, "MemorySize")
	timeout, timeoutOK := integer(p, "Timeout")
	if !memoryOK || !timeoutOK {
		return refuse("InvalidParameterValue", "MemorySize and Timeout are integers")
	}
	if text(p, "Role") == "" {
		return refuse("MissingParameter", "Role: the function would have no credentials")
	}
	return invalid(errors.Join(
		serverless.CheckFunctionName(text(p, "FunctionName")), serverless.CheckFunctionName(text(p, "Namespace")),
		serverless.CheckMemory(memory), serverless.CheckTimeout(timeout), serverless.CheckEnvironment(variables),
	))
}

func environment(p map[string]any) (map[string]string, error) {
	raw, err := json.Marshal(p["Environment"])
	if err != nil {
		return nil, refuse("InvalidParameterValue", "Environment")
	}
	var e struct {
		Variables []struct{ Key, Value string }
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, refuse("InvalidParameterValue", "Environment: every value is a string")
	}
	variables := make(map[string]string)
	for _, v := range e.Variables {
		if v.Key == "" {
			return nil, refuse("InvalidParameterValue", "Environment: this erases all variables")
		}
		variables[v.Key] = v.Value
	}
	return variables, nil
}

func checkCreation(p map[string]any) error {
	for name, want := range map[string]string{"Runtime": "Go1", "Handler": "main", "Type": "Event"} {
		if text(p, name) != want {
			return refuse("InvalidParameterValue."+name, "%s is %q, not %q", name, text(p, name), want)
		}
	}
	return nil
}

func checkCode(p map[string]any) error {
	code, _ := p["Code"].(map[string]any)
	if packed := text(code, "ZipFile"); packed != "" {
		return checkPackage(packed)
	}
	if text(code, "CosBucketName") == "" || text(code, "CosObjectName") == "" {
		return refuse("InvalidParameterValue.Code", "bucket and object of the code are missing")
	}
	return nil
}

// checkPackage looks for an executable main in the root of a package.
func checkPackage(packed string) error {
	raw, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		return refuse("InvalidParameterValue.Code", "ZipFile is no base64")
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || len(z.File) != 1 || z.File[0].Name != "main" || z.File[0].Mode().Perm()&0o111 == 0 {
		return refuse("InvalidParameterValue.Code", "ZipFile is no package with an executable main in its root: %v", err)
	}
	return nil
}

func (f *function) createTrigger(p map[string]any) (map[string]any, error) {
	name, kind := text(p, "TriggerName"), text(p, "Type")
	same := 0
	for _, t := range f.triggers {
		if text(t, "Type") == kind {
			same++
			if text(t, "TriggerName") == name {
				return nil, refuse("ResourceInUse.Trigger", "%s exists", name)
			}
		}
	}
	if same == serverless.MaxTriggersOfAKind {
		return nil, refuse("LimitExceeded.Trigger", "more than %d triggers of type %s", same, kind)
	}
	enable := text(p, "Enable")
	if enable != "OPEN" && enable != "CLOSE" {
		return nil, refuse("InvalidParameterValue.Enable", "Enable is %q", enable)
	}
	if q := text(p, "Qualifier"); q != "$DEFAULT" && q != "$LATEST" {
		return nil, refuse("InvalidParameterValue.Qualifier", "Qualifier is %q", q)
	}
	description, err := checkTrigger(kind, name, p)
	if err != nil {
		return nil, err
	}
	// The answer's form differs from the request's: a number for Enable, and an object around a cron expression.
	stored := map[string]any{
		"TriggerName": name, "Type": kind, "TriggerDesc": description, "Qualifier": p["Qualifier"], "Enable": 0,
		"CustomArgument": text(p, "CustomArgument"), "AvailableStatus": "Available",
	}
	if enable == "OPEN" {
		stored["Enable"] = 1
	}
	f.triggers = append(f.triggers, stored)
	return map[string]any{"TriggerInfo": stored}, nil
}

func checkTrigger(kind, name string, p map[string]any) (description string, err error) {
	description = text(p, "TriggerDesc")
	switch kind {
	case "timer":
		argument := text(p, "CustomArgument")
		err = errors.Join(
			serverless.CheckTriggerName(name), serverless.CheckCron(description),
			serverless.CheckArgument(argument), serverless.CheckTask(argument),
		)
		cron, _ := json.Marshal(map[string]string{"cron": description}) // a string cannot fail
		return string(cron), invalid(err)
	case "cmq":
		return description, invalid(serverless.CheckTriggerName(name))
	case "ckafka":
		var d struct {
			MaxMsgNum, Retry, TimeOut int
			Offset                    string
		}
		if json.Unmarshal([]byte(description), &d) != nil {
			return "", refuse("InvalidParameterValue.TriggerDesc", "not JSON of the right types: %s", description)
		}
		if !strings.HasPrefix(name, "ckafka-") || d.MaxMsgNum < 1 || d.TimeOut < 1 || d.TimeOut > 60 || d.Offset == "" {
			return "", refuse("InvalidParameterValue.TriggerDesc", "name %s, description %s", name, description)
		}
		return description, nil
	default:
		return "", refuse("InvalidParameterValue.Type", "type %q", kind)
	}
}

// find returns the triggers that all filters let pass.
func (f *function) find(p map[string]any) []map[string]any {
	filters, _ := p["Filters"].([]any)
	found := []map[string]any{}
	for _, t := range f.triggers {
		passes := true
		for _, item := range filters {
			filter, _ := item.(map[string]any)
			values, _ := filter["Values"].([]any)
			passes = passes && slices.Contains(values, t[text(filter, "Name")])
		}
		if passes {
			found = append(found, t)
		}
	}
	return found
}

func (f *function) deleteTrigger(p map[string]any) (map[string]any, error) {
	for i, t := range f.triggers {
		if t["TriggerName"] == p["TriggerName"] && t["Type"] == p["Type"] {
			f.triggers = slices.Delete(f.triggers, i, i+1)
			return map[string]any{}, nil
		}
	}
	return nil, refuse("ResourceNotFound.Trigger", "no trigger %s", text(p, "TriggerName"))
}

func (f *function) eventConfig(action string, p map[string]any) (map[string]any, error) {
	if action == "GetFunctionEventInvokeConfig" {
		return map[string]any{"AsyncTriggerConfig": f.retry}, nil
	}
	c, _ := p["AsyncTriggerConfig"].(map[string]any)
	age, ok := integer(c, "MsgTTL")
	if !ok || age < 60 || age > 21600 {
		return nil, refuse("InvalidParameterValue.MsgTTL", "MsgTTL: seconds, 60 to 21600")
	}
	list, _ := c["RetryConfig"].([]any)
	for _, item := range list {
		r, _ := item.(map[string]any)
		if n, ok := integer(r, "RetryNum"); !ok || n < 0 || n > 2 {
			return nil, refuse("InvalidParameterValue.RetryNum", "RetryNum: 0 to 2")
		}
	}
	if len(list) == 0 {
		return nil, refuse("MissingParameter", "RetryConfig")
	}
	f.retry = c
	return map[string]any{}, nil
}

func (f *function) reservation(action string, p map[string]any) (map[string]any, error) {
	if action == "GetReservedConcurrencyConfig" {
		return map[string]any{"ReservedMem": f.reserved}, nil
	}
	mb, ok := integer(p, "ReservedConcurrencyMem")
	memory, _ := integer(f.params, "MemorySize")
	if !ok || mb < memory || memory == 0 || mb%memory != 0 {
		return nil, refuse("InvalidParameterValue.ReservedConcurrencyMem", "%d MB is not a multiple of the function's %d MB", mb, memory)
	}
	f.reserved = mb
	return map[string]any{}, nil
}

// integer reads a number, which is text in a form.
func integer(p map[string]any, name string) (int, bool) {
	switch v := p[name].(type) {
	case float64:
		return int(v), v == math.Trunc(v)
	case string:
		n, err := strconv.Atoi(v)
		return n, err == nil
	default:
		return 0, false
	}
}

func invalid(err error) error {
	if err == nil {
		return nil
	}
	return refuse("InvalidParameterValue", "%v", err)
}
