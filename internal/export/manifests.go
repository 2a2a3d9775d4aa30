package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
	"chatexport/internal/trail"
)

// manifests is the chain of manifests as far as this batch had to find it out, and the chunks behind it that this batch has
// seen. Its methods are the only ones that assign to it.
type manifests struct {
	*session
	chunks *chunkChain

	genesis archive.Genesis // the archive's beginning, once there is one
	first   archive.Link    // of genesis

	known bool         // next and link are right
	moved bool         // this batch has found them to be further than its hint said
	next  chat.Seq     // lo of the next manifest
	link  archive.Link // of the manifest before it, or genesis
	hint  *archive.Pin

	seen   []archive.ChunkEntry // behind the manifests, in the order of the chain
	before int64                // unlisted chunks that are not in seen, as far as hints tell

	trails   []*trail.Trail // told of each manifest
	receipts archive.Trails // the last ones that the manifest before next names

	wrote  bool   // this batch has written a manifest: that is progress
	newest string // SHA-256 of the newest manifest that this batch wrote or found in its place
}

// listing says what is to be listed.
type listing struct {
	to     chat.Seq // the frontier
	head   chat.Seq // of the run
	status string   // of the last manifest
	all    bool     // also the chunks that do not fill a manifest
}

func (m *manifests) begin(genesis archive.Genesis, link archive.Link) {
	m.genesis, m.first = genesis, link
	for _, t := range m.trails {
		t.Begin(max(genesis.FirstLo, 1), link.SHA256)
	}
}

func (m *manifests) fromGenesis() { m.restart(m.genesis.FirstLo, m.first) }

// restart begins at a place of the chain that is known to be right.
func (m *manifests) restart(next chat.Seq, link archive.Link) {
	m.known, m.next, m.link = true, next, link
}

// add notes a chunk. Chunks come in the order of the chain.
func (m *manifests) add(entry archive.ChunkEntry) { m.seen = append(m.seen, entry) }

// unlisted returns how many chunks no manifest lists, as far as hints and this batch know.
func (m *manifests) unlisted() int64 { return m.before + int64(len(m.seen)) }

// find returns the chunk that begins at lo if this batch has seen it.
func (m *manifests) find(lo chat.Seq) (archive.ChunkEntry, bool) {
	for i := range m.seen {
		if m.seen[i].Lo == lo {
			return m.seen[i], true
		}
	}
	return archive.ChunkEntry{}, false
}

// get reads the manifest that begins at lo. ErrNotExist is certain.
func (m *manifests) get(ctx context.Context, lo chat.Seq) (archive.Manifest, archive.Link, error) {
	key := layout.Manifest(m.Stream, lo)
	body, _, err := m.store.Get(ctx, key)
	if err != nil {
		return archive.Manifest{}, archive.Link{}, unreadable("manifest", key, err)
	}
	manifest, err := archive.ParseManifest(body)
	switch {
	case errors.Is(err, archive.ErrFormat):
		return manifest, archive.Link{}, fmt.Errorf("read %s, which a newer version wrote; deploy that version: %w", key, err)
	case err != nil:
		return manifest, archive.Link{}, damaged("manifest_invalid", "%s: %v", key, err)
	case manifest.Lo != lo || manifest.SDKAppID != m.Limits.SDKAppID || manifest.GroupID != m.Stream.GroupID || manifest.TopicID != m.Stream.TopicID:
		return manifest, archive.Link{}, damaged("manifest_invalid", "%s describes something else", key)
	}
	return manifest, archive.Link{Key: key, SHA256: archive.SHA256(body)}, nil
}

// follow goes on behind a stored manifest, which must continue the chain.
func (m *manifests) follow(manifest archive.Manifest, link archive.Link) error {
	if manifest.Lo != m.next || manifest.Previous != m.link {
		return damaged("manifest_chain", "%s does not continue the chain of manifests after %s", link.Key, m.link.Key)
	}
	m.restart(manifest.Hi+1, link)
	m.tell(manifest)
	m.moved = true
	m.hint = &archive.Pin{Lo: manifest.Lo, SHA256: link.SHA256}
	m.before = 0 // as far as is known: those that this batch has seen count by themselves
	listed := 0
	for listed < len(m.seen) && m.seen[listed].Lo <= manifest.Hi {
		listed++
	}
	m.seen = append([]archive.ChunkEntry(nil), m.seen[listed:]...)
	return nil
}

// tell tells the trails of a manifest.
func (m *manifests) tell(manifest archive.Manifest) {
	m.receipts = manifest.Trails
	for _, t := range m.trails {
		t.Listed(manifest)
	}
}

// named returns what the next manifest says of the trails.
func (m *manifests) named() archive.Trails {
	named := m.receipts
	for _, t := range m.trails {
		if hint := t.Hint(); hint != nil && hint.After != nil {
			*named.Of(t.Form()) = hint.After
		}
	}
	return named
}

