// Package exportcmd is the command that exports groups from here, without a cloud function.
//
// It owns flags and result; the work is package runner's.
package exportcmd

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"chatexport/internal/chat"
	"chatexport/internal/logging"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pending"
	"chatexport/scripts/chatexport/internal/runner"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target target.Flags
	out    string
	all    bool
	batch  time.Duration
	log    bool
	json   bool
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "export GROUP...",
		Short: "Export groups from here, without a cloud function",
		Long: `export pulls each group's history with the function's own engine, in as many batches as it takes, into the bucket or,
with --out, into a local folder of the same layout. It is for a first try, a small app, or an emergency before messages
expire. It may be stopped at any moment and started again: it goes on where it stopped, and finds only what is new when
it was done. A function may work beside it: of two writers of a chunk exactly one wins.

Files are fetched behind the messages (EXPORT_MEDIA). One that does not come at once may come later: it is tried again whenever
the stream is looked after, by the function's ticks or by this command. So is what was edited, recalled or deleted after it was
archived: it is found when the stream is exported once more after EXPORT_LOOK, before it expires.

A community's id stands for all its topics. --all exports every group of the app.

` + target.GroupHelp + `

JSON (--json): {"where", "complete", "streams": [{"group_id", "topic_id", "outcome", "lo", "hi", "head", "messages",
"malformed", "expired", "absent", "chunks", "bytes", "batches", "calls", "throttled", "files", "file_bytes", "waiting",
"looked", "changed", "look_due", "manifest_sha256", "text", "elapsed_ms"}]}. Members are only ever added. Keep manifest_sha256 somewhere else than the archive: verify --expect asks for it.

` + cli.ExitCodes,
		Example: `  chatexport export --demo chatexport-demo --out my-archive ubuntu
  chatexport export '@TGS#15ERQPAER'
  chatexport export --all --out /mnt/archive`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return cli.Usage(err)
			}
			streams, err := target.Streams(args)
			if err != nil {
				return err
			}
			need := target.Chat | target.Archive
			if o.out != "" {
				need = target.Chat
			}
			return o.target.With(cmd.Context(), getenv, need, func(t *target.Target) error {
				return run(cmd.Context(), t, o, streams, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.RegisterServices(f)
	f.StringVar(&o.out, "out", "", "local `folder` to write to, made if it is missing, instead of COS")
	f.BoolVar(&o.all, "all", false, "export every group and topic of the app")
	f.DurationVar(&o.batch, "batch", runner.DefaultBatch, "longest `time` of a batch, 1s to 15m")
	f.BoolVar(&o.log, "log", false, "show the engine's log lines")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func (o *options) check(args []string) error {
	const least, most = time.Second, 15 * time.Minute
	var problems []error
	if o.all == (len(args) > 0) {
		problems = append(problems, errors.New("name groups, or give --all"))
	}
	return errors.Join(append(problems, cli.Between("--batch", o.batch, least, most))...)
}

func run(ctx context.Context, t *target.Target, o options, streams []chat.Stream, out io.Writer, console *cli.Console) error {
	if o.out != "" {
		if err := t.WriteTo(o.out); err != nil {
			return err
		}
	}
	client, err := t.Chat()
	if err != nil {
		return err
	}
	paced := pending.NewPaced(client, t.Config.ChatQPS)
	var infos []chat.Facts
	if o.all {
		infos, err = pending.All(ctx, paced)
	} else {
		infos, err = pending.Expand(ctx, paced, streams)
	}
	if err != nil {
		return err
	}
	log := zerolog.Nop()
	if o.log {
		log = logging.New(console, t.Config.LogLevel)
	}
	r, err := runner.New(t, o.batch, log)
	if err != nil {
		return err
	}
	outcome, err := r.All(ctx, t, infos, console)
	if printed := cli.Result(out, o.json, outcome, text(outcome)); printed != nil {
		return printed
	}
	return err
}

func text(r runner.Outcome) string {
	var b cli.Lines
	var messages int64
	for i := range r.Streams {
		messages += r.Streams[i].Messages
		if m := r.Streams[i].Manifest; m != "" {
			b.Line("%s: manifest sha256 %s", cli.StreamName(r.Streams[i].Stream), m)
		}
	}
	b.Line("%s of %s archived in %s", cli.Plural(messages, "message"), cli.Plural(len(r.Streams), "stream"), r.Where)
	if files := r.Files(); files != "" {
		b.Line("%s", files)
	}
	if looks := r.Looks(); looks != "" {
		b.Line("%s", looks)
	}
	return b.String()
}
