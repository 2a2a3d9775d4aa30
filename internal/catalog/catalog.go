// Package catalog finds what an archive holds from its small objects, so that a reader need not open every chunk.
//
// It owns the way from a stream to its chunks: genesis, the manifests, then the few chunks that no manifest lists yet; and from
// a chunk to the receipts of its links and of looks at it. Of objects' metadata it needs only those of unlisted chunks; where a
// copy has none, it takes what their content tells. It believes what it reads, as any reader of an archive may: proving it is
// package verify's. It must never write, read a chunk that was not asked for, or know a network.
package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Store is what the catalog reads from. It repeats transient failures itself. Keys are those of package layout.
type Store interface {
	// Get reads a whole object; objstore.ErrNotExist is certain.
	Get(ctx context.Context, key string) ([]byte, objstore.Object, error)
	// Head describes an object.
	Head(ctx context.Context, key string) (objstore.Object, error)
	// List yields the objects whose keys begin with prefix and sort behind after, in ascending order of their bytes.
	List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Entry, error]
}

// ErrNoArchive means that a stream has no genesis: nothing is archived of it.
var ErrNoArchive = errors.New("nothing is archived of this stream")

// Damaged reports whether err means that an object of an archive is not what it should be, whoever read it: something
// is wrong with the archive, not with the store.
func Damaged(err error) bool {
	return errors.Is(err, archive.ErrInvalid) || errors.Is(err, archive.ErrFormat) || errors.Is(err, objstore.ErrCorrupt)
}

// Streams returns the streams that have a state, a genesis or a manifest, sorted by their keys. Chunks are not listed:
// there may be very many of them.
func Streams(ctx context.Context, store Store) ([]chat.Stream, error) {
	seen := map[chat.Stream]bool{}
	for _, prefix := range []string{layout.ManifestPrefixRoot, layout.StatePrefix} {
		for entry, err := range store.List(ctx, prefix, "") {
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", prefix, err)
			}
			name, err := layout.Parse(entry.Key)
			if err != nil || name.Kind == layout.KindSweep {
				continue // what does not belong there is the verifier's affair
			}
			seen[name.Stream] = true
		}
	}
	streams := make([]chat.Stream, 0, len(seen))
	for s := range seen {
		streams = append(streams, s)
	}
	slices.SortFunc(streams, func(a, b chat.Stream) int {
		return strings.Compare(layout.ChunkPrefix(a), layout.ChunkPrefix(b))
	})
	return streams, nil
}

// Chunks yields the chunks of a stream in order, as the manifests list them and then as their own metadata say. It
// costs a GET for each manifest, a HEAD for each chunk that no manifest lists, and one of each that finds nothing. An
// error ends it; it wraps ErrNoArchive, archive.ErrInvalid, archive.ErrFormat, or is the store's.
func Chunks(ctx context.Context, store Store, s chat.Stream) iter.Seq2[archive.ChunkEntry, error] {
	return chunksUntil(ctx, store, s, time.Time{})
}

// chunksUntil is Chunks for what was listed by some time, all for zero.
func chunksUntil(ctx context.Context, store Store, s chat.Stream, known time.Time) iter.Seq2[archive.ChunkEntry, error] {
	return func(yield func(archive.ChunkEntry, error) bool) {
		genesis, err := Genesis(ctx, store, s)
		if err != nil {
			yield(archive.ChunkEntry{}, err)
			return
		}
		next := genesis.FirstLo
		for m, err := range Manifests(ctx, store, s, next) {
			if err != nil {
				yield(archive.ChunkEntry{}, err)
				return
			}
			if !known.IsZero() && m.FinishedAt.After(known) {
				return
			}
			for _, c := range m.Chunks {
				if !yield(c, nil) {
					return
				}
			}
			next = m.Hi + 1
		}
		if !known.IsZero() {
			return
		}
		for c, err := range Unlisted(ctx, store, s, next) {
			if !yield(c, err) {
				return
			}
		}
	}
}

// Manifests yields the manifests of a stream in order, beginning with the one at lo. An error ends it.
func Manifests(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) iter.Seq2[archive.Manifest, error] {
	return func(yield func(archive.Manifest, error) bool) {
		for lo <= chat.MaxSeq {
			m, err := Manifest(ctx, store, s, lo)
			if errors.Is(err, objstore.ErrNotExist) || !yield(m, err) || err != nil {
				return
			}
			lo = m.Hi + 1
		}
	}
}

// Unlisted yields the chunks from lo on as their own metadata describe them, or, where they have none, their content: those
// have no Writer. An error ends it.
func Unlisted(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) iter.Seq2[archive.ChunkEntry, error] {
	return func(yield func(archive.ChunkEntry, error) bool) {
		for lo <= chat.MaxSeq {
			c, err := describe(ctx, store, s, lo)
			if errors.Is(err, objstore.ErrNotExist) || !yield(c, err) || err != nil {
				return
			}
			lo = c.Hi + 1
		}
	}
}

