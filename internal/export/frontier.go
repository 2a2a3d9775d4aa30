package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

const (
	// hintEvery is how often hops save how far they came: a recovery of thousands of chunks must not begin again when an
	// instance dies, and a write for each hop would double its cost.
	hintEvery = 5 * time.Second

	// goneAfter is how often a 404 for an object that must be there is asked again before it is believed, since an answer
	// may come from a replica that is behind.
	goneAfter = 4
)

// findFrontier finds the smallest seq that no chunk covers. It believes the continuation and the state only where the
// archive agrees with them; otherwise it walks from genesis over the manifests and the chunks.
func (b *batch) findFrontier(ctx context.Context) error {
	if known, err := b.fromManifest(ctx); known || err != nil {
		return err
	}
	if err := b.loadGenesis(ctx); err != nil || b.genesis == nil {
		return err
	}
	known, err := b.fromHints(ctx)
	if err != nil {
		return err
	}
	if !known {
		b.frontier, b.after = b.genesis.FirstLo, 0
		b.start = b.frontier
		if err := b.walkManifests(ctx); err != nil {
			return err
		}
	}
	return b.hop(ctx)
}

// loadGenesis reads the stream's genesis, or finds that the stream has no archive yet.
func (b *batch) loadGenesis(ctx context.Context) error {
	key := layout.Genesis(b.Stream)
	body, object, err := b.Store.Get(ctx, key)
	b.saw(object, err)
	if errors.Is(err, objstore.ErrNotExist) {
		if b.state.Frontier > 0 {
			return damaged("genesis_missing", "state has frontier %d but %s does not exist", b.state.Frontier, key)
		}
		if b.Continuation != nil {
			b.Log.Warn().Msg("the continuation's cursor is ignored: the stream has no archive")
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read genesis: %w", err)
	}
	return b.useGenesis(key, body)
}

func (b *batch) useGenesis(key string, body []byte) error {
	genesis, err := archive.ParseGenesis(body)
	switch {
	case errors.Is(err, archive.ErrFormat):
		return fmt.Errorf("read genesis %s, which a newer version wrote; deploy that version: %w", key, err)
	case err != nil:
		return damaged("genesis_invalid", "%s: %v", key, err)
	case genesis.SDKAppID != b.Limits.SDKAppID:
		return &verdict{
			status: archive.StatusMismatch, code: "sdkappid",
			text: fmt.Sprintf("the archive belongs to SDKAppID %d, the function is configured for %d; use another COS_PREFIX for each app", genesis.SDKAppID, b.Limits.SDKAppID),
		}
	case genesis.GroupID != b.Stream.GroupID || genesis.TopicID != b.Stream.TopicID:
		return damaged("genesis_invalid", "%s names another stream", key)
	}
	b.genesis = &genesis
	b.genesisLink = archive.Link{Key: key, SHA256: sha256Hex(body)}
	return nil
}

// fromHints takes the frontier from the continuation or the state, whichever is further and holds against the archive.
func (b *batch) fromHints(ctx context.Context) (bool, error) {
	first := b.genesis.FirstLo
	if c := b.Continuation; c != nil && c.Cursor > 0 && c.Cursor >= b.state.Frontier {
		holds, err := b.holds(ctx, c.Cursor, c.After)
		if err != nil && !errors.Is(err, objstore.ErrNotExist) {
			return false, err
		}
		if holds {
			b.frontier, b.after, b.start = c.Cursor, c.After, c.Cursor
			return true, nil
		}
		b.Log.Warn().Int64("cursor", int64(c.Cursor)).Int64("after", int64(c.After)).
			Msg("the event's cursor does not fit the archive and is ignored")
	}
	switch s := b.state; {
	case s.Frontier == 0:
		return false, nil
	case s.After == 0:
		if s.Frontier != first {
			return false, nil
		}
	default:
		holds, err := b.holds(ctx, s.Frontier, s.After)
		if errors.Is(err, objstore.ErrNotExist) {
			return false, damaged("chunk_missing", "state says that %s exists, and it does not", layout.Chunk(b.Stream, s.After))
		}
		if err != nil || !holds {
			return false, err
		}
	}
	b.frontier, b.after = b.state.Frontier, b.state.After
	b.start = b.frontier
	if c := b.Continuation; c != nil && c.Cursor > 0 {
		b.start = min(b.start, c.Cursor)
	}
	return true, nil
}

// holds reports whether the chunk that begins at after ends just below frontier.
func (b *batch) holds(ctx context.Context, frontier, after chat.Seq) (bool, error) {
	if after <= 0 || after >= frontier {
		return false, nil
	}
	entry, err := b.headChunkSurely(ctx, after)
	if err != nil {
		return false, err
	}
	return entry.Hi+1 == frontier, nil
}

// walkManifests moves the frontier behind everything that is listed.
func (b *batch) walkManifests(ctx context.Context) error {
	b.index.restart(b.genesis.FirstLo, b.genesisLink)
	saved := time.Now()
	for !b.timeIsUp() {
		manifest, link, err := b.getManifest(ctx, b.frontier)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.follow(manifest, link); err != nil {
			return err
		}
		b.after = manifest.Chunks[len(manifest.Chunks)-1].Lo
		b.frontier = manifest.Hi + 1
		saved = b.saveHint(ctx, saved)
	}
	return nil
}

// hop moves the frontier over chunks that exist already.
func (b *batch) hop(ctx context.Context) error {
	saved := time.Now()
	for !b.timeIsUp() {
		entry, modified, err := b.headChunk(ctx, b.frontier)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil // perhaps stale: then the PUT finds the key taken
		}
		if err != nil {
			return err
		}
		if b.met {
			if err := b.raced(entry, modified); err != nil {
				return err
			}
		}
		if err := b.passed(ctx, entry); err != nil {
			return err
		}
		saved = b.saveHint(ctx, saved)
	}
	return nil
}

