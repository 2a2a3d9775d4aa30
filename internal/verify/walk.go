package verify

import (
	"context"
	"errors"
	"strings"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// walk follows the chain from first_lo on: the next chunk's name is always hi + 1. Beside it run the listing, which
// shows what is not in the chain, and the manifests, which pin what is.
func (v *verifier) walk(ctx context.Context) error {
	keys := newListing(v.store.List(ctx, layout.ChunkPrefix(v.stream), ""))
	defer keys.stop()
	for _, r := range v.trails {
		defer r.stop()
		r.previous = v.genesisLink.SHA256
	}
	m := v.openManifests()
	next, err := v.start(keys, m)
	if err != nil {
		return err
	}
	for next != 0 && next <= chat.MaxSeq {
		if next, err = v.step(ctx, keys, m, next); err != nil {
			return err
		}
	}
	if err := v.skim(keys, ""); err != nil {
		return err
	}
	if err := m.finish(ctx); err != nil {
		return err
	}
	return v.finishTrails(ctx)
}

func (v *verifier) finishTrails(ctx context.Context) error {
	for _, r := range v.trails {
		if err := r.finish(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start returns where the chain begins, 0 if there is none. Without a genesis that is a fault, and the first chunk that
// is known is as good as any, so that what is there gets verified all the same.
func (v *verifier) start(keys *listing, m *manifests) (chat.Seq, error) {
	if v.genesisLink.Key != "" {
		return v.genesis.FirstLo, nil
	}
	var first chat.Seq
	for {
		key, ok, err := keys.peek()
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		if name, err := layout.Parse(key); err == nil {
			first = name.Lo
			break
		}
		v.foreign(key)
		keys.pop()
	}
	if m.next != 0 && (first == 0 || m.next < first) {
		first = m.next
	}
	if first != 0 {
		v.any = true
		v.addOnce(KindGenesis, layout.Genesis(v.stream), "is missing or unusable, but chunks or manifests exist")
	}
	return first, nil
}

// step verifies the chunk that begins at lo and returns where the next one begins; 0 at the end of the chain.
func (v *verifier) step(ctx context.Context, keys *listing, m *manifests, lo chat.Seq) (chat.Seq, error) {
	key := layout.Chunk(v.stream, lo)
	if err := v.skim(keys, key); err != nil {
		return 0, err
	}
	entry, err := m.entry(ctx, lo)
	if err != nil {
		return 0, err
	}
	level := v.levelOf(lo)
	c, found, err := v.fetch(ctx, key, level)
	if err == nil && !found {
		var later bool
		end, _ := v.expected()
		if _, later, err = keys.peek(); err == nil && (later || entry != nil || end > lo) {
			// Something says that there is more. The listing may be younger than the first look, and only a GET is proof.
			c, found, err = v.fetch(ctx, key, LevelFull)
		}
	}
	if err != nil {
		return 0, err
	}
	if !found {
		if err := v.follow(ctx, entry, nil, level); err != nil {
			return 0, err
		}
		return v.missing(keys, entry, lo)
	}
	if _, err := keys.popIf(key); err != nil {
		return 0, err
	}
	v.any = true
	var end chat.Seq
	if entry == nil && c.bare() {
		if c, end, err = v.fetchBare(ctx, c, keys, lo); err != nil {
			return 0, err
		}
	}
	told := v.told()
	hi := v.checkChunk(c, entry, lo, end)
	if v.told() > told {
		c.body = nil // nothing is compared with it
	}
	if err := v.follow(ctx, entry, c.body, level); err != nil {
		return 0, err
	}
	if hi == 0 {
		// Nothing says where this chunk ends; the listing may know where another begins.
		return v.resume(keys, lo)
	}
	if v.state != nil && v.state.After == lo {
		v.afterHi = hi
	}
	v.report.Hi = hi
	return hi + 1, nil
}

// follow verifies the receipts of a chunk, unless no manifest lists it: then it has none yet.
func (v *verifier) follow(ctx context.Context, entry *archive.ChunkEntry, body []byte, level Level) error {
	if entry == nil {
		return nil
	}
	for _, r := range v.trails {
		if err := r.follow(ctx, entry, body, level == LevelFull || v.opts.Files); err != nil {
			return err
		}
	}
	return nil
}

// levelOf says how much is read of a chunk.
func (v *verifier) levelOf(lo chat.Seq) Level {
	switch {
	case v.opts.Level != LevelSample:
		return v.opts.Level
	case v.opts.Pick != nil && v.opts.Pick(v.stream, lo):
		return LevelFull
	default:
		return LevelChain
	}
}

// chunkObject is what the store holds of a chunk.
type chunkObject struct {
	key  string
	obj  objstore.Object
	body []byte
	read bool // body is the object's
}

func (v *verifier) fetch(ctx context.Context, key string, level Level) (chunkObject, bool, error) {
	c := chunkObject{key: key}
	var err error
	if level == LevelChain {
		c.obj, err = v.store.Head(ctx, key)
	} else {
		c.body, c.obj, err = v.store.Get(ctx, key)
		c.read = err == nil
	}
	if errors.Is(err, objstore.ErrCorrupt) {
		v.add(KindCRC, key, "%v", err)
		c.obj, err = v.store.Head(ctx, key) // its metadata still say where the next chunk begins
	}
	if errors.Is(err, objstore.ErrNotExist) {
		return c, false, nil
	}
	return c, err == nil, err
}

// missing decides whether the chain ends before lo, or has a hole there and goes on behind it.
func (v *verifier) missing(keys *listing, entry *archive.ChunkEntry, lo chat.Seq) (chat.Seq, error) {
	key := layout.Chunk(v.stream, lo)
	listed, err := keys.popIf(key)
	if err != nil {
		return 0, err
	}
	if entry != nil {
		v.add(KindMissingChunk, key, "does not exist, but a manifest lists it for [%d, %d]", lo, entry.Hi)
		return entry.Hi + 1, nil
	}
	next, err := v.resume(keys, lo)
	switch {
	case listed:
		v.add(KindMissingChunk, key, "is listed, but does not exist")
	case next != 0:
		v.add(KindGap, key, "no chunk covers [%d, %d], but one begins at %d", lo, next-1, next)
	}
	return next, err
}

// resume returns the first listed chunk's lo that is above lo, 0 if there is none.
func (v *verifier) resume(keys *listing, lo chat.Seq) (chat.Seq, error) {
	for {
		key, ok, err := keys.peek()
		if err != nil || !ok {
			return 0, err
		}
		if name, err := layout.Parse(key); err == nil && name.Lo > lo {
			return name.Lo, nil
		}
		v.foreign(key)
		keys.pop()
	}
}

// skim takes the listed keys before key, all of them if key is empty. None of them is in the chain.
func (v *verifier) skim(keys *listing, key string) error {
	for {
		listed, ok, err := keys.peek()
		if err != nil || !ok || key != "" && listed >= key {
			return err
		}
		name, err := layout.Parse(listed)
		switch {
		case err != nil:
			v.foreign(listed)
		case name.Lo < v.report.Lo:
			v.add(KindForeign, listed, "begins before the first seq of the archive, %d", v.report.Lo)
		case name.Lo <= v.report.Hi:
			v.add(KindOverlap, listed, "begins within the range of the chunk that ends at %d or before", v.report.Hi)
		default:
			v.add(KindForeign, listed, "is not in the chain")
		}
		v.any = v.any || err == nil
		keys.pop()
	}
}

func (v *verifier) foreign(key string) {
	if litter(key) {
		v.warn(KindLitter, key, litterText)
		return
	}
	v.any = true
	v.add(KindForeign, key, "is not an object of the archive")
}

const litterText = "is not an object of the archive, and no reader takes it for one"

// litter reports whether a key is of a file that a system leaves wherever somebody looked. What ends like a chunk is
// none: readers of data/*/*/*.ndjson.gz take it, be its name hidden or not.
func litter(key string) bool {
	if strings.HasSuffix(key, ".ndjson.gz") {
		return false
	}
	name := key[strings.LastIndexByte(key, '/')+1:]
	return name == "Thumbs.db" || name == "desktop.ini" || strings.Contains(key, "/.")
}

// addOnce adds a finding unless there is one of this kind for this key.
func (v *verifier) addOnce(kind Kind, key, format string, args ...any) {
	for _, f := range v.report.Findings {
		if f.Kind == kind && f.Key == key {
			return
		}
	}
	v.add(kind, key, format, args...)
}
