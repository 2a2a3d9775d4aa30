// Package restore is the command that puts a copy of an archive back into a bucket, so that the function can go on with it.
//
// It owns the order in which objects go back. It proves the copy first, and must never overwrite or remove anything, or
// write what the proof did not cover.
package restore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"chatexport/internal/objstore/dirstore"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target target.Flags
	dir    string
	json   bool
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "restore --dir FOLDER [GROUP...]",
		Short: "Put a copy of an archive back into a bucket",
		Long: `restore puts a copy of an archive, made with any tool, back into the bucket, where the function then goes on with it.
Each stream is proved first, every line of it, as verify --read does; one with a finding is left out. Files are read when they
are put back, and what is not what its name says is not. A plain copy of the objects is enough: the metadata that the function needs are made from the manifests.

Everything is written create-only: what is there already is looked at, and what differs from the copy is named, never
overwritten. It may be stopped at any moment and started again; whatever it has written by then is a valid archive, and
goes back in an order that keeps it so: genesis, then the chunks of each manifest, that manifest, then the files of its messages
and of what looks have found, each before the receipt that names it. Files that belong to other streams alone are left out.

States and rejected events are not put back: nothing needs them, and the function makes its hints anew. Close its timers
meanwhile, or it may archive newer messages where the copy has a chunk, which is then named.

` + target.GroupHelp + `

JSON (--json): {"where", "from", "complete", "written", "streams": [{"group_id", "topic_id", "to", "written", "there",
"findings": [{"key", "text"}]}], "findings"}. Members are only ever added.

` + cli.ExitCodes,
		Example: `  chatexport restore --dir /mnt/mirror
  chatexport restore --dir /mnt/mirror '@TGS#15ERQPAER'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.dir == "" {
				return cli.Usage(errors.New("--dir is missing: the folder of the copy"))
			}
			return o.target.With(cmd.Context(), getenv, target.Archive, func(t *target.Target) error {
				return run(cmd.Context(), t, o, args, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.RegisterServices(f)
	f.StringVar(&o.dir, "dir", "", "`folder` of the copy")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func run(ctx context.Context, t *target.Target, o options, ids []string, out io.Writer, console *cli.Console) (err error) {
	from, err := dirstore.Open(o.dir)
	if err != nil {
		return cli.Usage(fmt.Errorf("--dir: %w", err))
	}
	defer func() { err = cli.Closed(err, from.Close()) }()
	if err := t.COS.Preflight(ctx); err != nil {
		return err
	}
	r := &restorer{from: from, to: t.Engine, files: files{}, result: Result{Where: t.Where, From: o.dir, Streams: []Stream{}}}
	failed := r.all(ctx, t.Config.ChatSDKAppID, ids, console)
	if failed != nil && len(r.result.Streams) == 0 {
		return failed
	}
	if err := cli.Result(out, o.json, r.result, text(&r.result)); err != nil {
		return err
	}
	if failed == nil && !r.result.Complete {
		failed = cli.Wrong(errors.New("not everything of the copy is in the bucket, see above"))
	}
	return failed
}

func text(r *Result) string {
	rows := [][]string{{"group", "to", "written", "there already", "verdict"}}
	for i := range r.Streams {
		s := &r.Streams[i]
		verdict := "restored"
		if len(s.Findings) > 0 {
			verdict = "NOT RESTORED: " + cli.Plural(len(s.Findings), "finding")
		}
		rows = append(rows, []string{cli.StreamName(s.Stream), cli.Count(s.To), cli.Count(s.Written), cli.Count(s.There), verdict})
	}
	var b cli.Lines
	b.Table(rows, 0, -1)
	for i := range r.Streams {
		for _, f := range r.Streams[i].Findings {
			b.Line("%s: %s: %s", cli.StreamName(r.Streams[i].Stream), f.Key, f.Text)
		}
	}
	for _, f := range r.Findings {
		b.Line("%s: %s", f.Key, f.Text)
	}
	b.Line("%s written to %s", cli.Plural(r.Written, "object"), r.Where)
	return b.String()
}
