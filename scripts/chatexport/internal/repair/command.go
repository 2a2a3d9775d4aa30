// Package repair is the command that makes again what an archive names and has lost.
//
// It owns the judgement what may be put back: only what the archive itself says was there, byte for byte, or what nothing
// says anything of and a run would write just so. It must never overwrite or remove what is write-once; what stands in the
// way it names, for somebody with the right to remove it.
package repair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target target.Flags
	read   bool
	files  bool
	dryRun bool
	json   bool
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "repair [GROUP...]",
		Short: "Make again what an archive has lost, or say what must happen first",
		Long: `repair verifies each stream, and makes again what is missing or damaged:

  a chunk     its range is pulled from Chat again, and put back if the bytes are exactly those that its manifest lists
  a manifest  is made from the chunks, if no later manifest pins the one that was lost
  a file      is fetched from where its message says that it is, and put back if the bytes have the very sum it was stored by

Everything is written create-only, so that nothing which is there can be harmed; --dry-run pulls and compares all the
same, and writes nothing. What stands in the way is named with the reason: removing is for somebody who may, never for
this command. What cannot be made again can only come from a copy: chatexport restore.

Chunks and files need the app's variables, and must still be stored unchanged: be quick. --read finds damage that only
reading every chunk shows, and files that are missing, as verify --read does; --files reads every file, too.

` + target.GroupHelp + `

JSON (--json): {"where", "dry_run", "good", "mended", "streams": [{"group_id", "topic_id", "objects": [{"key", "state",
"text"}]}], "objects"}. States: mended, mendable (--dry-run), remove_first, not_mended. Members are only ever added.

` + cli.ExitCodes + ` 1 means that something is still to be done.`,
		Example: `  chatexport repair --dry-run
  chatexport repair '@TGS#15ERQPAER'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.target.With(cmd.Context(), getenv, target.Archive, func(t *target.Target) error {
				return run(cmd.Context(), t, o, args, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	f.BoolVar(&o.read, "read", false, "read every chunk to find what is damaged")
	f.BoolVar(&o.files, "files", false, "read every file to find what is missing or damaged")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and write nothing")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func run(ctx context.Context, t *target.Target, o options, ids []string, out io.Writer, console *cli.Console) error {
	if t.COS != nil {
		if err := t.COS.Preflight(ctx); err != nil {
			return err
		}
	}
	r, err := newRepairer(t, o)
	if err != nil {
		return err
	}
	failed := r.all(ctx, ids, console)
	counts, all := r.result.count()
	r.result.Mended, r.result.Good = counts[Mended], counts[Mended] == all
	if failed != nil && all == 0 {
		return failed
	}
	if err := cli.Result(out, o.json, r.result, text(&r.result)); err != nil {
		return err
	}
	if failed == nil && !r.result.Good {
		failed = cli.Wrong(errors.New("something is still to be done, see above"))
	}
	return failed
}

func text(r *Result) string {
	var b cli.Lines
	for i := range r.Streams {
		for _, o := range r.Streams[i].Objects {
			b.Line("%s: %s", cli.StreamName(r.Streams[i].Stream), o)
		}
	}
	for _, o := range r.Objects {
		b.Line("%s", o)
	}
	n, all := r.count()
	if all == 0 {
		b.Line("nothing is to be mended in %s", r.Where)
		return b.String()
	}
	mendable := ""
	if r.DryRun {
		mendable = fmt.Sprintf(", %d can be (--dry-run)", n[Mendable])
	}
	b.Line("%s in %s: %d mended%s, %d to be removed first, %d not mended", cli.Plural(all, "object"), r.Where, n[Mended], mendable,
		n[RemoveFirst], n[NotMended])
	return b.String()
}

// count counts all objects, by their states.
func (r *Result) count() (counts map[State]int, all int) {
	counts = map[State]int{}
	add := func(objects []Object) {
		for _, o := range objects {
			counts[o.State]++
			all++
		}
	}
	for i := range r.Streams {
		add(r.Streams[i].Objects)
	}
	add(r.Objects)
	return counts, all
}

// String returns the object on one line.
func (o Object) String() string {
	return strings.ReplaceAll(string(o.State), "_", " ") + ": " + o.Key + ": " + o.Text
}
