package verify

import (
	"bytes"
	"context"
	"errors"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// A copy of the bytes alone has no metadata. Its manifests repeat them; only for the chunks that no manifest lists yet the
// content must do, which does not tell everything.

// bare reports whether a chunk has no metadata.
func (c *chunkObject) bare() bool {
	_, err := archive.ParseChunkMeta(c.obj.Metadata)
	return errors.Is(err, archive.ErrNoMetadata)
}

// fetchBare reads a chunk that nothing describes, whatever the level: only its content tells what it is. It returns where
// the chunk ends, as the one behind it or the state tell; 0 if neither does.
func (v *verifier) fetchBare(ctx context.Context, c chunkObject, keys *listing, lo chat.Seq) (chunkObject, chat.Seq, error) {
	var err error
	if !c.read {
		if c, _, err = v.fetch(ctx, c.key, LevelFull); err != nil {
			return c, 0, err
		}
	}
	next, err := v.resume(keys, lo)
	switch {
	case err != nil:
		return c, 0, err
	case next != 0:
		return c, next - 1, nil
	case v.state != nil && v.state.After == lo:
		return c, v.state.Frontier - 1, nil
	default:
		return c, 0, nil
	}
}

// describe proves a chunk that nothing describes by its content, and reports false if that is no chunk's.
func (v *verifier) describe(c chunkObject, lo, end chat.Seq) (archive.ChunkMeta, bool) {
	if !c.read {
		return archive.ChunkMeta{}, false // which fetch has told
	}
	hi := end
	if end == 0 {
		hi = chat.MaxSeq
	}
	content, err := archive.ReadChunk(bytes.NewReader(c.body), v.stream, lo, hi, nil)
	if err != nil {
		l := lines{meta: archive.ChunkMeta{Lo: lo, Hi: hi}}
		v.add(l.kind(c.body, err), c.key, "%v", err)
		return archive.ChunkMeta{}, false
	}
	if end == 0 {
		hi = max(lo, content.Last)
	}
	if lines := content.Counts.Lines(); lines > 0 && content.OtherIDs == lines { // some may have come so, and be counted by its metadata
		v.add(KindLine, c.key, "all lines carry other ids than the stream's")
	}
	last := max(lo-1, content.Last)
	v.warn(KindUnlisted, c.key, "is in no manifest and has no metadata: its content proves %d lines up to %d, and nothing tells what the other seqs up to %d were",
		content.Counts.Lines(), last, hi)
	return content.Describe(lo, hi), true
}
