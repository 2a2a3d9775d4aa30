// Command deploy does the steps of scripts/deploy.sh that need more than a shell:
//
//	check     the variables and serverless.yml, against the platform's limits and the function's own
//	policy    prints the CAM policies for the function's execution role, for whoever deploys and for whoever audits, and policy
//	          and lifecycle for the bucket; it needs COS_BUCKET and COS_REGION
//	settings  sets what serverless.yml cannot, through the cloud API: retries and age of asynchronous events, and the
//	          cap on instances
//	limits    prints memory size and time limit as flags for chatexport doctor and plan
//
// Variables come from the environment or from the file .env.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"chatexport/internal/config"
	"chatexport/scripts/internal/screen"
	"chatexport/scripts/internal/serverless"
	"chatexport/scripts/internal/variables"
	"chatexport/scripts/policy"
)

const usage = `usage: go run ./scripts/deploy check|policy|settings|limits

  check     the variables and serverless.yml, against the limits of the platform and the function
  policy    prints the policies of the function's role, of whoever deploys and of whoever audits, and policy and lifecycle of
            the bucket; needs COS_BUCKET and COS_REGION
  settings  sets what serverless.yml cannot: retries and age of asynchronous events, and the cap on instances
  limits    prints memory size and time limit as flags for chatexport doctor and plan`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if len(os.Args) == 2 && (os.Args[1] == "-h" || os.Args[1] == "--help") {
		say(screen.Of(os.Stdout), "%s", usage)
		return
	}
	getenv, err := variables.Read("", os.Getenv)
	if err == nil {
		err = execute(ctx, os.Args[1:], getenv, screen.Of(os.Stdout))
	}
	stop()
	if err != nil {
		_, _ = fmt.Fprintf(screen.Of(os.Stderr), "deploy: %v\n", err) // nobody is left to tell that stderr is gone
		os.Exit(1)
	}
}

func execute(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New(usage)
	}
	d, err := read("serverless.yml", getenv)
	if err != nil {
		return err
	}
	switch args[0] {
	case "check":
		return d.check(out)
	case "policy":
		return d.policies(out)
	case "limits":
		d.limits(out)
		return nil
	case "settings":
		if err := d.file.Check(); err != nil {
			return err
		}
		return d.settle(ctx, getenv, out)
	default:
		return errors.New(usage)
	}
}

// deployment is what is to be deployed, and how.
type deployment struct {
	file      serverless.File
	config    config.Config // as the function will read it; zero where configErr is set
	configErr error

	known map[string]bool // names of variables that this program or serverless.yml asks for

	owner     string // uin of the account that may delete from the bucket; empty for nobody
	instances int    // at most, at a time
	retries   int    // of an asynchronous event that failed
	maxAge    int    // seconds that an asynchronous event waits for its turn
}

func read(path string, getenv func(string) string) (*deployment, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("start it in the project's folder: %w", err)
	}
	d := &deployment{known: map[string]bool{}}
	all := getenv
	var problems []error
	getenv = func(name string) string {
		value := all(name)
		if err := variables.Unclean(name, value); err != nil && !d.known[name] {
			problems = append(problems, err)
		}
		d.known[name] = true
		return value
	}
	if d.file, err = serverless.Parse(raw, getenv); err != nil {
		return nil, err
	}
	d.config, d.configErr = config.Load(func(name string) string { return d.file.Inputs.Environment.Variables[name] })
	number := func(name string, otherwise, least, most int) int {
		text := getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			problems = append(problems, fmt.Errorf("%s: is not an integer from %d to %d; correct it, or leave it out for %d", name, least, most, otherwise))
		}
		return n
	}
	d.owner = getenv("CHATEXPORT_OWNER")
	if strings.Trim(d.owner, "0123456789") != "" {
		problems = append(problems, errors.New("CHATEXPORT_OWNER: is not the number (uin) of an account; correct it, or leave it out for nobody"))
	}
	// The platform's own defaults for the last two; they suit the function.
	d.instances = number("CHATEXPORT_INSTANCES", 2, 1, 100)
	d.retries = number("CHATEXPORT_RETRIES", 2, 0, 2)
	d.maxAge = number("CHATEXPORT_EVENT_AGE", 21600, 60, 21600)
	return d, errors.Join(problems...)
}

