// Package demo is the command that shows the whole function at work on one machine, with nothing configured: emulated
// Chat, COS and cloud API on loopback, real chat in emulated groups, and the very handler that the function runs.
//
// It owns the emulated surroundings and what a person sees of them. It must never have a way around the function's own
// path: whatever gets into the archive came through invocation.Handler, real HTTP and the SDKs.
package demo

import (
	"time"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
)

const (
	defaultOut     = "chatexport-demo"
	defaultLatency = 20 * time.Millisecond // a service in the same region
	// defaultTimeLimit is what the platform gives a function whose limit nobody set. It makes several batches of the
	// excerpt.
	defaultTimeLimit = 3 * time.Second
	// defaultSpan makes several chunks of the excerpt: a chain to look at, and little to lose by an interruption.
	defaultSpan = 1000
	// defaultQPS is the function's own default: the excerpt takes some seconds, long enough to watch.
	defaultQPS = 90
)

// options are the flags.
type options struct {
	data       string
	messages   int
	groups     int
	out        string
	latency    time.Duration
	qps        int
	timeLimit  time.Duration
	span       int64
	chunkBytes int64
	log        bool
	json       bool
}

// Command returns the command.
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Archive a real group chat with emulated services, on this machine alone",
		Long: `demo starts emulators of Tencent Chat, COS and the cloud API on 127.0.0.1, fills groups with a real chat, fires a
timer, and serves the function's events until all is archived. Then it reads the archive back, proves it, and compares
every message with what the emulated service holds. Some messages of the excerpt have pictures, sounds and documents, which
are made for the demo and archived, too. Then a message is edited, one recalled and one deleted, and another timer finds that. It needs no account and no configuration, and talks to nothing
outside this machine.

It may be stopped at any moment, by Ctrl-C or harder. Started again with the same --out it fires another timer, which goes
on where the archive ends, or finds nothing new.

With --groups the app has that many groups, few of them long and many without a message, and the timer asks for a sweep
of all of them instead of naming them.

JSON (--json): {"sound", "messages", "exported", "resumed", "archive", "files": {"links", "states", "waiting", "bytes"},
"looks": {"looked", "counts": {kind: seqs}}, "groups": [{"group_id", "topic_id", "expected", "messages", "chunks", "bytes", "batches", "manifests", "files", "sound",
"verdict", "compared", "findings"}], "findings", "error", "elapsed_ms", "messages_per_second", "invocations", "batches", "redelivered", "chat_calls", "throttled",
"cos_requests"}. Members are only ever added.

` + cli.ExitCodes,
		Example: `  chatexport demo
  chatexport demo --log --qps 200
  chatexport demo --groups 1000 --qps 200 --time-limit 20s
  chatexport demo --data chat.ndjson.gz --time-limit 20s --qps 200 --out /tmp/demo`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "`file` of messages to fill the groups with: NDJSON, plain or gzip, one {\"time\",\"from\",\"text\"} or {\"time\",\"system\"} a line (default: an excerpt of a real chat)")
	f.IntVar(&o.messages, "messages", 0, "take only the first `N` messages; 0 takes all")
	f.IntVar(&o.groups, "groups", 0, "deal the messages out to `N` groups and sweep the whole app; 0 takes three groups that the timer names")
	f.StringVar(&o.out, "out", defaultOut, "`folder` of the archive and of what the emulators keep")
	f.DurationVar(&o.latency, "latency", defaultLatency, "round trip to the emulated services, up to 5s")
	f.IntVar(&o.qps, "qps", defaultQPS, "calls a second: the emulated app's quota, and the function's CHAT_QPS")
	f.DurationVar(&o.timeLimit, "time-limit", defaultTimeLimit, "of the emulated function, 1s to 900s; a small one makes more batches")
	f.Int64Var(&o.span, "span", defaultSpan, "most messages in a chunk, the function's EXPORT_SPAN; 0 takes the function's default")
	f.Int64Var(&o.chunkBytes, "chunk-bytes", 0, "size at which a chunk is closed, the function's EXPORT_CHUNK_BYTES; 0 takes the function's default")
	f.BoolVar(&o.log, "log", false, "show the function's log lines")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}
