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
	"github.com/spf13/pflag"

	"chatexport/internal/verify"
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
	files       bool
	source      bool
	pages       int
	expect      string
	certificate string
	against     string
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
		Long:  explained(),
		Example: `  chatexport verify --dir chatexport-demo/chat-archive-1250000000
  chatexport verify --read --certificate proof.json '@TGS#15ERQPAER'
  chatexport verify --read --against proof.json
  chatexport verify --read --files --sample 1%
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
	o.register(cmd.Flags())
	return cmd
}

func explained() string {
	return `verify follows each stream's chain of chunks and manifests from its genesis on, and compares all that it finds: with
the metadata, with the manifests' hashes, with the listing. Without GROUP it verifies the whole archive.

  (default)      chain, manifests and metadata: one small request a chunk, and one a receipt of files or looks
  --sample 5%    also reads so many of the chunks, chosen at random, and checks every line of them and of their receipts
  --read         reads all of them; only this is proof. It also names every absent or malformed range, and asks for the size of
                 each file
  --files        reads the files, too, whose names say what they must hold; with --sample so many of them, chosen at random,
                 beside --read as well
  --source       asks Chat again for what is absent or malformed, and for some other pages, and compares them with what is
                 archived and with what looks have found: what was edited, recalled or deleted since is counted, and only another
                 message, or one that is not archived, is a fault
  --expect HASH  the manifest with this sha256 must be in the chain: take it from the function's log (manifest_sha256),
                 which whoever can delete objects from the bucket cannot change
  --against FILE everything that an earlier certificate lists must still be there, unchanged; for a whole archive also what
                 the last sweep knew, certificate or not. Another place than the certificate names (bucket, region, prefix, or
                 folder) is a warning, as mirrors may be compared

What became of each link in a message the receipts tell, which follow the chunks, and those of looks what was found when the
messages were asked for once more. That some are missing at the end is no fault, as long as nothing knew of them: how far they
account for the links, and how far was looked and when, is told. --read compares each difference with the archived line that
it names, and counts the absent messages that were found.

An archive is called sound where every chunk and receipt was read, and consistent where nothing is wrong as far as the level sees.
A copy of the bytes alone, without metadata, is proved by its manifests; chunks that none of them lists are named.
What is sound and hardly what an export leaves behind is a warning (implausible): whoever holds the function's role may have
invented it. That is absent seqs at the end (seen where it is read), a chunk of which more than 20 seqs and one in 100 are
absent, one of more than 10,000,000 seqs (the largest EXPORT_SPAN) that have not expired, a range called expired behind a
message less than 7 days old, messages from after their run. No warning does not prove that nothing was.

--certificate writes what was proved as JSON: the place, the app, the stream, its range, the counts of each class, the
hashes of the manifests and of the chunks that none of them lists, the warnings, and how it was verified. It says only what was read, so it needs
--read, and none is written for an archive with a fault.

` + target.GroupHelp + `

JSON (--json): {"sound", "consistent", "where", "level", "files_level", "streams": [{"group_id", "topic_id", "sdkappid", "lo", "hi",
"totals", "manifests", "newest_manifest", "listed_to", "finished", "status", "chunks_read", "without_metadata", "absent",
"malformed", "expired", "files": {"receipts", "receipts_read", "without_metadata", "last_receipt", "to", "links", "outstanding",
"links_found", "links_hashed", "blobs", "blob_bytes", "blobs_hashed", "blob_bytes_hashed"}, "looks": {as of files, but for
"links"; "at", "seqs", "absent_found", "links_stored"}, "source", "findings": [{"kind", "key", "text"}], "warnings"}], "findings", "warnings"}. Members
are only ever added.

` + cli.ExitCodes
}

func (o *options) register(f *pflag.FlagSet) {
	o.target.Register(f)
	f.BoolVar(&o.read, "read", false, "read every chunk and check every line")
	f.StringVar(&o.sample, "sample", "", "read this `share` of the chunks, and with --files of the files, such as 5%")
	f.BoolVar(&o.files, "files", false, "read the files that messages link to")
	f.BoolVar(&o.source, "source", false, "compare a sample with Chat")
	f.IntVar(&o.pages, "pages", defaultPages, "pages of 20 messages that --source pulls of each stream, beside those of gaps")
	f.StringVar(&o.expect, "expect", "", "`sha256` of a manifest that must be in the chain of the one GROUP")
	f.StringVar(&o.certificate, "certificate", "", "`file` to write the certificate to; needs --read")
	f.StringVar(&o.against, "against", "", "`file` of a certificate: all that it lists must still be there")
	f.IntVar(&o.parallel, "parallel", defaultParallel, "streams verified side by side, 1 to 64")
	cli.JSONFlag(f, &o.json)
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
	if o.read && o.sample != "" && !o.files {
		problems = append(problems, errors.New("--read and --sample exclude one another, but for a sample of --files"))
	}
	if o.certificate != "" && !o.read {
		problems = append(problems, errors.New("--certificate needs --read: a certificate says only what was read"))
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
		return verify.LevelRead
	case o.sample != "":
		return "sample " + o.sample
	default:
		return "chain"
	}
}

// filesLevel names what is done about files, for people and certificates.
func (o *options) filesLevel() string {
	switch {
	case o.files && o.sample != "":
		return "sample " + o.sample
	case o.files:
		return verify.FilesRead
	case o.read:
		return verify.FilesFound
	case o.sample != "":
		return verify.FilesFound + " in a sample"
	default:
		return "none"
	}
}
