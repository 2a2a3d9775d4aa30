package serverless

import (
	"errors"
	"fmt"
	"slices"

	"chatexport/internal/config"
	"chatexport/internal/event"
)

// Check tests the whole file against the platform's limits, and the values against what the function accepts. All
// problems are reported together. An error never holds the value of a variable.
func (f File) Check() error {
	in := f.Inputs
	problems := []error{
		CheckFunctionName(in.Name), CheckFunctionName(in.Namespace), CheckMemory(in.MemorySize), CheckTimeout(in.Timeout),
		CheckEnvironment(in.Environment.Variables), in.checkVariables(), in.checkEvents(), in.checkOutlets(),
	}
	must := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, errors.New(problem))
		}
	}
	must(f.Org != "", "org: missing; without it the command line asks the cloud for the account's id")
	must(f.App != "" && f.Stage != "" && f.Name != "", "app, stage and name: missing")
	must(f.Component == "scf", "component: must be scf")
	must(in.Type == "event" && in.Runtime == "Go1" && in.Handler == "main", "type, runtime and handler: must be event, Go1 and main")
	must(in.Region != "", "region: missing; set COS_REGION")
	must(in.Role != "", "role: missing; set CHATEXPORT_ROLE: without an execution role the function has no credentials")
	must(in.Src.Src != "", "src: missing")
	must(in.PublicAccess == nil || *in.PublicAccess, "publicAccess: the Chat API is reached over the public network")
	must(len(in.Description) <= maxDescription, "description: too long")
	return errors.Join(problems...)
}

// checkVariables loads the variables as the function will, and finds those that it does not know.
func (in Inputs) checkVariables() error {
	asked := make(map[string]bool)
	_, err := config.Load(func(name string) string {
		asked[name] = true
		return in.Environment.Variables[name]
	})
	for name := range in.Environment.Variables {
		if !asked[name] {
			err = errors.Join(err, fmt.Errorf("variable %s: the function knows no such variable", name))
		}
	}
	return err
}

func (in Inputs) checkEvents() error {
	var problems []error
	names := make(map[string]bool)
	kinds := make(map[string]int)
	for _, e := range in.Events {
		kind, name, err := e.check()
		if err != nil {
			problems = append(problems, fmt.Errorf("%s trigger %s: %w", kind, name, err))
		}
		kinds[kind]++
		if names[kind+name] {
			problems = append(problems, fmt.Errorf("%s trigger %s: the name is used twice", kind, name))
		}
		names[kind+name] = true
		if kinds[kind] == MaxTriggersOfAKind+1 {
			problems = append(problems, fmt.Errorf("%s triggers: more than %d", kind, MaxTriggersOfAKind))
		}
	}
	if len(in.Events) == 0 {
		problems = append(problems, errors.New("events: none, so nothing would ever run"))
	}
	return errors.Join(problems...)
}

// check tests one trigger and returns its kind and the name that it will have.
func (e Event) check() (kind, name string, err error) {
	switch {
	case e.Timer != nil && e.CMQ == nil && e.CKafka == nil:
		p := e.Timer.Parameters
		return "timer", p.Name, errors.Join(
			CheckTriggerName(p.Name), checkTrigger(p.Qualifier, p.Enable), CheckCron(p.CronExpression), CheckArgument(p.Argument), CheckTask(p.Argument),
		)
	case e.CMQ != nil && e.Timer == nil && e.CKafka == nil:
		p := e.CMQ.Parameters
		return "cmq", p.Name, errors.Join(CheckTriggerName(p.Name), checkTrigger(p.Qualifier, p.Enable))
	case e.CKafka != nil && e.Timer == nil && e.CMQ == nil:
		p := e.CKafka.Parameters
		err := checkTrigger(p.Qualifier, p.Enable)
		if !ckafkaName.MatchString(p.Name) {
			err = errors.Join(err, errors.New("the name must be the instance's id, a dash and the topic, such as ckafka-1a2b3c4d-topic"))
		}
		if p.MaxMsgNum < 1 || p.MaxMsgNum > 10_000 || p.Timeout < 1 || p.Timeout > 60 || p.Retry < 0 || p.Retry > 10_000 {
			err = errors.Join(err, errors.New("maxMsgNum is 1 to 10000, timeout 1 to 60 s, retry 0 to 10000"))
		}
		if p.Offset != "latest" && p.Offset != "earliest" {
			err = errors.Join(err, errors.New("offset is latest or earliest"))
		}
		return "ckafka", p.Name, err
	default:
		return "event", "", errors.New("exactly one of timer, cmq and ckafka")
	}
}

func checkTrigger(qualifier string, enable *bool) error {
	var problems []error
	if qualifier != "$DEFAULT" && qualifier != "$LATEST" {
		problems = append(problems, fmt.Errorf("qualifier %q: $DEFAULT or $LATEST", qualifier))
	}
	if enable == nil {
		problems = append(problems, errors.New("enable: missing, so the trigger would be created closed"))
	}
	return errors.Join(problems...)
}

// CheckTask tests that the function understands a timer's argument.
func CheckTask(argument string) error {
	task, err := event.ParseTask([]byte(argument))
	if err != nil {
		return fmt.Errorf("argument: %w", err)
	}
	if task.Continue != nil {
		return errors.New("argument: a continuation is the function's own")
	}
	return nil
}

func (in Inputs) checkOutlets() error {
	var problems []error
	if c := in.CLS; c != nil && (c.LogsetID == "") != (c.TopicID == "") {
		problems = append(problems, errors.New("cls: logsetId and topicId belong together; set both or none of CLS_LOGSET_ID and CLS_TOPIC_ID"))
	}
	if d := in.DeadLetter; d != nil && (!slices.Contains([]string{"topic", "queue"}, d.Type) || d.Name == "") {
		problems = append(problems, errors.New("deadLetter: type is topic or queue, and name not empty"))
	}
	return errors.Join(problems...)
}
