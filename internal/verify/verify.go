// Package verify reads an archive back and proves it, or says what is wrong with it.
//
// It owns the judgement whether an archive is sound: tests, the demo and operators all use this one verifier. It trusts
// nothing but the genesis: it follows the chain of chunks from there, as a reader would, and compares every object with
// what its metadata, the manifests and the listing say of it. A copy of the bytes alone has no metadata, and needs none:
// manifests repeat them. It must never write, repair, or know a network.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Store is what the verifier reads from. It repeats transient failures itself, so an error other than
// objstore.ErrNotExist and objstore.ErrCorrupt ends the verification. Keys are those of package layout, below the archive's prefix.
type Store interface {
	// Get reads a whole object. ErrNotExist is certain: the store said NoSuchKey. ErrCorrupt means that the object cannot
	// be had with the bytes that its checksum is of.
	Get(ctx context.Context, key string) ([]byte, objstore.Object, error)
	// Open reads an object that is too large for memory. What has begun to be read is not repeated; that the bytes are not
	// those that the checksum is of, the reader tells at their end.
	Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error)
	// Head describes an object.
	Head(ctx context.Context, key string) (objstore.Object, error)
	// List yields the objects whose keys begin with prefix and sort behind after, in ascending order of their bytes. It
	// may miss objects that were written lately; it must not invent any. An error ends it.
	List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Entry, error]
}

// ErrNothing means that the store has no object at all of a stream: more likely a mistyped id than a sound archive.
var ErrNothing = errors.New("nothing is archived of this stream")

// Level says how much is read.
type Level int

const (
	// LevelFull reads every chunk and every receipt whole and checks each line. Of each file that a receipt names it looks
	// whether it is there with its size: one HEAD a file. The zero value, since only this is proof.
	LevelFull Level = iota
	// LevelChain looks at the metadata only: one HEAD a chunk or receipt instead of its bytes. Which files there are only the
	// receipts' lines tell, so none is looked at.
	LevelChain
	// LevelSample is LevelFull for the chunks that Options.Pick picks, with their receipts, and LevelChain for all others.
	LevelSample
)

// Options say what is expected and how much is done.
type Options struct {
	Level    Level
	SDKAppID int // the app that the archive must belong to; 0 accepts any
	// MaxFindings bounds the findings of one report, and its warnings; the rest is only counted. 0 means 1000.
	MaxFindings int
	// MaxRanges bounds Report.Absent and Report.Malformed. 0 means 1000.
	MaxRanges int
	// Pick picks the chunks that LevelSample reads whole. It must be safe for concurrent use if Parallel is above 1.
	Pick func(s chat.Stream, lo chat.Seq) bool
	// Files reads every receipt, whatever the level, looks at each file, and reads those that PickFile picks, all if that is
	// nil: their bytes must be those that they are named by. PickFile must be safe for concurrent use.
	Files    bool
	PickFile func(sha256 string) bool
	// Parallel is how many streams Archive verifies side by side. 0 means 1.
	Parallel int
	// Known says below which seq streams are archived, as the last sweep knew: what is missing of that has vanished. It
	// must be of a time before the verification.
	Known map[chat.Stream]chat.Seq
	// Against says what an earlier certificate lists: all of it must still be there, unchanged.
	Against map[chat.Stream]Certified
}

// filled puts a number for every 0 that means one.
func (o Options) filled() Options {
	const most = 1000 // is enough to look at, whatever an archive is like
	o.MaxFindings, o.MaxRanges, o.Parallel = cmp.Or(o.MaxFindings, most), cmp.Or(o.MaxRanges, most), cmp.Or(o.Parallel, 1)
	return o
}

// Range is a closed range of seqs.
type Range struct {
	Lo chat.Seq `json:"lo"`
	Hi chat.Seq `json:"hi"`
}

// ExpiredRange is a range whose messages had expired, and what tells so.
type ExpiredRange struct {
	Range

	Evidence string `json:"evidence"` // archive.EvidenceFinished or archive.EvidenceProbe
}

