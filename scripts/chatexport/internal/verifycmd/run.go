package verifycmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/sweep"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// maxRanges bounds the absent ranges of one stream: more would not fit into the memory of a small machine.
const maxRanges = 1_000_000

// result is what --json prints.
type result struct {
	Sound      bool             `json:"sound"`      // nothing is wrong, and every chunk and receipt was read
	Consistent bool             `json:"consistent"` // nothing is wrong, as far as the level sees
	Where      string           `json:"where"`
	Level      string           `json:"level"`
	FilesLevel string           `json:"files_level"`
	Streams    []stream         `json:"streams"`
	Findings   []verify.Finding `json:"findings,omitempty"` // of no stream
	Warnings   []verify.Finding `json:"warnings,omitempty"`

	against *verify.Certificate // nil without one
}

type stream struct {
	verify.Report

	Source *verify.SourceReport `json:"source,omitempty"`
}

func run(ctx context.Context, t *target.Target, o options, ids []string, out io.Writer, console *cli.Console) error {
	r := result{Where: t.Where, Level: o.level(), FilesLevel: o.filesLevel()}
	if err := r.readCertificate(t, o.against); err != nil {
		return err
	}
	if err := verifyAll(ctx, t, o, ids, console, &r); err != nil {
		return err
	}
	if o.expect != "" {
		expect(&r.Streams[0].Report, o.expect)
	}
	if o.source {
		if err := compare(ctx, t, o, console, &r); err != nil {
			return err
		}
	}
	r.Consistent = r.consistent()
	r.Sound = r.Consistent && r.whole()
	if err := cli.Result(out, o.json, r, text(o, r)); err != nil {
		return err
	}
	if !r.Consistent {
		return cli.Wrong(errors.New("the archive is not sound, see above"))
	}
	if o.certificate != "" {
		return certify(o, t, r, console)
	}
	return nil
}

// readCertificate reads what the archive is compared with, if anything. It may be of another place, as a mirror's.
func (r *result) readCertificate(t *target.Target, file string) error {
	if file == "" {
		return nil
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return cli.Usage(fmt.Errorf("read --against: %w", err))
	}
	c, err := verify.ParseCertificate(body)
	if err != nil {
		return cli.Usage(fmt.Errorf("read --against %s: %w", file, err))
	}
	r.against = &c
	where, err := place(t)
	if err == nil && c.Place != where {
		r.Warnings = append(r.Warnings, verify.Finding{Kind: kindPlace, Key: file, Text: fmt.Sprintf(
			"is of %s, and this is %s: right for a mirror or a copy, which may be compared, but not for the same archive", c.Place, where)})
	}
	return err
}

// place names where the archive is, for a certificate.
func place(t *target.Target) (verify.Place, error) {
	if t.COS != nil {
		return verify.Place{Bucket: t.Config.COSBucket, Region: t.Config.COSRegion, Prefix: t.Config.COSPrefix}, nil
	}
	folder, err := filepath.Abs(t.Where)
	if err != nil {
		return verify.Place{}, cli.Usage(fmt.Errorf("name the folder: %w", err))
	}
	return verify.Place{Folder: folder}, nil
}

// whole reports whether all but files was read.
func (r *result) whole() bool {
	return !slices.ContainsFunc(r.Streams, func(s stream) bool { return !s.Whole() })
}

// unread returns how many chunks and receipts nobody has read, and of how many files that were found nobody has read the bytes.
func (r *result) unread() (chunks, receipts int, blobs int64) {
	for i := range r.Streams {
		s := &r.Streams[i]
		chunks += s.Totals.Chunks - s.Read
		if f := s.Files; f != nil {
			receipts += f.Receipts - f.Read
			blobs += f.Blobs - f.BlobsHashed
		}
		if l := s.Looks; l != nil {
			receipts += l.Receipts - l.Read
			blobs += l.Blobs - l.BlobsHashed
		}
	}
	return chunks, receipts, blobs
}

