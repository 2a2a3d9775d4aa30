// Package bench measures the built function over the platform's protocol, against the emulated services, beside a
// reference that does it the way the API page describes.
//
// It owns the measurements and their tables. It must never measure anything but the binary that is deployed, nor judge
// the figures: they hold for one machine at one moment, and ratios of one run are what counts.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	scfemu "chatexport/internal/emulator/scf"
	"chatexport/scripts/chatexport/internal/cli"
)

// Command returns the command.
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the function against emulated services and a plain implementation",
		Long: `bench builds the function as it is deployed and runs it over the platform's protocol against emulators of Tencent
Chat, COS and the cloud API on 127.0.0.1, beside a reference that pulls one page after the other, decodes it into
structs and compresses it with the standard library, and for files beside four loops that each fetch one and put it. Figures
are of whole processes. They hold for this machine at this
moment: compare the ratios of one run.

Sections: ` + strings.Join(sectionNames(), ", ") + `.

JSON (--json): for each section by its name a list of [{"name", "messages", "seconds", "messages_per_second",
"steady_messages_per_second", "quota_share", "calls_against_least", "throttled_share", "cpu_microseconds_per_message",
"peak_resident_mib", "bytes_per_message", "batches", "cos_writes_per_million", "cos_reads_per_million",
"gb_seconds_per_million", "start_milliseconds", "messages_per_second_of_each_stream", "files", "file_bytes",
"file_requests", "peak_temporary_mib", "temporary_bytes_left", "chat_calls", "cos_requests"}]. Members are only ever added.

` + cli.ExitCodes,
		Example: "  chatexport bench --only network,loopback\n  chatexport bench --data chat.ndjson.gz --messages 200000 --latency 50ms --quota 200",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return cli.Usage(err)
			}
			return run(cmd, o)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.messages, "messages", 100_000, "messages of the section network, half as many a stream in shared")
	flags.IntVar(&o.files, "files", 2000, "files of the section files")
	flags.DurationVar(&o.latency, "latency", 50*time.Millisecond, "round trip to every service, up to 5s")
	flags.IntVar(&o.quota, "quota", 200, "calls a second that the emulated app allows")
	flags.BoolVar(&o.strict, "strict", false, "count the quota in a sliding second instead of a token bucket of depth 20")
	flags.StringVar(&o.data, "data", "", `messages: NDJSON, plain or gzip, one {"time","from","text"} or {"time","system"} a line (default: an excerpt of a real chat)`)
	flags.StringVar(&o.binary, "binary", "", "built function to measure (default: builds ./function)")
	flags.StringSliceVar(&o.only, "only", nil, "sections to run (default: all)")
	flags.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func (o options) check() error {
	switch {
	case o.messages < 2000:
		return errors.New("--messages must be at least 2000")
	case o.files < 1 || o.files > 100_000:
		return errors.New("--files must be 1 to 100000")
	case o.latency < 0 || o.latency > 5*time.Second:
		return errors.New("--latency must be 0 to 5s")
	case o.quota < 10 || o.quota > unpaced:
		return fmt.Errorf("--quota must be 10 to %d", unpaced)
	}
	for _, name := range o.only {
		if !slices.Contains(sectionNames(), name) {
			return fmt.Errorf("--only: there is no section %q; there are %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	return nil
}

func run(cmd *cobra.Command, o options) (err error) {
	ctx := cmd.Context()
	console := cli.NewConsole(cmd.ErrOrStderr())
	log, err := readLog(o.data)
	if err != nil {
		return cli.Usage(fmt.Errorf("--data: %w", err))
	}
	if err := scfemu.Alone(); err != nil {
		console.Line("%v", err)
	}
	folder, err := os.MkdirTemp("", "chatexport-bench-")
	if err != nil {
		return cli.Service(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if o.binary == "" {
		if exec.CommandContext(ctx, "go", "list", "chatexport/function").Run() != nil {
			return cli.Usage(errors.New("bench builds the function that it measures: start it in the project's folder, with Go installed, or name a built function by --binary"))
		}
		o.binary = filepath.Join(folder, "main")
		console.Line("building ./function")
		if err := scfemu.Build(ctx, "", o.binary, "chatexport/function", "-trimpath", "-ldflags=-s"); err != nil {
			return cli.Service(err)
		}
	}
	b := &bencher{options: o, log: log, folder: folder, say: console.Line}
	done, err := b.all(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return cli.Interrupted(context.Cause(ctx))
		}
		return cli.Service(err)
	}
	return o.show(cmd, done)
}

// all runs the sections that were asked for, one after the other: they would disturb each other.
func (b *bencher) all(ctx context.Context) ([]*section, error) {
	var done []*section
	for _, s := range sections() {
		if len(b.only) > 0 && !slices.Contains(b.only, s.Name) {
			continue
		}
		rows, err := s.run(b, ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		s.Rows = rows
		done = append(done, s)
	}
	return done, nil
}

func (s *section) quota(o options) int {
	switch s.Name {
	case "network", "large", "shared":
		return o.quota
	default:
		return 0
	}
}

func (o options) show(cmd *cobra.Command, done []*section) error {
	out := cmd.OutOrStdout()
	if o.json {
		result := make(map[string][]row, len(done))
		for _, s := range done {
			for _, f := range s.Rows {
				result[s.Name] = append(result[s.Name], newRow(f, s.quota(o)))
			}
		}
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	for _, s := range done {
		s.show(s, out, s.quota(o))
		if s.Name == "network" {
			project(out, s.Rows[0])
		}
	}
	return nil
}
