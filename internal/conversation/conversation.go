// Package conversation is what a person sees of an archive: a stream day by day, with its messages, what became of them, what
// is missing and why, and the proof of each.
//
// It owns the way from objects to messages: which chunks a day needs, what a body's elements mean, and which of the trails'
// receipts speak of a message. It reads only: genesis and manifests when a conversation is opened, then the chunks that are
// asked for, of which it keeps some unpacked, in bounded memory. It knows no HTML, no files and no network, believes what it
// reads as far as package catalog does, and must never leave out what is missing without a row in its place.
package conversation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// DefaultMemory is how many bytes of unpacked chunks a Reader keeps: a few chunks of 100,000 messages.
const DefaultMemory = 192 << 20

// ErrNoSeq means that a seq is not archived, or not yet.
var ErrNoSeq = errors.New("no such seq in this archive")

// Options are what a Reader may be told.
type Options struct {
	Memory int64             // bytes of unpacked chunks that are kept; 0 for DefaultMemory
	Names  map[string]string // of people, by their ids; they precede those that the archive knows
}

// Reader opens the conversations of an archive. It may be used by several goroutines.
type Reader struct {
	store catalog.Store
	names map[string]string
	cache *cache
	once  singleflight.Group // one reading of a chunk, and of an index, at a time

	mu    sync.Mutex
	known map[chat.Stream]*Conversation
}

// NewReader returns a Reader of the archive in a store.
func NewReader(store catalog.Store, opts Options) *Reader {
	if opts.Memory == 0 {
		opts.Memory = DefaultMemory
	}
	return &Reader{store: store, names: opts.Names, cache: newCache(opts.Memory), known: map[chat.Stream]*Conversation{}}
}

// Conversation is one stream's archive as it was when it was opened. It is not changed afterwards; only what is learned of its
// chunks when they are read is added for all who have it.
type Conversation struct {
	Stream    chat.Stream
	Genesis   archive.Genesis
	Chunks    []Chunk        // in order of seq, without holes
	Manifests []archive.Link // in order: the chain, without its first link, the genesis
	Status    string         // of the newest manifest; empty before the first
	Listed    time.Time      // when the newest manifest was written
	// Broken says why the archive could not be followed to its end, or what of its chain does not fit; empty if all does. What is
	// behind a break is not known.
	Broken string
	Totals archive.Totals // of all chunks

	reader  *Reader
	learned *learned
	opened  time.Time
}

// Chunk is a chunk and the manifest that lists it.
type Chunk struct {
	archive.ChunkEntry

	Manifest archive.Link // zero if no manifest lists it yet
	anchor   int64        // a time that stands for all of a chunk that has none of its own
}

