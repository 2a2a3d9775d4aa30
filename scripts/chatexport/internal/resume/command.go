// Package resume is the command that sets streams going again: those that are stuck or failing, those that are named,
// and what dead letters and rejected events asked for.
//
// It owns the choice of what is worth another try. It must never write to an archive but through the engine, and never
// print an event: it may hold anything.
package resume

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"chatexport/internal/chat"
	"chatexport/internal/config"
	"chatexport/internal/event"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pending"
	"chatexport/scripts/chatexport/internal/runner"
	"chatexport/scripts/chatexport/internal/status"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target   target.Flags
	here     bool
	from     string
	function target.Function
	force    bool
	json     bool
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "resume [GROUP...]",
		Short: "Set streams going again that are stuck or failing",
		Long: `resume hands the function a task for each stream: those that are named, or all that status calls stuck or failing. A
task does what a timer's tick does, so it does no harm where nothing was wrong. --here exports from this process instead.
A stream that is damaged, of another app or recreated is left out unless it is named: another try cannot help before a
person has looked.

--from FILE takes dead letters and rejected events, one after the other or one a line, as they come out of the queue or
out of rejected/ in the bucket; - reads the standard input. What they asked for is handed to the function again. An
event that still cannot be understood is told by its number, and the exit code is 1: the function would reject it, too.

A group or topic that is named, here or in an event, must be known to Chat or archived; --force hands it over all the
same, as for a topic of a community whose topics cannot be listed.

The tasks go the way the function hands on its own: by Invoke, or to CMQ_TOPIC (REQUEUE).

` + target.GroupHelp + `

JSON (--json): {"via": "scf" | "cmq" | "here", "resumed": [{"group_id", "topic_id", "sweep"}], "left_out": [{"group_id",
"topic_id", "reason"}], "not_understood": [{"n", "reason"}], "export": as of the export command, with --here}. Members
are only ever added.

` + cli.ExitCodes,
		Example: `  chatexport resume --demo chatexport-demo lobby
  chatexport resume --here '@TGS#15ERQPAER'
  chatexport resume --from dead-letters.ndjson
  echo '{"sweep":{}}' | chatexport resume --from -   # a sweep at once`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.from != "" && len(args) > 0 {
				return cli.Usage(errors.New("--from and GROUP exclude one another"))
			}
			if o.target.Dir != "" && !o.here {
				return cli.Usage(errors.New("--dir needs --here: the function writes to the bucket"))
			}
			return o.target.With(cmd.Context(), getenv, target.Archive|target.Chat, func(t *target.Target) error {
				return run(cmd.Context(), t, o, args, cmd.InOrStdin(), cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	f.BoolVar(&o.here, "here", false, "export from this process instead of handing tasks to the function")
	f.StringVar(&o.from, "from", "", "`file` of dead letters or rejected events; - is the standard input")
	f.BoolVar(&o.force, "force", false, "take groups and topics that neither Chat nor the archive knows")
	o.function.Register(f)
	cli.JSONFlag(f, &o.json)
	return cmd
}

// viaHere is the way of what is not handed to the function; the other ways are the function's own (REQUEUE).
const viaHere = "here"

// result is what --json prints.
type result struct {
	Via           string          `json:"via"`
	Resumed       []item          `json:"resumed"`
	LeftOut       []item          `json:"left_out"`
	NotUnderstood []refusal       `json:"not_understood"`
	Export        *runner.Outcome `json:"export,omitempty"`
}

type item struct {
	GroupID string `json:"group_id,omitempty"`
	TopicID string `json:"topic_id,omitempty"`
	Sweep   bool   `json:"sweep,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

type refusal struct {
	N      int    `json:"n"` // of the event in the file, from 1
	Reason string `json:"reason"`
}

func run(ctx context.Context, t *target.Target, o options, ids []string, in io.Reader, out io.Writer, console *cli.Console) error {
	r := result{Via: t.Config.Requeue, Resumed: []item{}, LeftOut: []item{}, NotUnderstood: []refusal{}}
	tasks, err := choose(ctx, o, t, ids, in, console, &r)
	if err == nil && !o.force && (len(ids) > 0 || o.from != "") {
		tasks, err = existing(ctx, t, tasks, &r)
	}
	if err != nil {
		return err
	}
	if o.here {
		r.Via = viaHere
		err = export(ctx, t, tasks, console, &r)
	} else {
		err = publish(ctx, o, t, tasks, &r)
	}
	if printed := cli.Result(out, o.json, r, text(r)); printed != nil {
		return printed
	}
	switch {
	case err != nil:
		return err
	case len(r.NotUnderstood) > 0:
		return cli.Wrong(fmt.Errorf("%s cannot be understood", cli.Plural(len(r.NotUnderstood), "event")))
	case len(r.LeftOut) > 0:
		return cli.Wrong(fmt.Errorf("%s left out, see above", cli.Plural(len(r.LeftOut), "stream")))
	default:
		return nil
	}
}

// choose finds out what is to be done again.
func choose(
	ctx context.Context, o options, t *target.Target, ids []string, in io.Reader, console *cli.Console, r *result,
) ([]event.Task, error) {
	if o.from != "" {
		return fromFile(o.from, in, r)
	}
	streams, err := target.Streams(ids)
	if err != nil {
		return nil, err
	}
	if len(streams) == 0 {
		troubles, err := status.Troubled(ctx, t, console)
		if err != nil {
			return nil, err
		}
		for _, trouble := range troubles {
			if trouble.Hopeless != "" {
				r.LeftOut = append(r.LeftOut, item{GroupID: trouble.Stream.GroupID, TopicID: trouble.Stream.TopicID, Reason: trouble.Hopeless})
				continue
			}
			streams = append(streams, trouble.Stream)
		}
	}
	var tasks []event.Task
	for _, s := range streams {
		task := event.For(s)
		if err := readable(task); err != nil {
			r.LeftOut = append(r.LeftOut, item{GroupID: s.GroupID, TopicID: s.TopicID, Reason: err.Error()})
			continue
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

// publish hands the tasks to the function.
func publish(ctx context.Context, o options, t *target.Target, tasks []event.Task, r *result) error {
	if len(tasks) == 0 {
		return nil
	}
	credentials, err := config.LoadCredentials(t.Getenv)
	if err != nil {
		return cli.Usage(err)
	}
	p := target.NewPublisher(t.Config, credentials, t.Getenv, o.function)
	for _, task := range tasks {
		body, err := task.Encode()
		if err != nil {
			return err
		}
		// A crash right after this: the task is with the function; handed over once more it finds nothing to do.
		if err := p.Publish(ctx, body); err != nil {
			return err
		}
		r.resumed(task)
	}
	return nil
}

func (r *result) resumed(task event.Task) {
	if len(task.Sweep) > 0 {
		r.Resumed = append(r.Resumed, item{Sweep: true})
	}
	for _, s := range task.Streams() {
		r.Resumed = append(r.Resumed, item{GroupID: s.GroupID, TopicID: s.TopicID})
	}
}

// export does the tasks from here.
func export(ctx context.Context, t *target.Target, tasks []event.Task, console *cli.Console, r *result) error {
	var streams []chat.Stream
	for _, task := range tasks {
		if len(task.Sweep) > 0 {
			r.LeftOut = append(r.LeftOut, item{Sweep: true, Reason: "a sweep cannot be done from here; use export --all"})
			continue
		}
		r.resumed(task)
		streams = append(streams, task.Streams()...)
	}
	client, err := t.Chat()
	if err != nil {
		return err
	}
	infos, err := pending.Infos(ctx, pending.NewPaced(client, t.Config.ChatQPS), streams)
	if err != nil {
		return err
	}
	work, err := runner.New(t, runner.DefaultBatch, zerolog.Nop())
	if err != nil {
		return err
	}
	outcome, err := work.All(ctx, t, infos, console)
	r.Export = &outcome
	return err
}
