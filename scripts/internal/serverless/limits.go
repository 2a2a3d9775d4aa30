package serverless

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Limits of the platform (SCF documentation: 583/11637, timer trigger, environment variables).
const (
	MaxTimeout          = 900 // seconds
	MaxMemory           = 3072
	MaxEnvironmentBytes = 4 << 10
	MaxArgumentBytes    = 4 << 10
	MaxTriggersOfAKind  = 10
	maxTriggerName      = 60
	maxDescription      = 1000

	minMemory  = 64
	memoryStep = 128
)

var (
	functionName = regexp.MustCompile(`^[A-Za-z][\w-]{0,58}[A-Za-z0-9]$`)
	triggerName  = regexp.MustCompile(`^[A-Za-z][\w-]*$`)
	variableName = regexp.MustCompile(`^[A-Za-z]\w{1,63}$`)
	ckafkaName   = regexp.MustCompile(`^ckafka-[a-z0-9]{8}-[\w.-]+$`)
	cronNumber   = regexp.MustCompile(`^[0-9]{1,4}$`)
)

// CheckFunctionName checks the name of a function or a namespace.
func CheckFunctionName(name string) error {
	if !functionName.MatchString(name) {
		return fmt.Errorf("name %q: 2 to 60 letters, digits, - and _, beginning with a letter and ending with a letter or digit", name)
	}
	return nil
}

// CheckMemory checks a memory size in MB.
func CheckMemory(mb int) error {
	if mb != minMemory && (mb < memoryStep || mb > MaxMemory || mb%memoryStep != 0) {
		return fmt.Errorf("memory of %d MB: 64, or 128 to 3072 in steps of 128", mb)
	}
	return nil
}

// CheckTimeout checks a time limit in seconds.
func CheckTimeout(seconds int) error {
	if seconds < 1 || seconds > MaxTimeout {
		return fmt.Errorf("time limit of %d s: 1 to %d", seconds, MaxTimeout)
	}
	return nil
}

// CheckEnvironment checks variables as the platform does.
func CheckEnvironment(variables map[string]string) error {
	var problems []error
	total := 0
	for name, value := range variables {
		total += len(name) + len(value)
		if !variableName.MatchString(name) {
			problems = append(problems, fmt.Errorf("variable %q: 2 to 64 letters, digits and _, beginning with a letter", name))
		}
		for _, reserved := range []string{"SCF_", "QCLOUD_", "TENCENTCLOUD_", "TECENTCLOUD_"} {
			if strings.HasPrefix(strings.ToUpper(name), reserved) {
				problems = append(problems, fmt.Errorf("variable %s: the prefix %s is reserved for the platform", name, reserved))
			}
		}
		if value == "" || value == "undefined" || strings.Contains(value, "${") {
			problems = append(problems, fmt.Errorf("variable %s: its value was not filled in", name))
		}
	}
	if total >= MaxEnvironmentBytes {
		problems = append(problems, fmt.Errorf("environment of %d bytes: below %d", total, MaxEnvironmentBytes))
	}
	return errors.Join(problems...)
}

// CheckTriggerName checks the name of a trigger.
func CheckTriggerName(name string) error {
	if len(name) > maxTriggerName || !triggerName.MatchString(name) {
		return fmt.Errorf("trigger name %q: at most %d letters, digits, - and _, beginning with a letter", name, maxTriggerName)
	}
	return nil
}

// CheckArgument checks the argument of a timer.
func CheckArgument(argument string) error {
	switch {
	case argument == "":
		return errors.New("argument: empty")
	case len(argument) > MaxArgumentBytes:
		return fmt.Errorf("argument of %d bytes: at most %d", len(argument), MaxArgumentBytes)
	case strings.Contains(argument, "[object Object]"):
		return errors.New("argument: an object was given where a string belongs")
	}
	return nil
}

// CheckCron checks a timer's expression: second, minute, hour, day, month, day of the week, year.
func CheckCron(expression string) error {
	ranges := []struct {
		name        string
		least, most int
		names       string
	}{
		{"second", 0, 59, ""},
		{"minute", 0, 59, ""},
		{"hour", 0, 23, ""},
		{"day", 1, 31, ""},
		{"month", 1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"},
		{"day of the week", 0, 6, "SUN MON TUE WED THU FRI SAT"},
		{"year", 1970, 2099, ""},
	}
	fields := strings.Fields(expression)
	if len(fields) != len(ranges) {
		return fmt.Errorf("cron %q: %d fields, want %d", expression, len(fields), len(ranges))
	}
	for i, r := range ranges {
		for part := range strings.SplitSeq(fields[i], ",") {
			if err := checkCronPart(part, r.least, r.most, strings.Fields(r.names)); err != nil {
				return fmt.Errorf("cron %q: %s %q: %w", expression, r.name, part, err)
			}
		}
	}
	return nil
}

func checkCronPart(part string, least, most int, names []string) error {
	part, step, stepped := strings.Cut(part, "/")
	if stepped {
		if n, err := strconv.Atoi(step); err != nil || n < 1 || n > most {
			return errors.New("not a step")
		}
	}
	if part == "*" {
		return nil
	}
	from, to, ranged := strings.Cut(part, "-")
	a, err := cronValue(from, least, most, names)
	if err != nil || !ranged {
		return err
	}
	b, err := cronValue(to, least, most, names)
	if err == nil && b < a {
		err = errors.New("a range that ends before it begins")
	}
	return err
}

func cronValue(text string, least, most int, names []string) (int, error) {
	for i, name := range names {
		if strings.EqualFold(text, name) {
			return least + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || !cronNumber.MatchString(text) || n < least || n > most {
		return 0, fmt.Errorf("%q is not %d to %d", text, least, most)
	}
	return n, nil
}
