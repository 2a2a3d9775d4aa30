package conversation

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// unpacked is a chunk as it is held: where its lines are, and these themselves if they are not too many.
type unpacked struct {
	chunk   Chunk
	entries []entry // in order of seq
	raw     []byte  // the lines with their ends; nil if they must be read again
	changes map[chat.Seq]*archive.ChangeLine
	looked  []Receipt // of the change trail
	ended   bool      // the change trail reaches the chunk's end: nothing will be added to it
	// failure is why the lines cannot be read: the chunk is damaged or missing, which is shown in its place. trail is the same
	// of its change receipts.
	failure, trail string
}

// entry is a line, or what a look found where there was none.
type entry struct {
	seq   chat.Seq
	time  int64 // of its day: its own, or that of the line before
	off   int64 // of its line among the chunk's lines; -1 if it has none
	size  int32
	line  int32 // number of its line, from 1; 0 if it has none
	class chat.Class
}

// entryBytes is about what an entry takes.
const entryBytes = 48

// weight is what the cache counts it for.
func (u *unpacked) weight() int64 {
	n := int64(len(u.raw)) + int64(len(u.entries))*entryBytes
	for _, change := range u.changes {
		n += int64(len(change.Now)) + 256
	}
	return n
}

// load returns a chunk of the conversation, from the cache if it is there.
func (c *Conversation) load(ctx context.Context, i int) (*unpacked, error) {
	k := c.Chunks[i]
	id := cacheKey{c.Stream, chunkID{k.Lo, k.SHA256}}
	u := c.reader.cache.get(id)
	if u != nil && u.ended {
		return u, nil
	}
	loaded, err, _ := c.reader.once.Do(fmt.Sprintf("chunk %d %s %s\x00%s", k.Lo, k.SHA256, c.Stream.GroupID, c.Stream.TopicID), func() (any, error) {
		ctx := context.WithoutCancel(ctx) // others may wait for it
		if u != nil {
			again, err := u.again(ctx, c)
			if err == nil && again != u {
				c.reader.cache.put(id, again)
			}
			return again, err
		}
		u, err := c.unpack(ctx, k)
		if err != nil {
			return nil, err
		}
		if u.failure == "" {
			c.reader.cache.put(id, u)
		}
		return u, nil
	})
	if err != nil {
		return nil, err
	}
	return loaded.(*unpacked), nil
}

// unpack reads a chunk and what looks at it found.
func (c *Conversation) unpack(ctx context.Context, k Chunk) (*unpacked, error) {
	u := &unpacked{chunk: k, entries: make([]entry, 0, min(k.Lines(), 1<<20))}
	keep := k.RawBytes <= c.reader.cache.most/2
	if keep {
		u.raw = make([]byte, 0, min(k.RawBytes, c.reader.cache.most))
	}
	names, off := map[string]nick{}, int64(0)
	err := catalog.Lines(ctx, c.reader.store, c.Stream, k.ChunkEntry, func(e chat.Element) error {
		size := len(e.JSON)
		u.entries = append(u.entries, entry{
			seq: e.Seq, time: believed(e.Time), off: off, size: int32(size), line: int32(len(u.entries) + 1), class: e.Class(), //nolint:gosec // both are bounded by the format
		})
		off += int64(size) + 1
		if keep {
			u.raw = append(append(u.raw, e.JSON...), '\n')
		}
		if e.System || bytes.Contains(e.JSON, []byte(`Nick`)) {
			nicknames(&e, names)
		}
		return ctx.Err()
	})
	switch {
	case err == nil:
	case catalog.Damaged(err) || errors.Is(err, objstore.ErrNotExist):
		u.failure, u.raw, u.entries = err.Error(), nil, nil
	default:
		return nil, err
	}
	if err := u.look(ctx, c); err != nil {
		return nil, err
	}
	u.date()
	c.learned.add(names)
	c.learned.count(chunkID{k.Lo, k.SHA256}, u.quarters())
	return u, nil
}

// believed returns a time, or 0 if it is none.
func believed(seconds int64) int64 {
	if seconds <= 0 || seconds > lastTime {
		return 0
	}
	return seconds
}

