// Package verifycmd is the command that proves an archive, or says what is wrong with it.
//
// It owns what a person sees of a verification, and the certificate. It must never judge by itself: that is package
// verify's.
package verifycmd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

const (
	defaultParallel = 4
	defaultPages    = 10
)

// options are the flags.
type options struct {
	target      target.Flags
	read        bool
	sample      string
	source      bool
	pages       int
	expect      string
	certificate string
	parallel    int
	json        bool

	share float64 // of sample
}

// Command returns the command.
func Command(getenv func(string) string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "verify [GROUP...]",
		Short: "Prove that an archive is complete and unchanged, or say what is wrong",
		Long: `verify follows each stream's chain of chunks and manifests from its genesis on, and compares all that it finds: with
the metadata, with the manifests' hashes, with the listing. Without GROUP it verifies the whole archive.

  (default)      chain, manifests and metadata: one small request a chunk
  --sample 5%    also reads so many of the chunks, chosen at random, and checks every line of them
  --read         reads all of them; only this is proof. It also names every absent range
  --source       pulls some pages again from Chat and compares them with what is archived; a message that was edited
                 since then counts as different
  --expect HASH  the manifest with this sha256 must be in the chain: take it from the function's log (manifest_sha256),
                 which whoever can delete objects from the bucket cannot change

--certificate writes what was proved as JSON: the app, the stream, its range, the counts of each class, the hashes of
the manifests, and how it was verified. No certificate is written for an archive with a fault.

` + target.GroupHelp + `

JSON (--json): {"sound", "where", "level", "streams": [{"group_id", "topic_id", "sdkappid", "lo", "hi", "totals",
"manifests", "newest_manifest", "listed_to", "finished", "status", "chunks_read", "absent", "expired", "source",
"findings": [{"kind", "key", "text"}]}], "findings"}. Members are only ever added.

` + cli.ExitCodes,
		Example: `  chatexport verify --dir chatexport-demo/chat-archive-1250000000
  chatexport verify --read --certificate proof.json '@TGS#15ERQPAER'
  chatexport verify --expect 2f0e0a7e... '@TGS#15ERQPAER'
  chatexport verify --source --demo chatexport-demo`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return cli.Usage(err)
			}
			need := target.Archive
			if o.source {
				need |= target.Chat
			}
			return o.target.With(cmd.Context(), getenv, need, func(t *target.Target) error {
				return run(cmd.Context(), t, o, args, cmd.OutOrStdout(), cli.NewConsole(cmd.ErrOrStderr()))
			})
		},
	}
	f := cmd.Flags()
	o.target.Register(f)
	f.BoolVar(&o.read, "read", false, "read every chunk and check every line")
	f.StringVar(&o.sample, "sample", "", "read this `share` of the chunks, such as 5%")
	f.BoolVar(&o.source, "source", false, "compare a sample with Chat")
	f.IntVar(&o.pages, "pages", defaultPages, "pages of 20 messages that --source pulls of each stream")
	f.StringVar(&o.expect, "expect", "", "`sha256` of a manifest that must be in the chain of the one GROUP")
	f.StringVar(&o.certificate, "certificate", "", "`file` to write the certificate to")
	f.IntVar(&o.parallel, "parallel", defaultParallel, "streams verified side by side, 1 to 64")
	cli.JSONFlag(f, &o.json)
	return cmd
}

func (o *options) check(args []string) error {
	const maxParallel, maxPages = 64, 10000
	var problems []error
	if o.sample != "" {
		number, ok := strings.CutSuffix(strings.TrimSpace(o.sample), "%")
		percent, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil || percent <= 0 || percent > 100 {
			problems = append(problems, fmt.Errorf("--sample %q is not a percentage above 0%%, such as 5%%", o.sample))
		}
		o.share = percent / 100
	}
	if o.read && o.sample != "" {
		problems = append(problems, errors.New("--read and --sample exclude one another"))
	}
	problems = append(problems, cli.Between("--parallel", o.parallel, 1, maxParallel), cli.Between("--pages", o.pages, 1, maxPages))
	if o.expect != "" {
		o.expect = strings.ToLower(o.expect)
		if raw, err := hex.DecodeString(o.expect); err != nil || len(raw) != 32 {
			problems = append(problems, errors.New("--expect is not a sha256: 64 hex digits"))
		}
		if len(args) != 1 {
			problems = append(problems, errors.New("--expect needs exactly one GROUP, whose manifest it is of"))
		}
	}
	return errors.Join(problems...)
}

// level names how much is read, for people and certificates.
func (o *options) level() string {
	switch {
	case o.read:
		return "read"
	case o.sample != "":
		return "sample " + o.sample
	default:
		return "chain"
	}
}
