// Package status is the command that says how every stream is doing, trouble first.
//
// It owns the judgement what is trouble. It reads small objects only and must never write.
package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// defaultParallel is how many streams are read side by side.
const defaultParallel = 16

type options struct {
	target   target.Flags
	maxAge   time.Duration
	chat     bool
	files    bool
	json     bool
	now      func() time.Time
	parallel int
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	o := options{now: time.Now, parallel: defaultParallel}
	cmd := &cobra.Command{
		Use:   "status [GROUP...]",
		Short: "Say how every stream is doing, trouble first",
		Long: `status reads each stream's state, genesis and newest manifest: how far it is archived, what it waits for, why it stands
still and what to do about it. Where there is no state, as in a copy, it reads all manifests and the end of the chunks
instead. Without GROUP it looks at the whole archive.

  stuck      damaged, no_metadata, mismatch, recreated or failed: a person must look; or a run that nobody works on any more
  failing    the last batch failed, files do not come, or what changed is not looked for; the next tick tries again
  late       not complete for longer than --max-age
  at risk    what is pending may expire before it is archived (CHAT_RETENTION_DAYS), messages or the files that wait
  running    a run is under way
  done       complete, gone, or of a kind that has no history

--chat also asks Chat for the newest message of each stream, so that "pending" counts what no tick has seen yet. --files reads
the receipts of all files, and says how many are stored, and what became of the others. What the last look at archived messages
found changed is told where it found something.
Put status --max-age 26h into a cron job: it exits with 1 when a stream is stuck or failing, or late.

` + target.GroupHelp + `

JSON (--json): {"where", "at", "trouble", "done", "running", "failing", "late", "stuck", "at_risk", "streams": [{
"group_id", "topic_id", "verdict", "at_risk", "status", "frontier", "head", "pending", "complete_at", "age_seconds",
"first_lo", "messages", "expired", "absent", "malformed", "chunks", "bytes", "last_run": {"run", "status", "started_at",
"finished_at"}, "media": {"links", "waiting", "frontier", "oldest_at", "at_risk", "off", "due", "code", "at", "bytes", "states":
{state: links}}, "looks": {"frontier", "off", "due", "code", "at", "last": {"lo", "hi", "from", "to", "counts": {kind: seqs}}}, "lease": {"owner", "until"}, "error": {"code", "text", "at", "frontier"}, "advice"}]}. Members are only ever
added.

` + cli.ExitCodes,
		Example: `  chatexport status --dir chatexport-demo/chat-archive-1250000000
  chatexport status --max-age 26h
  chatexport status --chat --json '@TGS#15ERQPAER'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.maxAge < 0 {
				return cli.Usage(fmt.Errorf("--max-age %s is negative", o.maxAge))
			}
			need := target.Archive
			if o.chat {
				need |= target.Chat
			}
			return o.target.With(cmd.Context(), getenv, need, func(t *target.Target) error {
				return run(cmd.Context(), t, o, args, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	f.DurationVar(&o.maxAge, "max-age", 0, "exit with 1 if a stream has not been complete for longer, such as 26h")
	f.BoolVar(&o.chat, "chat", false, "ask Chat for the newest message of each stream")
	f.BoolVar(&o.files, "files", false, "count the files: reads all of their receipts")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func run(ctx context.Context, t *target.Target, o options, ids []string, out io.Writer, console *cli.Console) error {
	r, err := look(ctx, t, o, ids, console)
	if err != nil {
		return err
	}
	err = cli.Result(out, o.json, r, text(r))
	if err == nil && r.Trouble {
		err = cli.Wrong(errors.New("something is wrong, see above"))
	}
	return err
}
