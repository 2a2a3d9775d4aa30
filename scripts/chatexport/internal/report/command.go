// Package report is the command that draws an archive as one self-contained page, for people who would rather look than
// read.
//
// It owns the page. It reads small objects only, never a chunk; no message content is in the page, and the page loads
// nothing from anywhere.
package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/status"
	"chatexport/scripts/chatexport/internal/target"
)

const defaultMost = 200

type options struct {
	target target.Flags
	out    string
	pages  string
	chat   bool
	most   int
	json   bool
}

// summary is what --json prints.
type summary struct {
	Out     string `json:"out"`
	Bytes   int    `json:"bytes"`
	Streams int    `json:"streams"`
	Shown   int    `json:"shown"`
	Trouble bool   `json:"trouble"`

	Links       int64 `json:"links"`
	Files       int64 `json:"files"` // stored
	FileBytes   int64 `json:"file_bytes"`
	WithoutFile int64 `json:"without_file"` // what became of them keeps them from having one
	Waiting     int64 `json:"waiting"`

	Looked  int64 `json:"looked"`  // seqs that were looked at again
	Changed int64 `json:"changed"` // of these, those that were edited, recalled, deleted or found later, or do not come any more
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "report --out FILE.html",
		Short: "Draw the archive as one page to look at",
		Long: `report writes one HTML file that needs no network and nothing beside it: trouble first, then for each stream what of its
seqs and of its time is archived, expired, absent or pending, how many files are stored, what looks found changed, how the
archive grew, and how fast its runs were. It reads states, manifests and receipts only. The page holds ids of groups, no messages.

Times that are absurd, such as those in milliseconds, are counted beside the axis of time. The table can be put into other
orders and narrowed on the page itself, without a script. --pages makes the names of streams links to what page wrote,
relative to where FILE.html is; with --out -, to the working folder.

JSON (--json): {"out", "bytes", "streams", "shown", "links", "files", "file_bytes", "without_file", "waiting", "looked",
"changed", "trouble"}. Members are only ever added.

` + cli.ExitCodes + ` Trouble in the archive does not change it: see status.`,
		Example: `  chatexport report --dir chatexport-demo/chat-archive-1250000000 --out report.html
  chatexport report --pages pages --out report.html
  chatexport report --chat --out /srv/www/archive.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.out == "-" && o.json {
				return cli.Usage(errors.New("--out - and --json exclude one another: both are for the standard output"))
			}
			if o.out == "" || o.most < 1 {
				return cli.Usage(errors.New("--out FILE.html is needed, and --most must be at least 1"))
			}
			need := target.Archive
			if o.chat {
				need |= target.Chat
			}
			return o.target.With(cmd.Context(), getenv, need, func(t *target.Target) error {
				return run(cmd.Context(), t, o, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	f.StringVar(&o.out, "out", "", "`file` to write; - is the standard output")
	f.StringVar(&o.pages, "pages", "", "`folder` of pages that page wrote, to link to")
	f.BoolVar(&o.chat, "chat", false, "ask Chat for the newest message of each stream")
	f.IntVar(&o.most, "most", defaultMost, "draw at most `N` streams, those in trouble and the largest first")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func run(ctx context.Context, t *target.Target, o options, out io.Writer, console *cli.Console) error {
	judged, err := status.Look(ctx, t, o.chat, console)
	if err != nil {
		return err
	}
	p, err := gather(ctx, t, judged, o.most, console)
	if err != nil {
		return err
	}
	if err := p.link(o.out, o.pages); err != nil {
		return cli.Usage(err)
	}
	var page bytes.Buffer
	if err := p.write(&page); err != nil {
		return err
	}
	if o.out == "-" {
		return cli.Print(out, page.String())
	}
	if err := os.WriteFile(o.out, page.Bytes(), 0o600); err != nil {
		return cli.Usage(fmt.Errorf("write --out: %w", err))
	}
	s := summary{
		Out: o.out, Bytes: page.Len(), Streams: len(judged.Streams), Shown: len(p.Streams), Trouble: judged.Trouble,
		Links: p.Links, Files: p.Files, FileBytes: p.FileBytes, WithoutFile: p.WithoutFile, Waiting: p.Waiting,
		Looked: p.Looked, Changed: p.Changed,
	}
	return cli.Result(out, o.json, s, fmt.Sprintf("%s: %s, %s\n", s.Out, cli.Plural(s.Streams, "stream"), cli.Bytes(int64(s.Bytes))))
}
