package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// index knows how far the manifests reach, as far as this batch had to find out, and the chunks behind them that this
// batch has seen.
type index struct {
	known bool         // next and link are right
	moved bool         // this batch has found them to be further than its hint said
	next  chat.Seq     // lo of the next manifest
	link  archive.Link // of the manifest before it, or genesis
	seen  []archive.ChunkEntry
}

// restart begins at a place of the manifest chain that is known to be right.
func (x *index) restart(next chat.Seq, link archive.Link) {
	x.known, x.next, x.link = true, next, link
}

// add notes a chunk. Chunks come in the order of the chain.
func (x *index) add(entry archive.ChunkEntry) { x.seen = append(x.seen, entry) }

// drop forgets the chunks below seq, which a manifest lists now.
func (x *index) drop(seq chat.Seq) {
	keep := 0
	for keep < len(x.seen) && x.seen[keep].Lo < seq {
		keep++
	}
	x.seen = append([]archive.ChunkEntry(nil), x.seen[keep:]...)
}

// find returns the chunk that begins at lo if this batch has seen it.
func (x *index) find(lo chat.Seq) (archive.ChunkEntry, bool) {
	for _, entry := range x.seen {
		if entry.Lo == lo {
			return entry, true
		}
	}
	return archive.ChunkEntry{}, false
}

// getManifest reads the manifest that begins at lo. ErrNotExist is certain.
func (b *batch) getManifest(ctx context.Context, lo chat.Seq) (archive.Manifest, archive.Link, error) {
	key := layout.Manifest(b.Stream, lo)
	body, object, err := b.Store.Get(ctx, key)
	b.saw(object, err)
	if err != nil {
		return archive.Manifest{}, archive.Link{}, fmt.Errorf("read manifest: %w", err)
	}
	manifest, err := archive.ParseManifest(body)
	switch {
	case errors.Is(err, archive.ErrFormat):
		return manifest, archive.Link{}, fmt.Errorf("read %s, which a newer version wrote; deploy that version: %w", key, err)
	case err != nil:
		return manifest, archive.Link{}, damaged("manifest_invalid", "%s: %v", key, err)
	case manifest.Lo != lo || manifest.SDKAppID != b.Limits.SDKAppID || manifest.GroupID != b.Stream.GroupID || manifest.TopicID != b.Stream.TopicID:
		return manifest, archive.Link{}, damaged("manifest_invalid", "%s describes something else", key)
	}
	return manifest, archive.Link{Key: key, SHA256: sha256Hex(body)}, nil
}

// follow goes on behind a stored manifest, which must continue the chain.
func (b *batch) follow(m archive.Manifest, link archive.Link) error {
	if m.Lo != b.index.next || m.Previous != b.index.link {
		return damaged("manifest_chain", "%s does not continue the chain of manifests after %s", link.Key, b.index.link.Key)
	}
	b.index.restart(m.Hi+1, link)
	b.index.moved = true
	b.index.drop(m.Hi + 1)
	b.state.Counters.Unlisted = 0 // as far as is known: those that this batch has seen count by themselves
	b.state.ManifestAfter = &archive.ManifestHint{Lo: m.Lo, SHA256: link.SHA256}
	return nil
}

// locate finds how far the manifests reach, from the state's hint where that holds, else from genesis. A hint may be
// behind: it is followed further where chunks would have to be looked up, one by one, only to find the name taken.
func (b *batch) locate(ctx context.Context) error {
	if b.index.known {
		return nil
	}
	if hint := b.state.ManifestAfter; hint == nil {
		b.index.restart(b.genesis.FirstLo, b.genesisLink)
	} else {
		manifest, link, err := b.getManifest(ctx, hint.Lo)
		switch {
		case err == nil && link.SHA256 == hint.SHA256:
			b.index.restart(manifest.Hi+1, link)
			if _, seen := b.index.find(b.index.next); seen {
				return nil
			}
		case err == nil:
			return damaged("manifest_chain", "%s is not the manifest that was written", link.Key)
		case errors.Is(err, objstore.ErrNotExist):
			return damaged("manifest_missing", "state says that %s exists, and it does not", layout.Manifest(b.Stream, hint.Lo))
		default:
			return err
		}
	}
	for b.index.next < b.frontier {
		if b.index.moved && b.listingTimeIsUp() {
			return errListingTimeUp
		}
		manifest, link, err := b.getManifest(ctx, b.index.next)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.follow(manifest, link); err != nil {
			return err
		}
	}
	return nil
}

// unlisted returns how many chunks no manifest lists, as far as hints and this batch know.
func (b *batch) unlisted() int64 { return b.state.Counters.Unlisted + int64(len(b.index.seen)) }

// listFull writes manifests as soon as enough chunks for a full one are unlisted.
func (b *batch) listFull(ctx context.Context) error {
	if b.unlisted() < archive.MaxManifestChunks {
		return nil
	}
	return b.list(ctx, archive.StatusPartial, false)
}

// listAll lists every chunk below the frontier; the last manifest gets the status. Nothing is written for an empty
// range.
func (b *batch) listAll(ctx context.Context, status string) error {
	if b.frontier == b.state.Frontier && b.state.Status == archive.StatusComplete && b.chunks == 0 {
		return nil // a state says complete only after its manifest was written
	}
	return b.list(ctx, status, true)
}