// describe reads the description of the chunk at lo.
func describe(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) (archive.ChunkEntry, error) {
	key := layout.Chunk(s, lo)
	object, err := store.Head(ctx, key)
	if err != nil {
		return archive.ChunkEntry{}, err
	}
	meta, err := archive.ParseChunkMeta(object.Metadata)
	if errors.Is(err, archive.ErrNoMetadata) {
		meta, err = read(ctx, store, s, lo)
	}
	if err == nil && meta.Lo != lo {
		err = fmt.Errorf("%w: says that it begins at %d", archive.ErrInvalid, meta.Lo)
	}
	if err != nil {
		return archive.ChunkEntry{}, fmt.Errorf("%s: %w", key, err)
	}
	return archive.ChunkEntryOf(meta, key, object.Size, object.CRC64), nil
}

// read describes the chunk at lo by its content, which does not tell where it ends if the last seqs have no line: the next
// chunk does, or the state, else it ends at its last line.
func read(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) (archive.ChunkMeta, error) {
	key := layout.Chunk(s, lo)
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return archive.ChunkMeta{}, err
	}
	content, err := archive.ReadChunk(bytes.NewReader(body), s, lo, chat.MaxSeq, nil)
	if err != nil {
		return archive.ChunkMeta{}, err
	}
	hi := max(lo, content.Last)
	if state, err := State(ctx, store, s); err == nil && state != nil && state.After == lo {
		hi = max(hi, state.Frontier-1)
	}
	for entry, err := range store.List(ctx, layout.ChunkPrefix(s), key) {
		if err != nil {
			return archive.ChunkMeta{}, fmt.Errorf("list: %w", err)
		}
		if name, err := layout.Parse(entry.Key); err == nil {
			hi = max(content.Last, name.Lo-1)
			break
		}
	}
	return content.Describe(lo, hi), nil
}

// Genesis reads where a stream's archive begins. It returns ErrNoArchive where there is none.
func Genesis(ctx context.Context, store Store, s chat.Stream) (archive.Genesis, error) {
	g, _, err := GenesisSum(ctx, store, s)
	return g, err
}

// GenesisSum is Genesis with the SHA-256 of the object, in lower-case hex, by which the first manifest names it.
func GenesisSum(ctx context.Context, store Store, s chat.Stream) (archive.Genesis, string, error) {
	key := layout.Genesis(s)
	body, _, err := store.Get(ctx, key)
	if errors.Is(err, objstore.ErrNotExist) {
		return archive.Genesis{}, "", fmt.Errorf("%s: %w", s, ErrNoArchive)
	}
	if err != nil {
		return archive.Genesis{}, "", err
	}
	g, err := archive.ParseGenesis(body)
	if err == nil && g.Stream() != s {
		err = fmt.Errorf("%w: is the genesis of %s", archive.ErrInvalid, g.Stream())
	}
	if err != nil {
		return g, "", fmt.Errorf("%s: %w", key, err)
	}
	return g, archive.SHA256(body), nil
}

// Manifest reads the manifest that begins at lo. It matches objstore.ErrNotExist where there is none.
func Manifest(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) (archive.Manifest, error) {
	m, _, err := ManifestSum(ctx, store, s, lo)
	return m, err
}

// ManifestSum is Manifest with the SHA-256 of the object, in lower-case hex, by which the next manifest names it.
func ManifestSum(ctx context.Context, store Store, s chat.Stream, lo chat.Seq) (archive.Manifest, string, error) {
	key := layout.Manifest(s, lo)
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return archive.Manifest{}, "", err
	}
	m, err := archive.ParseManifest(body)
	if err == nil && (m.Stream() != s || m.Lo != lo) {
		err = fmt.Errorf("%w: is the manifest of %s from %d", archive.ErrInvalid, m.Stream(), m.Lo)
	}
	if err != nil {
		return m, "", fmt.Errorf("%s: %w", key, err)
	}
	return m, archive.SHA256(body), nil
}

// State reads a stream's hints, nil where it has none.
func State(ctx context.Context, store Store, s chat.Stream) (*archive.State, error) {
	key := layout.State(s)
	body, _, err := store.Get(ctx, key)
	if errors.Is(err, objstore.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, err := archive.ParseState(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &state, nil
}

// Lines reads one chunk and gives visit each of its elements, in order; the JSON is the whole line, valid during the
// call only. The bytes must be those that the entry names: otherwise the error wraps archive.ErrInvalid, and nothing
// was visited. An error of visit is returned as it is. Memory is bounded by the chunk's object.
func Lines(ctx context.Context, store Store, s chat.Stream, entry archive.ChunkEntry, visit func(chat.Element) error) error {
	if entry.Lines() == 0 {
		return nil
	}
	body, _, err := store.Get(ctx, entry.Key)
	if err != nil {
		return err
	}
	if archive.SHA256(body) != entry.SHA256 {
		return fmt.Errorf("%s: %w: its sha256 is not the one that was recorded; run verify", entry.Key, archive.ErrInvalid)
	}
	if _, err := archive.ReadChunk(bytes.NewReader(body), s, entry.Lo, entry.Hi, visit); err != nil {
		return fmt.Errorf("%s: %w", entry.Key, err)
	}
	return nil
}
