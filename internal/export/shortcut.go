package export

import (
	"context"
	"errors"

	"chatexport/internal/archive"
	"chatexport/internal/objstore"
)

// fromManifest finds the frontier by the last manifest alone, for callers that know the group. Most runs of a sweep begin
// behind a complete one, and then that manifest proves more than the last chunk and genesis would: it lists every chunk
// up to the frontier, its hash is the state's, and it names the app and the stream. What genesis alone has, the group's
// time of creation, the caller knows from the batch that read it last. That no chunk stands at the frontier yet, the PUT
// finds out. It reports false, without an error, wherever anything does not fit: the long way decides then.
func (b *batch) fromManifest(ctx context.Context) (bool, error) {
	s := &b.state
	if b.Known == nil || b.Known.ArchivedCreateTime == 0 || b.Known.ArchivedCreateTime != b.Known.CreateTime || b.Continuation != nil ||
		s.Status != archive.StatusComplete || s.ManifestAfter == nil || s.After == 0 {
		return false, nil
	}
	manifest, link, err := b.getManifest(ctx, s.ManifestAfter.Lo)
	switch {
	case isVerdict(err), errors.Is(err, objstore.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case link.SHA256 != s.ManifestAfter.SHA256, manifest.Hi+1 != s.Frontier, manifest.Chunks[len(manifest.Chunks)-1].Lo != s.After:
		return false, nil
	}
	b.genesis = &archive.Genesis{
		Format: archive.Format, SDKAppID: manifest.SDKAppID, GroupID: manifest.GroupID, TopicID: manifest.TopicID,
		CreateTime: b.Known.ArchivedCreateTime, ExpiredBelow: manifest.ExpiredBelow, FirstLo: manifest.ExpiredBelow.Seq,
	}
	b.frontier, b.after, b.start = s.Frontier, s.After, s.Frontier
	b.index.restart(s.Frontier, link)
	b.unhopped = true
	return true, nil
}