func (d *deployment) check(out io.Writer) error {
	if err := d.file.Check(); err != nil {
		return err
	}
	in := d.file.Inputs
	say(out, "serverless.yml keeps every limit: %d MB, %d s, %d variables, %d triggers", in.MemorySize, in.Timeout, len(in.Environment.Variables), len(in.Events))
	for _, warning := range d.warnings() {
		say(out, "warning: %s", warning)
	}
	return nil
}

func (d *deployment) warnings() []string {
	warnings := append(d.config.Warnings(), variables.Warnings("", os.Getenv)...)
	for _, name := range variables.Unused("", func(name string) bool { return d.known[name] }) {
		warnings = append(warnings, name+" in .env is not handed over by serverless.yml: add it there")
	}
	if calls := d.instances * d.config.ChatQPS; calls > config.QuotaQPS {
		warnings = append(warnings, fmt.Sprintf(
			"CHATEXPORT_INSTANCES x CHAT_QPS is %d calls a second, above the app's usual quota of %d: they would throttle each other", calls, config.QuotaQPS))
	}
	return warnings
}

// limits prints what the platform will give the function, for the commands that judge it.
func (d *deployment) limits(out io.Writer) {
	say(out, "--memory %d --time-limit %ds", d.file.Inputs.MemorySize, d.file.Inputs.Timeout)
}

func (d *deployment) policies(out io.Writer) error {
	// Of the app nothing is needed.
	c, err := config.Load(func(name string) string {
		other := map[string]string{"CHAT_SDKAPPID": "1", "CHAT_SECRET_KEY": "none"}[name]
		return cmp.Or(other, d.file.Inputs.Environment.Variables[name])
	})
	if err != nil {
		return err
	}
	place := policy.Of(c, d.file.Inputs.Namespace, d.file.Inputs.Name, cmp.Or(d.file.Inputs.Role, defaultRole), d.owner)
	type part struct {
		title string
		fill  func(policy.Place) (string, error)
	}
	parts := []part{
		{"Trust policy of the role (who may take it)", func(policy.Place) (string, error) { return policy.Trust(), nil }},
		{"Policy of the function's role", policy.Role},
	}
	if c.Requeue == config.RequeueCMQ {
		parts = append(parts, part{"In addition, since REQUEUE is cmq", policy.CMQ})
	}
	parts = append(parts,
		part{"Policy of whoever deploys, in addition to that of the role (with the Serverless command line also QcloudSLSFullAccess)", policy.Deployer},
		part{"Policy of whoever audits: reads the archive, and nothing else", policy.Auditor},
		part{"Lifecycle of the bucket (recommended): what is no proof ends after 90 days", policy.Lifecycle},
		part{"Policy of the bucket (recommended; set it last): " + ownerOf(d.owner), policy.Bucket},
	)
	for _, p := range parts {
		text, err := p.fill(place)
		if err != nil {
			return err
		}
		say(out, "%s:\n%s", p.title, text)
	}
	return nil
}

// defaultRole is what the README calls the role.
const defaultRole = "chatexport"

// ownerOf says who is left to erase, and who can always lift the bucket's policy.
func ownerOf(uin string) string {
	if uin == "" {
		return "nobody may delete or replace what is archived until the root account lifts it (CHATEXPORT_OWNER names who may)"
	}
	return "nobody but " + uin + " may delete or replace what is archived; if COS does not know qcs:uin, nobody at all until the root account lifts it"
}

// say writes one line. A reader that has gone is no reason to stop in the middle of a deployment.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}
