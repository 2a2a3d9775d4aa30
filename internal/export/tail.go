package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

type chunkChain = chain.Chain[archive.ChunkEntry]

// tail is the end of the stream's chain of write-once objects: where its archive begins, how far it reaches, and what of
// it is listed. It belongs to the goroutine of Run.
type tail struct {
	*session
	hints     *hints // told now and then how far hops came
	chunks    *chunkChain
	manifests *manifests

	genesis *archive.Genesis // nil as long as the stream has none
	head    chat.Seq         // of the run, as manifests and state tell it; 0 as long as it is unknown

	// The smallest seq that no chunk covers, and lo of the chunk below it (0 if there is none). stand sets it where a place
	// was found that holds, and then only moveTo moves it on.
	frontier, after chat.Seq
	start           chat.Seq // the frontier that progress is measured against
	unhopped        bool     // nobody has looked for a chunk at the frontier
	missed          chat.Seq // seqs that had expired before this batch began the archive
}

func newTail(h *hints) *tail {
	s := h.session
	t := &tail{session: s, hints: h, head: s.next.Head, chunks: newChunkChain(s)}
	t.manifests = &manifests{
		session: s, chunks: t.chunks, hint: h.state.ManifestAfter, before: h.state.Counters.Unlisted, trails: openTrails(h),
	}
	return t
}

func newChunkChain(s *session) *chunkChain {
	return &chunkChain{
		Store: s.store, Key: func(lo chat.Seq) string { return layout.Chunk(s.Stream, lo) }, Parse: parseChunk,
		Writer: s.writer, Earlier: s.earlier(), Jitter: s.Caller.Policy.Jitter, Log: s.Log,
	}
}

// parseChunk reads the chunk that begins at lo from its metadata. Anything under that key that is no chunk of this chain is
// damage.
func parseChunk(key string, lo chat.Seq, object objstore.Object) (archive.ChunkEntry, error) {
	meta, err := archive.ParseChunkMeta(object.Metadata)
	switch {
	case errors.Is(err, archive.ErrFormat):
		return archive.ChunkEntry{}, fmt.Errorf("read %s, which a newer version wrote; deploy that version: %w", key, err)
	case errors.Is(err, archive.ErrNoMetadata):
		return archive.ChunkEntry{}, &bareError{key: key, lo: lo}
	case err != nil:
		return archive.ChunkEntry{}, damaged("foreign_object", "%s is no chunk: %v", key, err)
	case meta.Lo != lo:
		return archive.ChunkEntry{}, damaged("foreign_object", "%s says that it begins at %d", key, meta.Lo)
	}
	return archive.ChunkEntryOf(meta, key, object.Size, object.CRC64), nil
}

// bareError is an object without metadata under a chunk's name. What it is, judge finds out.
type bareError struct {
	key string
	lo  chat.Seq
}

func (e *bareError) Error() string { return e.key + " has no metadata" }

// judge reads the object that stopped the batch by having no metadata: the bytes of a chunk that somebody copied here are
// no damage, and anything else is. Other errors it returns as they are.
func (t *tail) judge(ctx context.Context, stopped error) error {
	bare, ok := errors.AsType[*bareError](stopped)
	if !ok {
		return stopped
	}
	body, _, err := t.store.Get(ctx, bare.key)
	switch {
	case errors.Is(err, objstore.ErrDenied): // a role need not be allowed to read chunks
	case err != nil && !errors.Is(err, objstore.ErrCorrupt):
		return fmt.Errorf("look into a chunk without metadata: %w", err)
	default:
		if _, err := archive.ReadChunk(bytes.NewReader(body), t.Stream, bare.lo, chat.MaxSeq, nil); err != nil {
			return damaged("foreign_object", "%s is no chunk: %v", bare.key, err)
		}
	}
	return &verdict{status: archive.StatusNoMetadata, code: codeNoMetadata, text: bare.key + " is a chunk without metadata: this is a copy of an " +
		"archive, which can be proved but not continued; put it into a bucket with chatexport restore; nothing was overwritten"}
}

// find finds the frontier. It believes the continuation and the state only where the archive agrees with them; otherwise
// it walks from genesis over the manifests and the chunks.
func (t *tail) find(ctx context.Context) error {
	if known, err := t.findByManifest(ctx); known || err != nil {
		return err
	}
	if err := t.findGenesis(ctx); err != nil || t.genesis == nil {
		return err
	}
	known, err := t.findByHints(ctx)
	if err != nil {
		return err
	}
	if !known {
		t.stand(t.genesis.FirstLo, 0)
		if err := t.walkManifests(ctx); err != nil {
			return err
		}
	}
	return t.hop(ctx)
}

