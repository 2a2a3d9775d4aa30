// Package pagecmd is the command that writes conversations as a folder of pages, for people who have a browser and nothing else.
//
// It owns the folder: which files there are, what they are called, and that a page that is there and right is not written
// again. What the pages look like is package pages', what they say package conversation's, and the proof beside them package
// verifycmd's. It must never give a file of a stranger a name under which a browser would run it.
package pagecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"chatexport/internal/catalog"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target target.Flags
	period target.Period
	out    string
	zone   string
	names  string
	json   bool
	now    func() time.Time

	loc    *time.Location
	rng    catalog.Range
	people map[string]string
	flags  selection
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "page [GROUP...] --out DIR",
		Short: "Write conversations as pages, to be read without this program",
		Long: `page writes a folder of HTML pages: all conversations, an index of the days of each, a page a day (of a busy day several),
with pictures, sounds, videos and files beside them. Begin with index.html. The pages are those of view, without search and the
proof of each message; they have no scripts, and load nothing from elsewhere. Without GROUP the whole archive is written.

Beside the pages are verification.txt and certificate.json, what verify --read says of these conversations as a whole, and
SHA256SUMS of every file: sha256sum -c SHA256SUMS. Files whose bytes are no picture, sound or video of a few kinds, no PDF,
archive or office document, are there under names that nothing opens, so that none of them can act.

When it is interrupted, or the archive has grown, the same command goes on: what is there and right is kept. SHA256SUMS is
written last; a folder without it is not finished. Pages that are not right any more are replaced or removed.

` + target.PeriodHelp + `

` + target.NamesHelp + `

` + target.GroupHelp + `

JSON (--json): {"out", "streams", "days", "pages", "files", "bytes", "written", "kept", "missing", "sound"}. Members are only ever
added.

` + cli.ExitCodes + ` It is 1 where the archive is not sound, or lacks a file that it should
have; the pages are written all the same, and say so.`,
		Example: `  chatexport page --dir chatexport-demo/chat-archive-1250000000 --out pages
  chatexport page '@TGS#15ERQPAER' --out november --since 2026-11-01 --until 2026-12-01 --tz UTC
  chatexport page '@TGS#15ERQPAER' --out pages --tz Asia/Shanghai --names people.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return cli.Usage(err)
			}
			return o.target.With(cmd.Context(), getenv, target.Archive, func(t *target.Target) error {
				return run(cmd.Context(), t, &o, args, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	o.period.Register(f)
	f.StringVar(&o.out, "out", "", "`folder` to write")
	f.StringVar(&o.zone, "tz", "UTC", "time `zone` of days and times, such as Asia/Shanghai or +08:00")
	f.StringVar(&o.names, "names", "", "CSV `file` of people: id, name")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func (o *options) check(args []string) error {
	var problems []error
	fail := func(name string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	if o.out == "" {
		problems = append(problems, errors.New("--out DIR is needed"))
	}
	var err error
	if o.rng, err = o.period.Range(o.now()); err != nil {
		problems = append(problems, err)
	}
	o.loc, err = target.Zone(o.zone)
	fail("--tz", err)
	o.people, err = target.Names(o.names)
	fail("--names", err)
	o.flags = selection{Format: selectionFormat, Groups: args, Period: o.period.String(), Zone: o.zone}
	return errors.Join(problems...)
}

// summary is what --json prints.
type summary struct {
	Out     string `json:"out"`
	Streams int    `json:"streams"`
	Days    int    `json:"days"`
	Pages   int    `json:"pages"` // of days
	Files   int    `json:"files"` // of messages
	Bytes   int64  `json:"bytes"` // of everything
	Written int    `json:"written"`
	Kept    int    `json:"kept"`
	Missing int    `json:"missing"` // files that are not in the archive, or damaged there
	Sound   bool   `json:"sound"`
}

// run writes the folder, and tells what came of it.
func run(ctx context.Context, t *target.Target, o *options, ids []string, out io.Writer, console *cli.Console) (err error) {
	if err := apart(t, o.out); err != nil {
		return cli.Usage(err)
	}
	book, err := openBook(o.out, o.flags)
	if err != nil {
		return err
	}
	defer func() { err = cli.Closed(err, book.close()) }()
	w, err := newWriter(ctx, t, o, ids, book)
	if err != nil {
		return err
	}
	s, err := w.write(ctx, ids, console)
	if err != nil {
		return err
	}
	s.Out = o.out
	if err := cli.Result(out, o.json, s, s.text()); err != nil {
		return err
	}
	switch {
	case !s.Sound:
		return cli.Wrong(errors.New("the archive is not sound, see verification.txt beside the pages"))
	case s.Missing > 0:
		return cli.Wrong(fmt.Errorf("%s that the archive should have cannot be read: chatexport verify --files names them", cli.Plural(s.Missing, "file")))
	}
	return nil
}

// apart makes sure that no page comes to lie in the archive, where it would be foreign.
func apart(t *target.Target, out string) error {
	if t.COS != nil {
		return nil
	}
	archive, err := filepath.Abs(t.Where)
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	if way, err := filepath.Rel(archive, out); err == nil && filepath.IsLocal(way) {
		return fmt.Errorf("--out %s: is in the archive: give a folder beside it", out)
	}
	return nil
}

func (s *summary) text() string {
	return fmt.Sprintf("%s/index.html: %s, %s, %s, %s of messages, %s; %s written, %s kept\n", cli.OneLine(s.Out),
		cli.Plural(s.Streams, "conversation"), cli.Plural(s.Days, "day"), cli.Plural(s.Pages, "page"), cli.Plural(s.Files, "file"), cli.Bytes(s.Bytes),
		cli.Count(s.Written), cli.Count(s.Kept))
}