func (r *result) consistent() bool {
	return len(r.Findings) == 0 && !slices.ContainsFunc(r.Streams, func(s stream) bool { return !s.Sound() })
}

// verifyAll fills in the streams, sorted by id.
func verifyAll(ctx context.Context, t *target.Target, o options, ids []string, console *cli.Console, r *result) error {
	var done atomic.Int64
	opts := verify.Options{
		Level: verify.LevelChain, SDKAppID: t.Config.ChatSDKAppID, Parallel: o.parallel, MaxRanges: maxRanges, Files: o.files,
	}
	if r.against != nil {
		opts.Against = make(map[chat.Stream]verify.Certified, len(r.against.Streams))
		for _, s := range r.against.Streams {
			opts.Against[s.Stream()] = s
		}
	}
	store := &counted{Store: t.Store, done: &done}
	switch {
	case o.read:
		opts.Level = verify.LevelFull
	case o.sample != "":
		opts.Level = verify.LevelSample
		opts.Pick = func(chat.Stream, chat.Seq) bool { return rand.Float64() < o.share }
	}
	if o.sample != "" {
		opts.PickFile = func(string) bool { return rand.Float64() < o.share }
	}
	noun := "chunks"
	if o.read || o.files {
		noun = "chunks and files"
	}
	stop := console.Follow("verifying", noun, -1, done.Load)
	defer stop()
	if len(ids) > 0 {
		return verifySome(ctx, store, t, opts, ids, r)
	}
	var err error
	opts.Known, err = sweep.Archived(ctx, t.Engine, func(key string, err error) {
		r.Warnings = append(r.Warnings, verify.Finding{
			Kind: kindSweep, Key: key, Text: "part of what the last sweep knew cannot be read, so what vanished may be missed: " + err.Error(),
		})
	})
	if err != nil {
		return err
	}
	summary, err := verify.Archive(ctx, store, opts, func(report verify.Report) error {
		r.Streams = append(r.Streams, stream{Report: report})
		return nil
	})
	if err != nil {
		return err
	}
	r.Findings, r.Warnings = summary.Findings, append(r.Warnings, summary.Warnings...)
	if summary.Streams == 0 && len(r.Findings) == 0 {
		return cli.Usage(fmt.Errorf("there is no archive in %s", t.Where))
	}
	slices.SortFunc(r.Streams, func(a, b stream) int {
		return strings.Compare(layout.ChunkPrefix(a.Stream), layout.ChunkPrefix(b.Stream))
	})
	return nil
}

// verifySome verifies the streams that are named, even where nothing but chunks is left of one.
func verifySome(ctx context.Context, store verify.Store, t *target.Target, opts verify.Options, ids []string, r *result) error {
	known, err := catalog.Streams(ctx, t.Store)
	if err != nil {
		return err
	}
	for s := range opts.Against {
		known = append(known, s) // of which nothing may be left
	}
	var streams []chat.Stream
	for _, id := range ids {
		found, err := target.Match(known, []string{id})
		if err != nil {
			if found, err = target.Streams([]string{id}); err != nil {
				return err
			}
		}
		for _, s := range found {
			if !slices.Contains(streams, s) {
				streams = append(streams, s)
			}
		}
	}
	for _, s := range streams {
		report, err := verify.Stream(ctx, store, s, opts)
		if errors.Is(err, verify.ErrNothing) {
			return cli.Usage(fmt.Errorf("%s: %w in %s", s, verify.ErrNothing, t.Where))
		}
		if err != nil {
			return err
		}
		r.Streams = append(r.Streams, stream{Report: report})
	}
	return nil
}

// expect looks for the manifest that somebody remembers.
func expect(report *verify.Report, sha256 string) {
	if report.Pinned(sha256) {
		return
	}
	key := report.Newest.Key
	if key == "" {
		key = layout.Genesis(report.Stream)
	}
	report.Findings = append(report.Findings, verify.Finding{
		Kind: kindExpected, Key: key,
		Text: fmt.Sprintf("no manifest of the chain has the expected sha256 %s: manifests were deleted or replaced since it was logged", sha256),
	})
}