// Report is what was found of one stream. The numbers are those of the objects that were found, sound or not.
type Report struct {
	Stream   chat.Stream `json:"-"`
	GroupID  string      `json:"group_id"`
	TopicID  string      `json:"topic_id,omitempty"`
	SDKAppID int         `json:"sdkappid"` // of the genesis; 0 without one

	Lo     chat.Seq       `json:"lo"`     // the genesis' first_lo; 0 without a genesis
	Hi     chat.Seq       `json:"hi"`     // last seq of the last chunk; 0 without a chunk
	Totals archive.Totals `json:"totals"` // by the metadata of all chunks of the chain

	Read   int `json:"chunks_read"`                // chunks whose bytes were read and checked
	Copied int `json:"without_metadata,omitempty"` // chunks without metadata, as in a copy: what is known of them is not their own word

	Manifests int          `json:"manifests"`
	Newest    archive.Link `json:"newest_manifest"` // its sha256 is what to compare with an anchor outside the bucket
	ListedTo  chat.Seq     `json:"listed_to"`       // hi of the newest manifest: up to here the archive is pinned
	Finished  string       `json:"finished"`        // status of the newest manifest: complete, partial or gone
	Status    string       `json:"status"`          // of the state, a hint; empty without one

	// Files is nil if neither chunks nor receipts tell of a file.
	Files *Files `json:"files,omitempty"`
	// Looks is nil if nothing tells of a look.
	Looks *Looks `json:"looks,omitempty"`

	// Genesis and Chain are the links of the chain of manifests, for a certificate: what a person keeps outside the bucket.
	Genesis archive.Link   `json:"-"`
	Chain   []archive.Link `json:"-"`
	// Unlisted are the chunks in no manifest, of those that were read.
	Unlisted []archive.Link `json:"-"`

	// Absent are ranges that the service did not return though asked twice, Malformed those whose answers could not be
	// read, the first Options.MaxRanges of each. Of chunks that were read only.
	Absent    []Range `json:"absent,omitempty"`
	Malformed []Range `json:"malformed,omitempty"`
	// Expired are the ranges that are proved or probed to have expired before they could be archived.
	Expired []ExpiredRange `json:"expired,omitempty"`

	Findings []Finding `json:"findings,omitempty"`
	Warnings []Finding `json:"warnings,omitempty"` // no faults
	Omitted  int       `json:"omitted,omitempty"`  // findings and warnings beyond Options.MaxFindings
}

// Sound reports whether nothing is wrong, as far as was looked.
func (r *Report) Sound() bool { return len(r.Findings) == 0 }

// Whole reports whether every chunk and every receipt was read. Only then Sound says that all bytes are what they were, but for
// those of files.
func (r *Report) Whole() bool {
	return r.Read == r.Totals.Chunks && (r.Files == nil || r.Files.Read == r.Files.Receipts) && (r.Looks == nil || r.Looks.Read == r.Looks.Receipts)
}

// Pinned reports whether a manifest of the chain has this sha256. A hash that was kept outside the bucket proves that
// nothing of the archive was taken away since: whoever deletes the newest chunks and manifests cannot keep it in the chain.
func (r *Report) Pinned(sha256 string) bool {
	return slices.ContainsFunc(r.Chain, func(l archive.Link) bool { return l.SHA256 == sha256 })
}

// verifier verifies one stream once.
type verifier struct {
	store  Store
	stream chat.Stream
	opts   Options
	report *Report

	genesis     archive.Genesis
	genesisLink archive.Link // its Key is empty without a valid genesis
	state       *archive.State
	listed      []chat.Seq // manifests that the listing shows, ascending
	afterHi     chat.Seq   // hi of the chunk that the state's after names; 0 if it was not met
	pinned      bool       // the manifest that the state names was met in the chain; what is wrong with it was told
	any         bool       // an object of the stream was seen
	doubts      doubts
	trails      []*receipts
	blobs       *blobs
}

// Stream verifies the archive of one stream. It may run beside an export: what grows meanwhile is either verified or
// left out. What is wrong with the archive is in the report; the error is a failed read, the context's, ErrNothing (unless
// Options expect the stream), or chat.ErrInvalidStream. The report is filled as far as the verification came.
//
// Below the prefixes of receipts, objects that do not belong there are looked for if the stream needs receipts or has any.
//
// Memory is bounded by one chunk's object, one receipt's, one line of each, one manifest, MaxFindings, and what is remembered
// of files, 15 MB.
func Stream(ctx context.Context, store Store, s chat.Stream, opts Options) (Report, error) {
	opts = opts.filled()
	return verifyStream(ctx, store, s, opts, newBlobs(store, opts), nil)
}

// verifyStream verifies one stream. listed are prefixes of receipts below which something is.
func verifyStream(ctx context.Context, store Store, s chat.Stream, opts Options, files *blobs, listed map[string]bool) (Report, error) {
	report := Report{Stream: s, GroupID: s.GroupID, TopicID: s.TopicID}
	if err := s.Validate(); err != nil {
		return report, fmt.Errorf("verify: %w", err)
	}
	v := &verifier{store: store, stream: s, opts: opts, report: &report, blobs: files}
	v.trails = []*receipts{v.mediaTrail(), v.changeTrail()}
	for _, r := range v.trails {
		r.list = listed[r.prefix]
	}
	if err := v.run(ctx); err != nil {
		return report, fmt.Errorf("verify %s: %w", s, err)
	}
	return report, nil
}