// Open returns a stream's conversation. One that was opened before is looked at again when it is older than fresh. The error
// wraps catalog.ErrNoArchive, or is the store's; damage of manifests is told by Broken.
func (r *Reader) Open(ctx context.Context, s chat.Stream, fresh time.Duration) (*Conversation, error) {
	r.mu.Lock()
	c := r.known[s]
	r.mu.Unlock()
	if c != nil && time.Since(c.opened) < fresh {
		return c, nil
	}
	opened, err, _ := r.once.Do("index "+s.GroupID+"\x00"+s.TopicID, func() (any, error) {
		fresh, err := r.index(context.WithoutCancel(ctx), s, c) // others may wait for it
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.known[s] = fresh
		return fresh, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return opened.(*Conversation), nil
}

// index reads genesis and manifests, and how the chunks that none lists describe themselves.
func (r *Reader) index(ctx context.Context, s chat.Stream, before *Conversation) (*Conversation, error) {
	c := &Conversation{Stream: s, reader: r, opened: time.Now(), learned: newLearned()}
	if before != nil {
		c.learned = before.learned
	}
	var previous string
	var err error
	if c.Genesis, previous, err = catalog.GenesisSum(ctx, r.store, s); err != nil {
		if catalog.Damaged(err) {
			c.Broken = err.Error()
			return c, nil
		}
		return nil, err
	}
	next := c.Genesis.FirstLo
	for err == nil && next <= chat.MaxSeq {
		var m archive.Manifest
		var sum string
		m, sum, err = catalog.ManifestSum(ctx, r.store, s, next)
		if err != nil {
			break
		}
		if m.Previous.SHA256 != previous && c.Broken == "" {
			c.Broken = fmt.Sprintf("the manifest at %d does not name the one before it by its sha256; run verify", m.Lo)
		}
		c.list(&m, sum)
		previous, next = sum, m.Hi+1
	}
	if err != nil && !errors.Is(err, objstore.ErrNotExist) {
		return c, c.broken(err)
	}
	for entry, err := range catalog.Unlisted(ctx, r.store, s, next) {
		if err != nil {
			return c, c.broken(err)
		}
		c.Chunks = append(c.Chunks, Chunk{ChunkEntry: entry})
		c.Totals.Add(entry.Counts)
	}
	c.date()
	return c, nil
}

func (c *Conversation) broken(err error) error {
	if !catalog.Damaged(err) {
		return err
	}
	c.Broken = err.Error()
	c.date()
	return nil
}

// list takes what a manifest lists.
func (c *Conversation) list(m *archive.Manifest, sum string) {
	link := archive.Link{Key: layout.Manifest(c.Stream, m.Lo), SHA256: sum}
	c.Manifests = append(c.Manifests, link)
	c.Status, c.Listed = m.Status, m.FinishedAt
	for i := range m.Chunks {
		c.Chunks = append(c.Chunks, Chunk{ChunkEntry: m.Chunks[i], Manifest: link})
	}
	c.Totals.Add(m.Totals.Counts)
}

// date gives chunks without any time one of their neighbours', so that what they say has its place on a day, and sums up.
func (c *Conversation) date() {
	t := &c.Totals
	t.Chunks, t.Bytes = len(c.Chunks), 0
	var last int64
	for i := range c.Chunks {
		k := &c.Chunks[i]
		t.Bytes += k.Bytes
		lo, hi, ok := k.times()
		if !ok {
			k.anchor = last
			continue
		}
		if t.TsMin == 0 || lo < t.TsMin {
			t.TsMin = lo
		}
		if last = hi; k.TsMax > lastTime { // the newest time that can be believed is not known without reading it
			last, hi = 0, lo
		}
		t.TsMax = max(t.TsMax, hi)
	}
	last = 0
	for i := len(c.Chunks) - 1; i >= 0; i-- {
		k := &c.Chunks[i]
		if lo, _, ok := k.times(); ok {
			last = lo
		} else if k.anchor == 0 {
			k.anchor = cmp.Or(last, t.TsMax)
		}
	}
}

// lastTime is the end of the year 9999, in seconds since 1970. A later time is none: most such are milliseconds.
const lastTime = 253402300799

// times returns the oldest and the newest time of a chunk, false where it has none that can be believed.
func (k *Chunk) times() (lo, hi int64, ok bool) {
	if k.TsMin <= 0 || k.TsMin > lastTime {
		return 0, 0, false
	}
	return k.TsMin, min(k.TsMax, lastTime), true
}

// chunkOf returns the index of the chunk that covers a seq, -1 if none does.
func (c *Conversation) chunkOf(seq chat.Seq) int {
	i, found := slices.BinarySearchFunc(c.Chunks, seq, func(k Chunk, seq chat.Seq) int {
		switch {
		case k.Hi < seq:
			return -1
		case k.Lo > seq:
			return 1
		default:
			return 0
		}
	})
	if !found {
		return -1
	}
	return i
}

// Last returns the last seq that the archive covers, 0 if none.
func (c *Conversation) Last() chat.Seq {
	if len(c.Chunks) == 0 {
		return 0
	}
	return c.Chunks[len(c.Chunks)-1].Hi
}

// Person is somebody who is named in a conversation.
type Person struct {
	ID   string
	Name string // empty if it is not known
	// Given tells that the name comes from the reader's own list. Others are nicknames, which everybody chooses for himself.
	Given bool
}

// Person looks a name up.
func (c *Conversation) Person(id string) Person {
	if name := c.reader.names[id]; name != "" {
		return Person{ID: id, Name: name, Given: true}
	}
	return Person{ID: id, Name: c.learned.name(id)}
}

// String is the name, with the id behind it.
func (p Person) String() string {
	if p.Name == "" || p.Name == p.ID {
		return p.ID
	}
	return strings.TrimSpace(p.Name) + " (" + p.ID + ")"
}