// hopSurely is hop for a batch that will store nothing more: no PUT would find the chunk that a stale 404 hides. It
// returns errTimeUp if there may be more.
func (b *batch) hopSurely(ctx context.Context) error {
	for {
		entry, err := b.headChunkSurely(ctx, b.frontier)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.passed(ctx, entry); err != nil {
			return err
		}
		if b.timeIsUp() {
			return errTimeUp
		}
	}
}

// passed moves the frontier behind a chunk that is stored.
func (b *batch) passed(ctx context.Context, entry archive.ChunkEntry) error {
	b.after, b.frontier = entry.Lo, entry.Hi+1
	b.index.add(entry)
	return b.listFull(ctx)
}

// saveHint saves the frontier now and then. A crash right after it loses nothing; without it, a recovery that dies
// would begin again.
func (b *batch) saveHint(ctx context.Context, last time.Time) time.Time {
	if time.Since(last) < hintEvery {
		return last
	}
	b.state.Status = archive.StatusRunning // never complete: what was hopped over may not be listed
	if err := b.writeState(ctx); err != nil {
		b.Log.Warn().Err(err).Msg("hint not saved")
	}
	return time.Now()
}

// headChunk describes the chunk that begins at lo. Anything under that key that is no chunk of this chain is damage.
func (b *batch) headChunk(ctx context.Context, lo chat.Seq) (archive.ChunkEntry, time.Time, error) {
	key := layout.Chunk(b.Stream, lo)
	object, err := b.Store.Head(ctx, key)
	b.saw(object, err)
	if err != nil {
		return archive.ChunkEntry{}, time.Time{}, fmt.Errorf("look for chunk: %w", err)
	}
	entry, err := chunkEntry(key, lo, object)
	return entry, object.LastModified, err
}

func chunkEntry(key string, lo chat.Seq, object objstore.Object) (archive.ChunkEntry, error) {
	meta, err := archive.ParseChunkMeta(object.Metadata)
	switch {
	case errors.Is(err, archive.ErrFormat):
		return archive.ChunkEntry{}, fmt.Errorf("read %s, which a newer version wrote; deploy that version: %w", key, err)
	case err != nil:
		return archive.ChunkEntry{}, damaged("foreign_object", "%s is no chunk: %v", key, err)
	case meta.Lo != lo:
		return archive.ChunkEntry{}, damaged("foreign_object", "%s says that it begins at %d", key, meta.Lo)
	}
	return archive.ChunkEntryOf(meta, key, object.Size, object.CRC64), nil
}

// headChunkSurely is headChunk for a chunk that must be there: a 404 is asked again before it is believed.
func (b *batch) headChunkSurely(ctx context.Context, lo chat.Seq) (archive.ChunkEntry, error) {
	entry, _, err := b.headTaken(ctx, lo)
	return entry, err
}

// headTaken is headChunkSurely, and says when the chunk was stored.
func (b *batch) headTaken(ctx context.Context, lo chat.Seq) (entry archive.ChunkEntry, modified time.Time, err error) {
	policy := retry.Policy{Base: 100 * time.Millisecond, Cap: time.Second, Attempts: goneAfter, Jitter: b.Caller.Policy.Jitter}
	asked := 0
	err = policy.Do(ctx, func(ctx context.Context, n int) error {
		var err error
		asked = n
		entry, modified, err = b.headChunk(ctx, lo)
		if errors.Is(err, objstore.ErrNotExist) {
			return staleError{err}
		}
		return err
	})
	if asked < goneAfter && errors.Is(err, objstore.ErrNotExist) {
		err = fmt.Errorf("%w, and a 404 not yet believed: %s", errTimeUp, err.Error()) // no longer ErrNotExist
	}
	return entry, modified, err
}

// staleError marks a 404 that may come from a replica that is behind.
type staleError struct{ error }

func (e staleError) Unwrap() error           { return e.error }
func (e staleError) RetryClass() retry.Class { return retry.Transient }

func sha256Hex(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