// run reads what is written last first: the state, then the manifests' names, then the chunks. So whatever an earlier
// step saw, a later one must find, even while an export goes on.
func (v *verifier) run(ctx context.Context) error {
	if err := v.readState(ctx); err != nil {
		return err
	}
	if err := v.listManifests(ctx); err != nil {
		return err
	}
	known, err := v.readGenesis(ctx)
	if err != nil || !known {
		return err
	}
	if err := v.walk(ctx); err != nil {
		return err
	}
	v.report.Warnings = slices.Concat(v.doubts.tell(), v.report.Warnings) // first: there may be too many to show
	v.checkState()
	if err := v.checkManifestAfter(ctx); err != nil {
		return err
	}
	if !v.any {
		return v.nothing()
	}
	v.checkKnown()
	return v.checkCertified(ctx)
}

// nothing judges a stream of which no object is left.
func (v *verifier) nothing() error {
	end, who := v.expected()
	if end == 0 {
		return ErrNothing
	}
	v.add(KindVanished, layout.Genesis(v.stream), "nothing is left of this stream, of which %s knew an archive up to %d", who, end-1)
	return nil
}

// read gets a small object whole. What is absent has no body; what is corrupt has none either, and a finding.
func (v *verifier) read(ctx context.Context, key string) (body []byte, found bool, err error) {
	body, _, err = v.store.Get(ctx, key)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return nil, false, nil
	case errors.Is(err, objstore.ErrCorrupt):
		v.any = true
		v.add(KindCRC, key, "%v", err)
		return nil, true, nil
	case err != nil:
		return nil, false, err
	}
	v.any = true
	if body == nil {
		body = []byte{} // present, but empty
	}
	return body, true, nil
}

// readGenesis reports false if the archive is of a format that must not be guessed at.
func (v *verifier) readGenesis(ctx context.Context) (bool, error) {
	key := layout.Genesis(v.stream)
	body, _, err := v.read(ctx, key)
	if err != nil || body == nil {
		return true, err // whether an absent genesis is a fault depends on what else there is: see start
	}
	g, err := archive.ParseGenesis(body)
	if errors.Is(err, archive.ErrFormat) {
		v.add(KindFormat, key, "%v", err)
		return false, nil
	}
	switch {
	case err != nil:
		v.add(KindGenesis, key, "%v", err)
		return true, nil
	case g.Stream() != v.stream:
		v.add(KindGenesis, key, "is the genesis of %s", g.Stream())
		return true, nil
	case v.opts.SDKAppID != 0 && g.SDKAppID != v.opts.SDKAppID:
		v.add(KindGenesis, key, "belongs to the app %d, not to %d", g.SDKAppID, v.opts.SDKAppID)
	}
	if g.FirstLo > 1 && g.ExpiredBelow.Seq < g.FirstLo {
		v.add(KindGenesis, key, "begins at %d, but its evidence is only that what is below %d has expired", g.FirstLo, g.ExpiredBelow.Seq)
	}
	v.genesis = g
	v.genesisLink = archive.Link{Key: key, SHA256: sum(body)}
	v.report.SDKAppID = g.SDKAppID
	v.report.Lo = g.FirstLo
	v.report.Genesis = v.genesisLink
	if g.FirstLo > 1 {
		v.report.Expired = append(v.report.Expired, ExpiredRange{Range{1, g.FirstLo - 1}, g.ExpiredBelow.Evidence})
	}
	return true, nil
}

func (v *verifier) readState(ctx context.Context) error {
	key := layout.State(v.stream)
	body, _, err := v.read(ctx, key)
	if err != nil || body == nil {
		return err
	}
	state, err := archive.ParseState(body)
	if err != nil {
		v.add(kindOf(err, KindState), key, "%v", err)
		return nil
	}
	v.state = &state
	v.report.Status = state.Status
	return nil
}

// checkState compares the hints with what was found. A hint may be low; it is never ahead of the archive.
func (v *verifier) checkState() {
	if v.state == nil {
		return
	}
	key := layout.State(v.stream)
	end := max(v.report.Hi+1, v.report.Lo)
	if v.genesisLink.Key == "" && v.state.Frontier > 0 {
		v.add(KindGenesis, layout.Genesis(v.stream), "is missing, but the state has the frontier %d", v.state.Frontier)
		end = v.report.Hi + 1
	}
	switch {
	case v.state.Frontier > end:
		v.add(KindStateAhead, key, "frontier is %d, but the chunks end below %d", v.state.Frontier, end)
	case v.state.After != 0 && v.afterHi == 0:
		v.add(KindState, key, "after names the chunk at %d, which is not in the chain", v.state.After)
	case v.state.After != 0 && v.afterHi+1 != v.state.Frontier:
		v.add(KindState, key, "frontier is %d, but the chunk that after names ends at %d", v.state.Frontier, v.afterHi)
	}
}
