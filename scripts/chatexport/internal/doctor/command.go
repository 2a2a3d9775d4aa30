// Package doctor is the command that checks all that must hold in a deployment, and says how to mend what does not.
//
// It owns the checks. Its only writes are one object below state/sweep/doctor/, and a tick for a group that was named.
// It must never print a secret.
package doctor

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target    target.Flags
	group     string
	function  target.Function
	timeLimit time.Duration
	memory    int
	json      bool
	now       func() time.Time
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check all that must hold in a deployment, and say how to mend what does not",
		Long: `doctor checks the variables, Chat (connection, source IP, region, UserSig, admin account), the bucket (existence,
versioning, reading, create-only writing, what files need, listing, and that deleting, replacing and publishing are
refused), the clock, the queue or Invoke, and whether time limit and memory fit the variables. Run it with the variables
and, where you can, with the credentials of the function: it tells what these may do.

It fetches the newest file that it finds in the newest messages of the group, or of some groups of the app, as the
function would, and stores it nowhere; it names the hosts that files are not fetched from.

It writes one object, state/sweep/doctor/create-only.json, which stays: the function's role may not delete. What must be
refused is tried on names that cannot exist, with bodies that COS does not store since their Content-MD5 is wrong; an
owner's key may do all of it, and a warning says so. Invoke is tried with a version that does not exist, so nothing
runs. With --group it also reads a page of that group, and publishes a tick for it the way the function hands on its
work: a tick does no harm, and is the only proof for a queue.

JSON (--json): {"healthy", "checks": [{"name", "result": "ok" | "warning" | "failed" | "skipped", "text", "advice"}]}.
Members are only ever added.

` + cli.ExitCodes + ` A warning is no failure.`,
		Example: `  chatexport doctor --demo chatexport-demo
  chatexport doctor --env-file production.env --memory 256 --time-limit 900s
  chatexport doctor --group '@TGS#15ERQPAER'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o, getenv, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	o.target.RegisterServices(f)
	f.StringVar(&o.group, "group", "", "`GROUP` to read a page of and to publish a tick for")
	o.function.Register(f)
	f.DurationVar(&o.timeLimit, "time-limit", target.DeployedTimeLimit, "of the deployed function, as in serverless.yml")
	f.IntVar(&o.memory, "memory", target.DeployedMemory, "of the deployed function in `MB`, as in serverless.yml")
	cli.JSONFlag(f, &o.json)
	return cmd
}

// outcome is how a check went. The names are stable.
type outcome string

const (
	ok      outcome = "ok"
	warning outcome = "warning"
	failed  outcome = "failed"
	skipped outcome = "skipped"
)

// check is one thing that was looked at.
type check struct {
	Name   string  `json:"name"`
	Result outcome `json:"result"`
	Text   string  `json:"text"`
	Advice string  `json:"advice,omitempty"`
}

// examination collects checks.
type examination struct {
	options

	target *target.Target
	checks []check
}

func (e *examination) add(result outcome, name, text, advice string) {
	e.checks = append(e.checks, check{Name: name, Result: result, Text: text, Advice: advice})
}

// result is what --json prints.
type result struct {
	Healthy bool    `json:"healthy"`
	Checks  []check `json:"checks"`
}

func run(ctx context.Context, o options, getenv func(string) string, out io.Writer) (err error) {
	t, err := o.target.OpenVariables(ctx, getenv)
	if err != nil {
		return err
	}
	defer func() { err = cli.Closed(err, t.Close()) }()
	e := &examination{options: o, target: t}
	found := e.examine(ctx)
	if ctx.Err() != nil {
		return cli.Failed(ctx, ctx.Err())
	}
	r := result{Healthy: found == nil, Checks: e.checks}
	if err := cli.Result(out, o.json, r, text(r)); err != nil {
		return err
	}
	return found
}

// examine does all checks. The error is the command's end: configuration before anything else that is wrong.
func (e *examination) examine(ctx context.Context) error {
	v := e.variables()
	e.chat(ctx, v)
	e.bucket(ctx, v)
	e.queue(ctx, v)
	e.limits(v)
	for _, c := range e.checks {
		if c.Result == failed && !v.sound {
			return cli.Usage(errors.New("the configuration is not usable, see above"))
		}
		if c.Result == failed {
			return cli.Wrong(errors.New("something is wrong, see above"))
		}
	}
	return nil
}

func text(r result) string {
	var b cli.Lines
	counts := map[outcome]int{}
	rows := make([][]string, 0, len(r.Checks))
	for _, c := range r.Checks {
		counts[c.Result]++
		line := c.Text
		if c.Advice != "" {
			line += "; " + c.Advice
		}
		rows = append(rows, []string{string(c.Result), c.Name, line})
	}
	b.Table(rows, 0, 1, 2)
	b.Line("%d ok, %s, %d failed, %d skipped", counts[ok], cli.Plural(counts[warning], "warning"), counts[failed], counts[skipped])
	return b.String()
}