// list writes manifests behind the last one. Without all, chunks that do not fill a manifest stay unlisted.
func (b *batch) list(ctx context.Context, status string, all bool) error {
	if err := b.locate(ctx); err != nil {
		return err
	}
	written := false
	for b.index.next < b.frontier {
		entries, err := b.gather(ctx)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return b.cutShort(written)
		}
		last := entries[len(entries)-1].Hi+1 >= b.frontier
		full := len(entries) == archive.MaxManifestChunks
		cut := !last && !full // time ran short: what is gathered is kept, the next batch goes on behind it
		if !full && !all && !cut {
			b.state.Counters.Unlisted = 0
			b.index.seen = entries
			return nil
		}
		as := archive.StatusPartial
		if last && all {
			as = status
		}
		wrote, err := b.writeManifest(ctx, entries, as)
		if err != nil {
			return err
		}
		written = written || wrote
		if cut && written || !wrote && b.index.next < b.frontier && b.listingTimeIsUp() {
			return b.cutShort(written)
		}
	}
	b.state.Counters.Unlisted = 0
	return nil
}

var (
	// errUnlisted means that time ran out before every chunk was listed, but not before something was: a next batch is
	// worth its while.
	errUnlisted = errors.New("no time left to list every chunk in a manifest")
	// errListingTimeUp means that time ran out on manifests that were there already. Where the next batch goes on, the
	// state tells it.
	errListingTimeUp = fmt.Errorf("%w: no time left to look for the last manifest", errTimeUp)
)

// cutShort ends the listing. A manifest that was there already is no progress, or two runs could hand on for ever.
func (b *batch) cutShort(written bool) error {
	if written {
		return errUnlisted
	}
	return errListingTimeUp
}

// gather returns the chunks behind the last manifest, at most as many as a manifest holds, and fewer, or none, when time
// runs out. Those that other batches wrote are looked up one by one: only a chunk knows where the next one begins.
func (b *batch) gather(ctx context.Context) ([]archive.ChunkEntry, error) {
	var entries []archive.ChunkEntry
	for lo := b.index.next; lo < b.frontier && len(entries) < archive.MaxManifestChunks; {
		entry, ok := b.index.find(lo)
		if !ok {
			if (len(entries) > 0 || b.index.moved) && b.listingTimeIsUp() {
				return entries, nil
			}
			var err error
			entry, err = b.headChunkSurely(ctx, lo)
			if errors.Is(err, objstore.ErrNotExist) {
				return nil, damaged("chunk_missing", "chunks behind %s exist, and it does not", layout.Chunk(b.Stream, lo))
			}
			if err != nil {
				return nil, fmt.Errorf("list chunks: %w", err)
			}
		}
		entries = append(entries, entry)
		lo = entry.Hi + 1
	}
	return entries, nil
}

// listingTimeIsUp keeps half of the reserve for the writes that follow the listing.
func (b *batch) listingTimeIsUp() bool {
	half := b.budget.deadline.Sub(b.budget.pullEnd) / 2
	return time.Now().After(b.budget.pullEnd.Add(half))
}

// writeManifest writes the next manifest of the chain, or follows the one that is there already. It reports whether it
// wrote one.
func (b *batch) writeManifest(ctx context.Context, entries []archive.ChunkEntry, status string) (bool, error) {
	started, ok := archive.RunStart(b.runID)
	if !ok {
		started = b.budget.start
	}
	manifest := archive.Manifest{
		Format: archive.Format, SDKAppID: b.Limits.SDKAppID, GroupID: b.Stream.GroupID, TopicID: b.Stream.TopicID,
		Head: b.runHead, Status: status, Run: b.runID, Build: b.Build, StartedAt: started, FinishedAt: time.Now(),
		ExpiredBelow: b.genesis.ExpiredBelow, Previous: b.index.link,
	}
	manifest.SetChunks(entries)
	body, err := manifest.Encode()
	if err != nil {
		return false, fmt.Errorf("encode manifest: %w", err)
	}
	// A crash right after this write: the next batch finds the name taken, and goes on behind it.
	err = b.create(ctx, layout.Manifest(b.Stream, manifest.Lo), objstore.Write{Body: body, ContentType: contentJSON})
	if err != nil && !errors.Is(err, objstore.ErrExist) && !errors.Is(err, objstore.ErrUnknown) {
		return false, b.refused(fmt.Errorf("write manifest: %w", err))
	}
	unsure := err
	link := archive.Link{Key: layout.Manifest(b.Stream, manifest.Lo), SHA256: sha256Hex(body)}
	wrote := err == nil
	if !wrote {
		manifest, link, err = b.getManifest(ctx, manifest.Lo)
		if errors.Is(err, objstore.ErrNotExist) {
			return false, fmt.Errorf("write manifest: %w", unsure) // why it did not arrive, the write knows
		}
		if err != nil {
			return false, err
		}
	}
	b.manifest = link.SHA256
	return wrote, b.follow(manifest, link)
}