// stand takes a place of the chain for the frontier that progress is measured against.
func (t *tail) stand(frontier, after chat.Seq) {
	t.frontier, t.after, t.start = frontier, after, frontier
}

// moveTo moves the frontier on, behind what is stored.
func (t *tail) moveTo(frontier, after chat.Seq) { t.frontier, t.after = frontier, after }

// findGenesis reads the stream's genesis, or finds that the stream has no archive yet.
func (t *tail) findGenesis(ctx context.Context) error {
	key := layout.Genesis(t.Stream)
	body, _, err := t.store.Get(ctx, key)
	if errors.Is(err, objstore.ErrNotExist) {
		if frontier := t.hints.state.Frontier; frontier > 0 {
			return damaged("genesis_missing", "state has frontier %d but %s does not exist", frontier, key)
		}
		if t.next.Cursor > 0 {
			t.Log.Warn().Msg("the continuation's cursor is ignored: the stream has no archive")
		}
		return nil
	}
	if err != nil {
		return unreadable("genesis", key, err)
	}
	return t.use(key, body)
}

// use checks a genesis that is stored, and takes it for the beginning of the archive.
func (t *tail) use(key string, body []byte) error {
	genesis, err := archive.ParseGenesis(body)
	switch {
	case errors.Is(err, archive.ErrFormat):
		return fmt.Errorf("read genesis %s, which a newer version wrote; deploy that version: %w", key, err)
	case err != nil:
		return damaged("genesis_invalid", "%s: %v", key, err)
	case genesis.SDKAppID != t.Limits.SDKAppID:
		return &verdict{
			status: archive.StatusMismatch, code: "sdkappid",
			text: fmt.Sprintf("the archive belongs to SDKAppID %d, the function is configured for %d; use another COS_PREFIX for each app", genesis.SDKAppID, t.Limits.SDKAppID),
		}
	case genesis.GroupID != t.Stream.GroupID || genesis.TopicID != t.Stream.TopicID:
		return damaged("genesis_invalid", "%s names another stream", key)
	}
	t.genesis = &genesis
	t.manifests.begin(genesis, archive.Link{Key: key, SHA256: archive.SHA256(body)})
	return nil
}

// findByHints takes the frontier from the continuation or the state, whichever is further and holds against the archive.
func (t *tail) findByHints(ctx context.Context) (bool, error) {
	s, c := &t.hints.state, &t.next
	if c.Cursor > 0 && c.Cursor >= s.Frontier {
		holds, err := t.holds(ctx, c.Cursor, c.After)
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return false, err
		}
		if holds {
			t.stand(c.Cursor, c.After)
			return true, nil
		}
		t.Log.Warn().Int64("cursor", int64(c.Cursor)).Int64("after", int64(c.After)).
			Msg("the event's cursor does not fit the archive and is ignored")
	}
	switch {
	case s.Frontier == 0, s.After == 0 && s.Frontier != t.genesis.FirstLo:
		return false, nil
	case s.After != 0:
		holds, err := t.holds(ctx, s.Frontier, s.After)
		if errors.Is(err, objstore.ErrNotExist) {
			return false, damaged("chunk_missing", "state says that %s exists, and it does not", layout.Chunk(t.Stream, s.After))
		}
		if err != nil || !holds {
			return false, err
		}
	}
	t.stand(s.Frontier, s.After)
	if c.Cursor > 0 {
		t.start = min(t.start, c.Cursor) // what was done since the continuation was published is progress of the run
	}
	return true, nil
}

// holds reports whether the chunk that begins at after ends just below frontier.
func (t *tail) holds(ctx context.Context, frontier, after chat.Seq) (bool, error) {
	if after <= 0 || after >= frontier {
		return false, nil
	}
	entry, err := t.chunks.Look(ctx, after)
	if err != nil {
		return false, fmt.Errorf("look for the last chunk: %w", err)
	}
	return entry.Hi+1 == frontier, nil
}