// again looks whether the change trail has grown. What is held may be in use, and is not changed.
func (u *unpacked) again(ctx context.Context, c *Conversation) (*unpacked, error) {
	fresh := *u
	fresh.entries = slices.DeleteFunc(slices.Clone(u.entries), func(e entry) bool { return e.off < 0 })
	if err := fresh.look(ctx, c); err != nil {
		return nil, err
	}
	if len(fresh.looked) == len(u.looked) {
		return u, nil
	}
	fresh.date()
	c.learned.count(chunkID{u.chunk.Lo, u.chunk.SHA256}, fresh.quarters())
	return &fresh, nil
}

// look reads the receipts of the change trail.
func (u *unpacked) look(ctx context.Context, c *Conversation) error {
	lo := u.chunk.Lo
	changes, looked := map[chat.Seq]*archive.ChangeLine{}, []Receipt(nil)
	for r, err := range catalog.Looks(ctx, c.reader.store, c.Stream, &u.chunk.ChunkEntry) {
		if err == nil {
			err = r.Differences(func(line archive.ChangeLine) error {
				line.Now = bytes.Clone(line.Now)
				changes[line.Seq] = &line
				return nil
			})
		}
		if catalog.Damaged(err) {
			u.trail = err.Error()
			break
		}
		if err != nil {
			return err
		}
		looked = append(looked, Receipt{Key: r.Key, Lo: r.Lo, Hi: r.Hi, SHA256: r.SHA256, From: r.From, To: r.To})
		lo = r.Hi + 1
	}
	u.changes, u.looked, u.ended = changes, looked, lo > u.chunk.Hi
	u.addFound()
	return nil
}

// addFound gives what was absent then and was found by a look its place among the lines.
func (u *unpacked) addFound() {
	before := len(u.entries)
	for seq, change := range u.changes {
		if _, there := u.find(seq); !there && len(change.Now) > 0 {
			if e, err := chat.ScanElement(change.Now); err == nil {
				u.entries = append(u.entries, entry{seq: seq, time: believed(e.Time), off: -1, class: e.Class()})
			}
		}
	}
	if len(u.entries) > before {
		slices.SortFunc(u.entries, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	}
}

func (u *unpacked) find(seq chat.Seq) (int, bool) {
	return slices.BinarySearchFunc(u.entries, seq, func(e entry, seq chat.Seq) int { return cmp.Compare(e.seq, seq) })
}

// date gives entries without a time that of the one before them, or for the first ones that of the one behind.
func (u *unpacked) date() {
	last := u.chunk.anchor
	lo, hi, timed := u.chunk.times()
	for i := range u.entries {
		if t := u.entries[i].time; t != 0 {
			last = t
			break
		}
	}
	for i := range u.entries {
		e := &u.entries[i]
		if e.time == 0 {
			e.time = last
		} else if timed { // what a look found may be of a day on which nobody would read this chunk
			e.time = min(max(e.time, lo), hi)
		}
		last = e.time
	}
}

// quarters counts its rows by quarters of an hour.
func (u *unpacked) quarters() map[int64]int32 {
	counts := map[int64]int32{}
	for i := range u.items() {
		counts[i.time/quarter]++
	}
	return counts
}

// lines returns the elements of entries, each valid as long as it is held.
func (u *unpacked) lines(ctx context.Context, c *Conversation, wanted []entry) (map[chat.Seq][]byte, error) {
	found := make(map[chat.Seq][]byte, len(wanted))
	var again []entry
	for _, e := range wanted {
		switch {
		case e.off < 0:
		case u.raw != nil:
			found[e.seq] = u.raw[e.off : e.off+int64(e.size) : e.off+int64(e.size)]
		default:
			again = append(again, e)
		}
	}
	if len(again) == 0 {
		return found, nil
	}
	err := catalog.Lines(ctx, c.reader.store, c.Stream, u.chunk.ChunkEntry, func(e chat.Element) error {
		for len(again) > 0 && again[0].seq < e.Seq {
			again = again[1:]
		}
		if len(again) > 0 && again[0].seq == e.Seq {
			found[e.Seq] = bytes.Clone(e.JSON)
		}
		return ctx.Err()
	})
	return found, err
}
