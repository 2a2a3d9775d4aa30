// Package plan is the command that says what an export will take, before any money is spent.
//
// It owns the figures. It makes a few calls a stream, reads small objects, and must never write.
package plan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pending"
	"chatexport/scripts/chatexport/internal/target"
	"chatexport/scripts/internal/variables"
)

type options struct {
	target    target.Flags
	qps       int
	memory    int
	timeLimit time.Duration
	json      bool
	now       func() time.Time
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	o := options{now: time.Now}
	cmd := &cobra.Command{
		Use:   "plan [GROUP...]",
		Short: "Say what an export will take, before any money is spent",
		Long: `plan asks Chat how far each stream has come and the archive how far it is archived, and estimates what the rest takes:
messages, calls, minutes at the given rate, GB-seconds of the function, COS requests and bytes, and what may expire
before it is archived. Without GROUP it plans for every group and topic of the app. Where nothing is archived yet, it
looks for the beginning of what Chat still stores with some twenty calls. Without COS_BUCKET or --dir it plans a new archive.

Bytes are estimated from the newest and the oldest page. Everything else follows from the way the function works; calls
that are throttled or repeated come on top. Files, too, are estimated from these pages and from what is archived: their bytes
are stored as they are, and fetching them takes no calls, but time that depends on the connection.

Before messages expire the function asks for them once more (EXPORT_LOOK), to see what was edited, recalled or deleted, or came late:
that takes about as many calls again, told apart from the others ("look_calls"). What is edited twice before the look is seen once, as
it is then; what changes after the look is not seen.

` + target.GroupHelp + `

JSON (--json): {"at", "qps", "memory_mb", "streams": [{"group_id", "topic_id", "from", "to", "messages", "calls",
"minutes", "gb_seconds", "batches", "chunks", "cos_requests", "bytes", "links", "file_bytes", "look_calls", "at_risk", "oldest_at", "expires_at",
"files_expire_at", "error"}],
"total": {...}}. Members are only ever added.

` + cli.ExitCodes + ` 1 means that something is at risk, or that a stream cannot be archived.`,
		Example: `  chatexport plan --demo chatexport-demo
  chatexport plan --qps 100 --memory 256
  chatexport plan --json '@TGS#15ERQPAER'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return cli.Usage(err)
			}
			streams, err := target.Streams(args)
			if err != nil {
				return err
			}
			need, err := o.need(getenv)
			if err != nil {
				return err
			}
			return o.target.With(cmd.Context(), getenv, need, func(t *target.Target) error {
				return run(cmd.Context(), t, o, streams, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	f.IntVar(&o.qps, "qps", 0, "calls a second of the plan (default: CHAT_QPS)")
	f.IntVar(&o.memory, "memory", target.DeployedMemory, "of the function in `MB`")
	f.DurationVar(&o.timeLimit, "time-limit", target.DeployedTimeLimit, "of the function")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func (o *options) check() error {
	const most, maxMemory = 900 * time.Second, 3072
	return errors.Join(
		cli.Between("--qps", o.qps, 0, math.MaxInt),
		cli.Between("--memory", o.memory, 64, maxMemory),
		cli.Between("--time-limit", o.timeLimit, time.Second, most),
	)
}

func run(ctx context.Context, t *target.Target, o options, streams []chat.Stream, out io.Writer, console *cli.Console) error {
	client, err := t.Chat()
	if err != nil {
		return err
	}
	paced := pending.NewPaced(client, t.Config.ChatQPS)
	var infos []chat.Facts
	if len(streams) == 0 {
		infos, err = pending.All(ctx, paced)
	} else {
		infos, err = pending.Expand(ctx, paced, streams)
	}
	if err != nil {
		return err
	}
	p := newPlanner(t, o, paced)
	r, err := p.all(ctx, infos, console)
	if err != nil {
		return err
	}
	if err := cli.Result(out, o.json, r, text(r)); err != nil {
		return err
	}
	switch {
	case r.Total.AtRisk:
		return cli.Wrong(errors.New("messages may expire before they are archived, see above"))
	case r.refused() > 0:
		return cli.Wrong(fmt.Errorf("%s cannot be archived, see above", cli.Plural(r.refused(), "stream")))
	default:
		return nil
	}
}

// need is the archive, too, where one is named.
func (o *options) need(getenv func(string) string) (target.Need, error) {
	if o.target.Dir != "" || o.target.Demo != "" {
		return target.Chat | target.Archive, nil
	}
	vars, err := variables.Read(o.target.EnvFile, getenv)
	if err != nil {
		return 0, cli.Usage(err)
	}
	if vars("COS_BUCKET") != "" {
		return target.Chat | target.Archive, nil
	}
	return target.Chat, nil
}

// frontier returns the first seq that is not archived, and 0 where there is no archive of the stream; and the state, nil where
// there is none.
func frontier(ctx context.Context, store catalog.Store, s chat.Stream) (chat.Seq, *archive.State, error) {
	if store == nil {
		return 0, nil, nil
	}
	state, err := catalog.State(ctx, store, s)
	if err != nil && !errors.Is(err, archive.ErrInvalid) { // which the function takes for none
		return 0, nil, err
	}
	if state != nil && state.Frontier > 0 {
		return state.Frontier, state, nil
	}
	genesis, err := catalog.Genesis(ctx, store, s)
	if errors.Is(err, catalog.ErrNoArchive) {
		return 0, nil, nil
	}
	next := genesis.FirstLo
	if err == nil {
		for chunk, failed := range catalog.Chunks(ctx, store, s) {
			next, err = chunk.Hi+1, failed
		}
	}
	return next, nil, err
}
