// Package catcmd is the command that prints archived messages.
//
// It owns the forms in which a person or a program gets them. It reads only the chunks that it needs, found from the
// manifests, and must never write.
package catcmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

const outBuffer = 64 << 10

type options struct {
	target      target.Flags
	period      target.Period
	head, tail  int
	text, media bool
	json        bool
	now         func() time.Time

	rng catalog.Range
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "cat GROUP",
		Short: "Print archived messages",
		Long: `cat prints the messages of one stream, oldest first: as archived, one JSON object a line (this is also what --json
means); with --text for reading. Where what came could not be read, the line has nothing but the ids, MsgSeq and
"_malformed": {"bytes", "answer"}, the answer in base64; --text says so.

--media prints the links to files instead, those in merged messages included, and what became of each: one JSON object
{"seq", "n", "path", "kind", "url", "name", "state", "code", "sha256", "bytes", "type", "short", "time", "from", "size", "key"} a
line, or with --text a line for reading. "size" is what the message says; "key" is where the bytes are, in the bucket or below
the folder. A link whose state is "not yet" waits for its turn. chatexport files writes the files under readable names.

` + target.PeriodHelp + `

` + target.GroupHelp + `

` + cli.ExitCodes,
		Example: `  chatexport cat ubuntu --dir chatexport-demo/chat-archive-1250000000 --text --head 5
  chatexport cat '@TGS#15ERQPAER' --since 2026-11-01 --until 2026-12-01 > november.ndjson
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
	f := cmd.Flags()
	o.target.Register(f)
	o.period.Register(f)
	f.IntVar(&o.head, "head", 0, "only the first `N`")
	f.IntVar(&o.tail, "tail", 0, "only the last `N`")
	f.BoolVar(&o.text, "text", false, "print lines for reading: time, sender and text")
	f.BoolVar(&o.media, "media", false, "print the links to files, and where these are")
	f.BoolVar(&o.json, "json", false, "print JSON lines, which is the default")
	return cmd
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
	if o.text && o.json {
		fail("--text and --json exclude one another")
	}
	var err error
	if o.rng, err = o.period.Range(o.now()); err != nil {
		problems = append(problems, err)
	}
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
	buffered := bufio.NewWriterSize(out, outBuffer)
	c := &cat{options: o, store: t.Store, stream: s, out: buffered}
	if err := c.print(ctx, chunks); err != nil {
		return errors.Join(err, buffered.Flush())
	}
	return cli.Printed(buffered.Flush())
}

// errEnough ends the reading when all that was asked for has been printed.
var errEnough = errors.New("enough")

// cat prints elements.
type cat struct {
	options

	store   catalog.Store
	stream  chat.Stream
	out     *bufio.Writer
	printed int
}

// item is one element, and what became of its links where they are asked for.
type item struct {
	chat.Element

	links []archive.MediaLine
}

func (c *cat) print(ctx context.Context, chunks []archive.ChunkEntry) error {
	if c.tail > 0 {
		return c.printTail(ctx, chunks)
	}
	for _, chunk := range chunks {
		err := c.read(ctx, &chunk, func(i item) error {
			if err := c.item(&i); err != nil {
				return err
			}
			if c.printed++; c.head > 0 && c.printed >= c.head {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printTail reads chunks from the end until they hold enough.
func (c *cat) printTail(ctx context.Context, chunks []archive.ChunkEntry) error {
	var kept []item // newest chunk's last
	for _, chunk := range slices.Backward(chunks) {
		var some []item
		err := c.read(ctx, &chunk, func(i item) error {
			i.JSON = bytes.Clone(i.JSON)
			if some = append(some, i); len(some) > 2*c.tail {
				some = append(some[:0], some[len(some)-c.tail:]...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		kept = append(some, kept...)
		if len(kept) >= c.tail {
			break
		}
	}
	for _, i := range kept[max(0, len(kept)-c.tail):] {
		if err := c.item(&i); err != nil {
			return err
		}
	}
	return nil
}

// read gives take what of a chunk is asked for.
func (c *cat) read(ctx context.Context, chunk *archive.ChunkEntry, take func(item) error) error {
	if c.media && chunk.Links == 0 {
		return nil
	}
	account := catalog.NewAccount(ctx, c.store, c.stream, chunk)
	defer account.Close()
	return catalog.Lines(ctx, c.store, c.stream, *chunk, func(e chat.Element) error {
		i := item{Element: e}
		if !c.rng.Has(&e) {
			return ctx.Err()
		}
		if c.media {
			var err error
			if i.links, err = account.Links(&e); err != nil || len(i.links) == 0 {
				return errors.Join(err, ctx.Err())
			}
		}
		return take(i)
	})
}

// item prints one element in the form that was asked for.
func (c *cat) item(i *item) error {
	switch {
	case c.media:
		return c.links(i)
	case c.text:
		_, err := c.out.WriteString(textOf(&i.Element) + "\n")
		return err
	default:
		_, err := c.out.Write(i.JSON)
		return errors.Join(err, c.out.WriteByte('\n'))
	}
}
