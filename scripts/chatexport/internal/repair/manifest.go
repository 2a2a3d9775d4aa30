package repair

import (
	"context"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/version"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/putback"
)

// manifest mends the manifest that begins at lo. When a run wrote it cannot be made again, so its bytes cannot, either: one
// that a later manifest pins can only come from a copy.
func (p *patient) manifest(ctx context.Context, key string, lo chat.Seq) error {
	there, _, err := p.there(ctx, key)
	if err != nil {
		return err
	}
	fault := p.faults[key]
	switch {
	case p.pinned != nil && p.pinned.Lo < lo:
		p.add(key, NotMended, "%s; what is before it must be mended first", fault)
	case p.pinned != nil && p.pinned.Lo == lo:
		p.add(key, NotMended, "%s; it, or what is before it, is not what was written. The sha256 that logs and certificates kept tells which (verify --expect); only a copy has the right one: chatexport restore", fault)
	case p.pinned != nil:
		state, first := NotMended, ""
		if there {
			state, first = RemoveFirst, "whoever may removes it, and "
		}
		p.add(key, state, "%s; %s pins it by its sha256, so only a copy has it: %schatexport restore puts it back. Or else whoever may removes that one, too, and all behind it, and repair makes them from the chunks, with other hashes than logs and certificates kept",
			fault, layout.Manifest(p.stream, p.pinned.Lo), first)
	case there:
		p.add(key, RemoveFirst, "%s; whoever may removes it, and repair makes it from its chunks", fault)
	default:
		return p.list(ctx, key)
	}
	return nil
}

// list makes the manifests behind the last one that is left, of all chunks that are there. Each chunk is read whole first: what a
// manifest lists is pinned from then on.
func (p *patient) list(ctx context.Context, key string) error {
	var entries []archive.ChunkEntry
	for c, err := range catalog.Unlisted(ctx, p.store, p.stream, p.next) {
		if err == nil {
			err = catalog.Lines(ctx, p.store, p.stream, c, func(chat.Element) error { return ctx.Err() })
		}
		if catalog.Damaged(err) {
			p.add(key, NotMended, "%s; its chunks must be mended first: %v", p.faults[key], err)
			return nil
		}
		if err != nil {
			return err
		}
		entries = append(entries, c)
	}
	if len(entries) == 0 {
		p.add(key, NotMended, "%s, and the chunks that it listed are not there, either; only a copy has them: chatexport restore", p.faults[key])
		return nil
	}
	// The function refuses an archive whose newest manifest is not the one that the state remembers. A crash right after this:
	// it finds the manifests from genesis on, as it does without a state.
	if s := p.state; s != nil {
		if err := p.rewrite(ctx, archive.State{Frontier: s.Frontier, After: s.After, Status: s.Status}); err != nil {
			return err
		}
	}
	for len(entries) > 0 {
		n := min(len(entries), archive.MaxManifestChunks)
		if err := p.write(ctx, entries[:n], len(entries) == n); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// write writes one manifest. A crash right after it: the next one starts behind it.
func (p *patient) write(ctx context.Context, entries []archive.ChunkEntry, last bool) error {
	end := &entries[len(entries)-1]
	started, ok := archive.RunStart(end.Run)
	if !ok {
		started = time.Now()
	}
	m := archive.Manifest{
		Format: archive.Format, SDKAppID: p.genesis.SDKAppID, GroupID: p.stream.GroupID, TopicID: p.stream.TopicID, Head: end.Hi,
		Status: p.status(end.Hi, last), Run: end.Run, Build: version.String(), StartedAt: started, FinishedAt: time.Now(),
		ExpiredBelow: p.genesis.ExpiredBelow, Previous: p.last,
	}
	m.SetChunks(entries)
	body, err := m.Encode()
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	key := layout.Manifest(p.stream, m.Lo)
	p.last = archive.Link{Key: key, SHA256: archive.SHA256(body)}
	return p.put(ctx, putback.JSON(key, body), body, fmt.Sprintf("made from %s, %d to %d; its sha256 is %s%s", cli.Plural(len(entries), "chunk"), m.Lo, m.Hi, p.last.SHA256, p.was(m.Lo)))
}

// status is complete only where the state remembers that the run had ended there: a run that is under way ends by a manifest of its own.
func (p *patient) status(hi chat.Seq, last bool) string {
	s := p.state
	if last && s != nil && s.Frontier == hi+1 && (s.Status == archive.StatusComplete || s.Status == archive.StatusGone) {
		return s.Status
	}
	return archive.StatusPartial
}

// was tells the hash of the manifest that was lost, for whoever has kept it.
func (p *patient) was(lo chat.Seq) string {
	if s := p.state; s != nil && s.ManifestAfter != nil && s.ManifestAfter.Lo == lo {
		return ", that of the lost one was " + s.ManifestAfter.SHA256 + ": keep both"
	}
	return ""
}
