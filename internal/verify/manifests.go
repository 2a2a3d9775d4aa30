package verify

import (
	"context"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// manifests walks the manifests' own chain beside the chunks, one manifest in memory at a time.
type manifests struct {
	v    *verifier
	next chat.Seq     // lo of the manifest to read next; 0 if there is none
	link archive.Link // what that one's previous must be; its Key is empty if that is not known
	rest []archive.ChunkEntry
	key  string // of the manifest that rest is from
}

// listManifests reads the manifests' names before the chain is walked: each of them must then be part of it.
func (v *verifier) listManifests(ctx context.Context) error {
	keys := newListing(v.store.List(ctx, layout.ManifestPrefix(v.stream), ""))
	defer keys.stop()
	for {
		key, ok, err := keys.peek()
		if err != nil || !ok {
			return err
		}
		name, err := layout.Parse(key)
		switch {
		case err != nil:
			v.foreign(key)
		case name.Kind == layout.KindManifest:
			v.any = true
			v.listed = append(v.listed, name.Lo)
		}
		keys.pop()
	}
}

// openManifests begins the chain at genesis, or without one at the first manifest that is listed.
func (v *verifier) openManifests() *manifests {
	m := &manifests{v: v}
	switch {
	case v.genesisLink.Key != "":
		m.next, m.link = v.genesis.FirstLo, v.genesisLink
	case len(v.listed) > 0:
		m.next = v.listed[0]
	}
	return m
}

// entry returns what a manifest says of the chunk that begins at lo, nil if no manifest lists it.
func (m *manifests) entry(ctx context.Context, lo chat.Seq) (*archive.ChunkEntry, error) {
	for {
		for len(m.rest) == 0 {
			if m.next == 0 || m.next > lo {
				return nil, nil
			}
			if err := m.load(ctx); err != nil {
				return nil, err
			}
		}
		e := &m.rest[0]
		if e.Lo > lo {
			m.v.add(KindManifest, m.key, "lists the chunk at %d, but not the one at %d before it", e.Lo, lo)
			return nil, nil
		}
		m.rest = m.rest[1:]
		if e.Lo == lo {
			return e, nil
		}
		m.v.add(KindManifest, m.key, "lists a chunk at %d, which is not in the chain", e.Lo)
	}
}

// finish reads what manifests are left when the chain of chunks has ended. All that they list is missing: entry has
// told so for those that follow the chain.
func (m *manifests) finish(ctx context.Context) error {
	for {
		for i := range m.rest {
			m.v.add(KindMissingChunk, m.rest[i].Key, "is listed by a manifest, but not in the chain")
		}
		m.rest = nil
		if m.next == 0 {
			return nil
		}
		if err := m.load(ctx); err != nil {
			return err
		}
	}
}

// load reads the next manifest. Afterwards rest is empty if it was not there or not usable, and next is 0 at the end.
func (m *manifests) load(ctx context.Context) error {
	v, lo := m.v, m.next
	key := layout.Manifest(v.stream, lo)
	for len(v.listed) > 0 && v.listed[0] < lo {
		v.add(KindManifestChain, layout.Manifest(v.stream, v.listed[0]), "does not follow from the manifests before it")
		v.listed = v.listed[1:]
	}
	if len(v.listed) > 0 && v.listed[0] == lo {
		v.listed = v.listed[1:]
	}
	if lo > chat.MaxSeq {
		m.next = 0
		return nil
	}
	body, found, err := v.read(ctx, key)
	if err != nil {
		return err
	}
	if !found {
		m.skip(key)
		return nil
	}
	hint := v.manifestAfter()
	v.pinned = v.pinned || hint != nil && hint.Lo == lo
	if body == nil {
		m.jump()
		return nil
	}
	manifest, err := archive.ParseManifest(body)
	switch {
	case err != nil:
		v.add(kindOf(err, KindManifest), key, "%v", err)
	case manifest.Stream() != v.stream || manifest.Lo != lo:
		v.add(KindManifest, key, "is the manifest of %s from %d", manifest.Stream(), manifest.Lo)
	default:
		m.accept(key, sum(body), &manifest)
		for _, r := range v.trails {
			if err := r.checkPin(ctx, key, *manifest.Trails.Of(r.form)); err != nil {
				return err
			}
		}
		return nil
	}
	m.jump()
	return nil
}

func (m *manifests) accept(key, hash string, manifest *archive.Manifest) {
	v := m.v
	switch {
	case m.link.Key != "" && manifest.Previous.Key != m.link.Key:
		v.add(KindManifestChain, key, "previous is %s, but should be %s", manifest.Previous.Key, m.link.Key)
	case m.link.Key != "" && manifest.Previous.SHA256 != m.link.SHA256:
		v.add(KindManifestChain, key, "previous names another sha256 of %s than it has, %s", m.link.Key, m.link.SHA256)
	}
	if v.genesisLink.Key != "" && manifest.SDKAppID != v.genesis.SDKAppID {
		v.add(KindManifest, key, "belongs to the app %d, but genesis to %d", manifest.SDKAppID, v.genesis.SDKAppID)
	}
	if v.genesisLink.Key != "" && manifest.ExpiredBelow != v.genesis.ExpiredBelow {
		v.add(KindManifest, key, "says that what is below %d has expired (%s), but genesis says %d (%s)", manifest.ExpiredBelow.Seq,
			manifest.ExpiredBelow.Evidence, v.genesis.ExpiredBelow.Seq, v.genesis.ExpiredBelow.Evidence)
	}
	if hint := v.manifestAfter(); hint != nil && hint.Lo == manifest.Lo && hint.SHA256 != hash {
		v.add(KindState, layout.State(v.stream), "names another sha256 of %s than it has, %s", key, hash)
	}
	v.doubts.date(key, manifest)
	m.rest = manifest.Chunks
	m.key = key
	m.link = archive.Link{Key: key, SHA256: hash}
	m.next = manifest.Hi + 1
	v.report.Manifests++
	v.report.Newest = m.link
	v.report.Chain = append(v.report.Chain, m.link)
	v.report.ListedTo = manifest.Hi
	v.report.Finished = manifest.Status
}

// skip passes a manifest that does not exist. That is the end of the chain unless a later one is listed.
func (m *manifests) skip(key string) {
	if len(m.v.listed) > 0 {
		m.v.add(KindManifestChain, key, "does not exist, but %s does", layout.Manifest(m.v.stream, m.v.listed[0]))
	}
	m.jump()
}

// jump goes on at the next manifest that is listed. What it must link to is not known.
func (m *manifests) jump() {
	m.next, m.link = 0, archive.Link{}
	if len(m.v.listed) > 0 {
		m.next = m.v.listed[0]
	}
}

// manifestAfter returns what the state says of the last manifest, nil if it says nothing.
func (v *verifier) manifestAfter() *archive.Pin {
	if v.state == nil {
		return nil
	}
	return v.state.ManifestAfter
}

// checkManifestAfter looks for the manifest that the state names where the chain has not met it. The hint may be older than
// the chain, but never newer: a manifest is written before the state that names it, and the state was read first.
func (v *verifier) checkManifestAfter(ctx context.Context) error {
	hint := v.manifestAfter()
	if hint == nil || v.pinned {
		return nil
	}
	key := layout.Manifest(v.stream, hint.Lo)
	body, found, err := v.read(ctx, key)
	switch {
	case err != nil:
		return err
	case !found:
		v.addOnce(KindManifestChain, key, "does not exist, but the state names it as the last manifest")
	case body == nil: // corrupt, which read has told
	case sum(body) != hint.SHA256:
		v.add(KindState, layout.State(v.stream), "names another sha256 of %s than it has, %s", key, sum(body))
	default:
		v.addOnce(KindManifestChain, key, "is named by the state as the last manifest, but is not in the chain")
	}
	return nil
}