// findByManifest finds the frontier by the last manifest alone, for callers that know the group. Most runs of a sweep begin
// behind a complete one, and then that manifest proves more than the last chunk and genesis would: it lists every chunk
// up to the frontier, its hash is the state's, and it names the app and the stream. What genesis alone has, the group's
// time of creation, the caller knows from the batch that read it last. That no chunk stands at the frontier yet, the PUT
// finds out. It reports false, without an error, wherever anything does not fit: the long way decides then.
func (t *tail) findByManifest(ctx context.Context) (bool, error) {
	k, s := t.Known, &t.hints.state
	if k == nil || k.ArchivedCreateTime == 0 || k.ArchivedCreateTime != k.CreateTime || t.goesOn ||
		t.hints.completeTo == 0 || s.ManifestAfter == nil || s.After == 0 {
		return false, nil
	}
	manifest, link, err := t.manifests.get(ctx, s.ManifestAfter.Lo)
	switch {
	case verdictOf(err) != nil, errors.Is(err, objstore.ErrNotExist):
		return false, nil //nolint:nilerr // the long way decides what that means
	case err != nil:
		return false, err
	case link.SHA256 != s.ManifestAfter.SHA256, manifest.Hi+1 != s.Frontier, manifest.Chunks[len(manifest.Chunks)-1].Lo != s.After:
		return false, nil
	}
	t.genesis = &archive.Genesis{
		Format: archive.Format, SDKAppID: manifest.SDKAppID, GroupID: manifest.GroupID, TopicID: manifest.TopicID,
		CreateTime: k.ArchivedCreateTime, ExpiredBelow: manifest.ExpiredBelow, FirstLo: manifest.ExpiredBelow.Seq,
	}
	t.stand(s.Frontier, s.After)
	t.manifests.begin(*t.genesis, archive.Link{})
	t.manifests.restart(s.Frontier, link)
	t.manifests.tell(manifest)
	t.unhopped = true
	return true, nil
}

// walkManifests moves the frontier behind everything that is listed.
func (t *tail) walkManifests(ctx context.Context) error {
	t.manifests.fromGenesis()
	for !t.timeIsUp() {
		manifest, link, err := t.manifests.get(ctx, t.frontier)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = t.manifests.follow(manifest, link)
		}
		if err != nil {
			return err
		}
		t.moveTo(manifest.Hi+1, manifest.Chunks[len(manifest.Chunks)-1].Lo)
		t.hints.save(ctx, t.place())
	}
	return nil
}

// hop moves the frontier over chunks that exist already.
func (t *tail) hop(ctx context.Context) error {
	return t.chunks.Hop(ctx, t.frontier, t.timeIsUp, func(ctx context.Context, entry archive.ChunkEntry) error {
		if err := t.pass(ctx, entry); err != nil {
			return err
		}
		t.hints.save(ctx, t.place())
		return nil
	})
}

// hopSurely is hop for a batch that will store nothing more: no PUT would find the chunk that a stale 404 hides.
func (t *tail) hopSurely(ctx context.Context) error {
	for {
		entry, err := t.chunks.Look(ctx, t.frontier)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = t.pass(ctx, entry)
		}
		if err == nil && t.timeIsUp() {
			err = errTimeUp
		}
		if err != nil {
			return err
		}
	}
}

// pass moves the frontier behind a chunk that is stored, and lists chunks as soon as there are enough for a manifest.
func (t *tail) pass(ctx context.Context, entry archive.ChunkEntry) error {
	t.moveTo(entry.Hi+1, entry.Lo)
	t.unhopped = false
	t.manifests.add(entry)
	if t.manifests.unlisted() < archive.MaxManifestChunks {
		return nil
	}
	return t.manifests.list(ctx, listing{to: t.frontier, head: t.head, status: archive.StatusPartial})
}

// listAll lists every chunk below the frontier; the last manifest gets the status. Nothing is written for an empty
// range.
func (t *tail) listAll(ctx context.Context, status string) error {
	if t.genesis == nil || t.frontier == t.hints.completeTo {
		return nil
	}
	return t.manifests.list(ctx, listing{to: t.frontier, head: t.head, status: status, all: true})
}

// above reports whether the archive reaches above a seq that is the newest, as it seems.
func (t *tail) above(newest chat.Seq) bool {
	return t.genesis != nil && newest > 0 && newest < t.frontier-1
}

// progressed reports whether this batch got on: the frontier moved beyond what it was told or could know for nothing, or
// a manifest was written. Only then a continuation is worth its while.
func (t *tail) progressed() bool {
	return t.start > 0 && t.frontier > t.start || t.manifests.wrote
}

func (t *tail) place() place {
	return place{
		frontier: t.frontier, after: t.after, head: t.head, manifest: t.manifests.hint, unlisted: t.manifests.unlisted(),
		trails: t.manifests.trails,
	}
}
