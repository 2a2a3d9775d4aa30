// Package filescmd is the command that writes the files of a stream under names that people can read.
//
// It owns those names and the index. Every name comes from strangers: none of them may choose where a file goes, what opens it,
// or what a terminal or a spreadsheet makes of it. It must never write to an archive, write other bytes than a receipt names, or
// hold a file in memory.
package filescmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target target.Flags
	period target.Period
	out    string
	topic  string
	kinds  []string
	json   bool
	now    func() time.Time

	rng catalog.Range
}

// Result is what was written; it is what --json prints.
type Result struct {
	Where    string           `json:"where"`
	Out      string           `json:"out"`
	Links    int64            `json:"links"`    // rows of the index
	Files    int64            `json:"files"`    // in the folder
	Kept     int64            `json:"kept"`     // of these, those that were there already
	Bytes    int64            `json:"bytes"`    // of these
	States   map[string]int64 `json:"states"`   // of the links
	Problems int64            `json:"problems"` // stored files that are not in the folder, and parts of the archive that cannot be read
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "files GROUP --out DIR",
		Short: "Write archived files under readable names, with an index",
		Long: `files writes the files of one stream into a folder: pictures, sounds, videos and what else was sent. A name is made of the
time of the message (UTC), its seq, the number of the link in it, its kind, and what the sender called the file, as far as
that can harm nobody. A file that two messages have comes twice. A file that was new when the function looked at the message
again, because it was edited or came late, is there, too, with "later" in its name.

index.csv lists every link for a spreadsheet, those without a file with their state; index.ndjson has the same for programs, as
cat --media has it, with "file", the name, and "problem". Bytes are compared with the sum in the receipt while they are copied:
what differs is not written, but told.

A run that was interrupted goes on when it is started again: files that are there with the right bytes are kept. The index is
then of what the last command line asked for.

` + target.PeriodHelp + `

` + target.GroupHelp + `

JSON (--json): {"where", "out", "links", "files", "kept", "bytes", "states": {state: links}, "problems"}. Members are only ever
added.

` + cli.ExitCodes,
		Example: `  chatexport files '@TGS#15ERQPAER' --out files
  chatexport files '@TGS#15ERQPAER' --out november --kind image,video --since 2026-11-01 --until 2026-12-01`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.check(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			return o.target.With(cmd.Context(), getenv, target.Archive, func(t *target.Target) error {
				return run(cmd.Context(), t, o, s, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	o.period.Register(f)
	f.StringVar(&o.out, "out", "", "`folder` to write to, made if it is missing")
	f.StringVar(&o.topic, "topic", "", "`id` of a topic of GROUP")
	f.StringSliceVar(&o.kinds, "kind", nil, "only these `kinds`: "+strings.Join(kinds(), ", "))
	cli.JSONFlag(f, &o.json)
	return cmd
}

// check reads the command line.
func (o *options) check(group string) (chat.Stream, error) {
	s, err := target.Stream(group)
	if err == nil && o.topic != "" {
		s, err = target.Stream(o.topic)
		if s.GroupID != group || s.TopicID == "" {
			err = errors.Join(err, fmt.Errorf("--topic %q is none of %q", o.topic, group))
		}
	}
	problems := []error{err}
	if o.out == "" {
		problems = append(problems, errors.New("--out DIR is needed"))
	}
	for _, kind := range o.kinds {
		if !slices.Contains(kinds(), kind) {
			problems = append(problems, fmt.Errorf("--kind %q is none of %s", kind, strings.Join(kinds(), ", ")))
		}
	}
	o.rng, err = o.period.Range(o.now())
	o.rng.Looked = true
	return s, errors.Join(append(problems, err)...)
}

func (o *options) wants(kind string) bool { return len(o.kinds) == 0 || slices.Contains(o.kinds, kind) }

func run(ctx context.Context, t *target.Target, o options, s chat.Stream, out io.Writer, console *cli.Console) error {
	chunks, err := catalog.Select(ctx, t.Store, s, o.rng)
	switch {
	case errors.Is(err, catalog.ErrNoArchive):
		return cli.Usage(fmt.Errorf("%w in %s; status lists what there is", err, t.Where))
	case catalog.Damaged(err):
		return cli.Wrong(err)
	case err != nil:
		return err
	}
	dir, done, err := openFolder(o.out, s)
	if err != nil {
		return cli.Usage(err)
	}
	f := &writer{
		options: o, store: t.Store, stream: s, dir: dir, console: console,
		result: Result{Where: t.Where, Out: o.out, States: map[string]int64{}},
	}
	if err := errors.Join(f.all(ctx, chunks), done()); err != nil {
		return err
	}
	if err := cli.Result(out, o.json, f.result, text(&f.result)); err != nil {
		return err
	}
	if f.result.Problems > 0 {
		return cli.Wrong(errors.New("something is wrong, see above"))
	}
	return nil
}

func text(r *Result) string {
	var b cli.Lines
	b.Line("%s, %s, of %s in %s; %s were there already", cli.Plural(r.Files, "file"), cli.Bytes(r.Bytes), cli.Plural(r.Links, "link"), r.Out, cli.Count(r.Kept))
	var without []string
	for _, state := range slices.Sorted(maps.Keys(r.States)) {
		if state != archive.MediaStored {
			without = append(without, cli.Count(r.States[state])+" "+state)
		}
	}
	if len(without) > 0 {
		b.Line("links without a file: %s", strings.Join(without, ", "))
	}
	if r.Problems > 0 {
		b.Line("%s: %s tells of files", cli.Plural(r.Problems, "problem"), indexCSV)
	}
	return b.String()
}
