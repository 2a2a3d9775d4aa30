// Package catcmd is the command that prints archived messages.
//
// It owns the forms in which a person or a program gets them. It reads only the chunks that it needs, found from the
// manifests, and must never write.
package catcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chatexport/internal/catalog"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

type options struct {
	target      target.Flags
	period      target.Period
	head, tail  int
	text, media bool
	json        bool
	csv, bom    bool
	marks       bool
	history     bool
	known       string
	now         func() time.Time

	rng  catalog.Range
	asOf int64 // in seconds since 1970; 0 for now, with nothing left out
}

// looked reports whether it matters what looks have found.
func (o *options) looked() bool {
	return o.text || o.csv || o.media || o.marks || o.history || o.asOf != 0
}

// wantsLinks reports whether it matters what became of links.
func (o *options) wantsLinks() bool { return o.media || o.csv }

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "cat GROUP",
		Short: "Print archived messages",
		Long: `cat prints the messages of one stream, oldest first: as archived, one JSON object a line (this is also what --json
means); with --text for reading; with --csv for a spreadsheet. Where what came could not be read, the line has nothing but the
ids, MsgSeq and "_malformed": {"bytes", "answer"}, the answer in base64; --text says so.

Before messages expire the function looks at them again. --text and --csv mark what was edited, recalled or deleted since it was
archived, is not there any more, or came late: it then stands in its place. JSON lines stay what is archived, byte for byte, unless one
of these asks for more; a line then may have a last member "_change": {"kind", "was", "seen_at"}, "was" being the SHA-256 of
the archived line, empty if there was none:
  --marks       the archived lines, marked, and what came late
  --history     each archived line as it is, and behind it what was found later, with the time
  --as-of TIME  what was known at that time: manifests listed it by then, and of each message the last content seen by then;
                --as-of 0s is the present state

--csv has the columns seq, time (UTC), sender, kind (message, system, recalled, placeholder, malformed), text, marks, and files
(where each is, or why it is not there): RFC 4180, UTF-8, lines ended by CR LF, a line break in a text kept in quotes. No cell is a
formula: one that would begin with = + - @ or the like has an apostrophe in front. --bom marks it as UTF-8, as Excel needs it.

--media prints the links to files instead, those in merged messages included, and what became of each: one JSON object
{"seq", "n", "path", "kind", "url", "name", "state", "code", "sha256", "bytes", "type", "short", "time", "from", "size", "key",
"seen_at"} a line, or with --text a line for reading. "size" is what the message says; "key" is where the bytes are, in the bucket
or below the folder; "seen_at" is there if a look found the link in a new version of its message. A link whose state is "not yet" waits for its turn. chatexport files writes the files under readable names.

` + target.PeriodHelp + `

` + target.GroupHelp + `

` + cli.ExitCodes,
		Example: `  chatexport cat ubuntu --dir chatexport-demo/chat-archive-1250000000 --text --head 5
  chatexport cat '@TGS#15ERQPAER' --since 2026-11-01 --until 2026-12-01 > november.ndjson
  chatexport cat '@TGS#15ERQPAER' --history --text --since 48h
  chatexport cat '@TGS#15ERQPAER' --csv --bom --as-of 2026-11-20 > known.csv
  chatexport cat '@TGS#15ERQPAER' --media --text --since 48h`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return cli.Usage(err)
			}
			return o.target.With(cmd.Context(), getenv, target.Archive, func(t *target.Target) error {
				err := run(cmd.Context(), t, o, args[0], cmd.OutOrStdout())
				if catalog.Damaged(err) {
					return cli.Wrong(err)
				}
				return err
			})
		},
	}
	o.register(cmd.Flags())
	return cmd
}

func (o *options) register(f *pflag.FlagSet) {
	o.target.Register(f)
	o.period.Register(f)
	f.IntVar(&o.head, "head", 0, "only the first `N`")
	f.IntVar(&o.tail, "tail", 0, "only the last `N`")
	f.BoolVar(&o.text, "text", false, "print lines for reading: time, sender and text")
	f.BoolVar(&o.media, "media", false, "print the links to files, and where these are")
	f.BoolVar(&o.json, "json", false, "print JSON lines, which is the default")
	f.BoolVar(&o.csv, "csv", false, "print rows for a spreadsheet")
	f.BoolVar(&o.bom, "bom", false, "begin --csv with the mark of UTF-8")
	f.BoolVar(&o.marks, "marks", false, "mark what has changed, in JSON, too")
	f.BoolVar(&o.history, "history", false, "print what was found later behind what is archived")
	f.StringVar(&o.known, "as-of", "", "print what was known at a `time`")
}

func (o *options) check() error {
	const maxTail = 100_000
	var problems []error
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if o.head < 0 || o.tail < 0 || o.tail > maxTail {
		fail("--head and --tail are counts, --tail of at most %d", maxTail)
	}
	if o.head > 0 && o.tail > 0 {
		fail("--head and --tail exclude one another")
	}
	if o.text && o.json || o.csv && (o.text || o.json || o.media) {
		fail("--text, --json and --csv exclude one another, and --csv has the files without --media")
	}
	if o.bom && !o.csv {
		fail("--bom is for --csv")
	}
	now := o.now()
	var err error
	if o.rng, err = o.period.Range(now); err != nil {
		problems = append(problems, err)
	}
	if o.asOf, err = target.Time(o.known, now); err != nil {
		fail("--as-of: %w", err)
	}
	if o.asOf != 0 && o.asOf < now.Unix() {
		o.rng.Known = time.Unix(o.asOf, 0)
	}
	o.rng.Looked = o.looked()
	return errors.Join(problems...)
}

func run(ctx context.Context, t *target.Target, o options, id string, out io.Writer) error {
	s, err := target.Stream(id)
	if err != nil {
		return err
	}
	chunks, err := catalog.Select(ctx, t.Store, s, o.rng)
	if errors.Is(err, catalog.ErrNoArchive) {
		return cli.Usage(fmt.Errorf("%w in %s; status lists what there is", err, t.Where))
	}
	if err != nil {
		return err
	}
	w, err := o.form(s, out)
	if err != nil {
		return err
	}
	c := &cat{options: o, store: t.Store, stream: s, out: w}
	if err := c.print(ctx, chunks); err != nil {
		return errors.Join(err, w.end())
	}
	return cli.Printed(w.end())
}