// locate finds how far the manifests reach, from the state's hint where that holds, else from genesis. A hint may be
// behind: it is followed further where chunks would have to be looked up, one by one, only to find the name taken.
func (m *manifests) locate(ctx context.Context, to chat.Seq) error {
	if m.known {
		return nil
	}
	if m.hint == nil {
		m.fromGenesis()
	} else {
		manifest, link, err := m.get(ctx, m.hint.Lo)
		switch {
		case errors.Is(err, objstore.ErrNotExist):
			return damaged("manifest_missing", "state says that %s exists, and it does not", layout.Manifest(m.Stream, m.hint.Lo))
		case err != nil:
			return err
		case link.SHA256 != m.hint.SHA256:
			return damaged("manifest_chain", "%s is not the manifest that was written", link.Key)
		}
		m.restart(manifest.Hi+1, link)
		m.tell(manifest)
		if _, seen := m.find(m.next); seen {
			return nil
		}
	}
	for m.next < to {
		if m.moved && m.timeIsUp() {
			return errListingTimeUp
		}
		manifest, link, err := m.get(ctx, m.next)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = m.follow(manifest, link)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errListingTimeUp means that time ran out before every chunk was listed. What was written counts; what was only read, the
// state tells the next batch.
var errListingTimeUp = fmt.Errorf("%w: no time left to list every chunk in a manifest", retry.ErrNoTime)

// timeIsUp keeps half of the reserve for the writes that follow the listing.
func (m *manifests) timeIsUp() bool {
	half := m.budget.deadline.Sub(m.budget.pullEnd) / 2
	return time.Now().After(m.budget.pullEnd.Add(half))
}

// list writes manifests behind the last one.
func (m *manifests) list(ctx context.Context, l listing) error {
	if err := m.locate(ctx, l.to); err != nil {
		return err
	}
	for m.next < l.to {
		entries, err := m.gather(ctx, l.to)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return errListingTimeUp
		}
		last := entries[len(entries)-1].Hi+1 >= l.to
		full := len(entries) == archive.MaxManifestChunks
		cut := !last && !full // time ran short: what is gathered is kept, the next batch goes on behind it
		if !full && !l.all && !cut {
			m.seen, m.before = entries, 0
			return nil
		}
		status := archive.StatusPartial
		if last && l.all {
			status = l.status
		}
		wrote, err := m.write(ctx, entries, status, l.head)
		if err != nil {
			return err
		}
		// A manifest that was there already is no progress, or two runs could hand on for ever.
		m.wrote = m.wrote || wrote
		if cut && m.wrote || !wrote && m.next < l.to && m.timeIsUp() {
			return errListingTimeUp
		}
	}
	m.before = 0
	return nil
}

// gather returns the chunks behind the last manifest, at most as many as a manifest holds, and fewer, or none, when time
// runs out. Those that other batches wrote are looked up one by one: only a chunk knows where the next one begins.
func (m *manifests) gather(ctx context.Context, to chat.Seq) ([]archive.ChunkEntry, error) {
	var entries []archive.ChunkEntry
	lo := m.next
	for lo < to && len(entries) < archive.MaxManifestChunks {
		entry, ok := m.find(lo)
		if !ok {
			if (len(entries) > 0 || m.moved) && m.timeIsUp() {
				return entries, nil
			}
			var err error
			entry, err = m.chunks.Look(ctx, lo)
			if errors.Is(err, objstore.ErrNotExist) {
				return nil, damaged("chunk_missing", "chunks behind %s exist, and it does not", layout.Chunk(m.Stream, lo))
			}
			if err != nil {
				return nil, fmt.Errorf("list chunks: %w", err)
			}
		}
		if n := len(entries); n > 0 && entry.Run != entries[n-1].Run {
			if err := m.endsBefore(ctx, lo); err != nil {
				return nil, err
			}
		}
		entries = append(entries, entry)
		lo = entry.Hi + 1
	}
	if len(entries) == archive.MaxManifestChunks && entries[0].Run != m.runID {
		return entries, m.endsBefore(ctx, lo)
	}
	return entries, nil
}

// endsBefore makes sure that the chain of manifests does not go on at lo behind one that is missing: without a state the
// chain seems to end there, and what would be written in its place could cover what later ones cover. Manifests begin where
// runs do, or when one is full; in a run that goes on, there is nothing to look for.
func (m *manifests) endsBefore(ctx context.Context, lo chat.Seq) error {
	_, later, err := m.get(ctx, lo)
	if err == nil {
		_, _, err = m.get(ctx, m.next) // another batch may have written both since this one looked
		if errors.Is(err, objstore.ErrNotExist) {
			return damaged("manifest_missing", "%s exists, and %s before it does not", later.Key, layout.Manifest(m.Stream, m.next))
		}
	}
	if errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	return err
}

// write writes the next manifest of the chain, or follows the one that is there already. It reports whether it wrote one.
func (m *manifests) write(ctx context.Context, entries []archive.ChunkEntry, status string, head chat.Seq) (bool, error) {
	started, ok := archive.RunStart(m.runID)
	if !ok {
		started = m.budget.start
	}
	manifest := archive.Manifest{
		Format: archive.Format, SDKAppID: m.Limits.SDKAppID, GroupID: m.Stream.GroupID, TopicID: m.Stream.TopicID,
		Head: head, Status: status, Run: m.runID, Build: m.Build, StartedAt: started, FinishedAt: time.Now(),
		ExpiredBelow: m.genesis.ExpiredBelow, Trails: m.named(), Previous: m.link,
	}
	manifest.SetChunks(entries)
	body, err := manifest.Encode()
	if err != nil {
		return false, fmt.Errorf("encode manifest: %w", err)
	}
	key := layout.Manifest(m.Stream, manifest.Lo)
	link := archive.Link{Key: key, SHA256: archive.SHA256(body)}
	// A crash right after this write: the next batch finds the name taken, and goes on behind it.
	wrote, err := chain.Create(ctx, m.store, key, objstore.Write{Body: body, ContentType: contentJSON}, func(ctx context.Context) error {
		var err error
		manifest, link, err = m.get(ctx, manifest.Lo)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("write manifest: %w", err)
	}
	m.newest = link.SHA256
	return wrote, m.follow(manifest, link)
}
