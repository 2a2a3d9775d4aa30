package schedule_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore/memstore"
)

// simChain watches every write that takes effect, as it does: what is archived is a chain at every moment.
type simChain struct {
	stream chat.Stream

	mu       sync.Mutex
	genesis  *archive.Genesis
	begun    time.Time // when it was stored
	chunks   []simChunk
	next     chat.Seq // the frontier
	listed   chat.Seq // the first seq behind the manifests
	status   string   // of the last manifest
	link     archive.Link
	writers  map[string]string // of each key: the batch
	trail    simTrail
	looks    simLooks
	problems []string
}

type simChunk struct {
	archive.ChunkMeta
	writer string
	at     time.Time
}

func (c *simChain) writer(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writers[key]
}

func (c *simChain) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// broken is told by the store when an immutable object changed.
func (c *simChain) broken(key, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem("write-once key %s was %s", key, what)
}

// stored is told by the store of each write.
func (c *simChain) stored(w memstore.Stored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, err := layout.Parse(w.Key)
	if err != nil || name.Stream != c.stream && name.Kind != layout.KindBlob {
		c.problem("%s is no key of the stream", w.Key)
		return
	}
	c.writers[w.Key] = w.Caller
	switch name.Kind {
	case layout.KindGenesis:
		c.storedGenesis(w)
	case layout.KindChunk:
		c.storedChunk(w, name.Lo)
	case layout.KindManifest:
		c.storedManifest(w, name.Lo)
	case layout.KindMedia:
		c.storedReceipt(w, name.Lo)
	case layout.KindChange:
		c.storedLook(w, name.Lo)
	case layout.KindBlob:
		c.storedBlob(w, name.SHA256)
	case layout.KindState:
		c.storedState(w)
	default:
		c.problem("%s has no place in this test", w.Key)
	}
}

func (c *simChain) storedGenesis(w memstore.Stored) {
	g, err := archive.ParseGenesis(w.Write.Body)
	if err != nil {
		c.problem("genesis: %v", err)
		return
	}
	c.genesis, c.begun, c.next, c.listed = &g, time.Now(), g.FirstLo, g.FirstLo
	c.link = linkTo(w)
	c.trail.last, c.looks.last = c.link.SHA256, c.link.SHA256
}

func linkTo(w memstore.Stored) archive.Link {
	sum := sha256.Sum256(w.Write.Body)
	return archive.Link{Key: w.Key, SHA256: hex.EncodeToString(sum[:])}
}

func (c *simChain) storedChunk(w memstore.Stored, lo chat.Seq) {
	meta, err := archive.ParseChunkMeta(w.Write.Metadata)
	switch {
	case err != nil:
		c.problem("chunk %d: %v", lo, err)
	case c.genesis == nil:
		c.problem("chunk %d without a genesis", lo)
	case meta.Lo != lo || lo != c.next:
		c.problem("chunk [%d, %d] under the name %d, the frontier is %d", meta.Lo, meta.Hi, lo, c.next)
	default:
		c.chunks = append(c.chunks, simChunk{ChunkMeta: meta, writer: w.Caller, at: time.Now()})
		c.next = meta.Hi + 1
	}
}

func (c *simChain) storedManifest(w memstore.Stored, lo chat.Seq) {
	m, err := archive.ParseManifest(w.Write.Body)
	switch {
	case err != nil:
		c.problem("manifest %d: %v", lo, err)
		return
	case m.Lo != lo || m.Lo != c.listed || m.Previous != c.link:
		c.problem("manifest [%d, %d] after %+v does not continue the chain at %d after %+v", m.Lo, m.Hi, m.Previous, c.listed, c.link)
	case m.Hi >= c.next:
		c.problem("manifest [%d, %d] lists more than is archived, the frontier is %d", m.Lo, m.Hi, c.next)
	}
	at := 0
	for at < len(c.chunks) && c.chunks[at].Lo < m.Lo {
		at++
	}
	for i := range m.Chunks {
		if at+i >= len(c.chunks) || m.Chunks[i].ChunkMeta != c.chunks[at+i].ChunkMeta {
			c.problem("manifest %d lists chunk %d otherwise than it is stored", lo, m.Chunks[i].Lo)
		}
	}
	for i := range m.Chunks {
		c.looks.finished[m.Chunks[i].Lo] = m.FinishedAt
	}
	c.judgePin(w.Key, m.Trails.Media, c.trail.receipts)
	c.judgePin(w.Key, m.Trails.Change, c.looks.pins)
	c.listed, c.status, c.link = m.Hi+1, m.Status, linkTo(w)
}

func (c *simChain) storedState(w memstore.Stored) {
	state, err := archive.ParseState(w.Write.Body)
	switch {
	case err != nil:
		c.problem("state: %v", err)
		return
	case state.Frontier > c.next:
		c.problem("state has frontier %d, the archive %d", state.Frontier, c.next)
	case state.Status == archive.StatusComplete && state.Frontier > c.listed:
		c.problem("state says complete at %d, the manifests reach %d", state.Frontier, c.listed)
	}
	c.judgeHint(state.Media)
	c.judgeLooks(state.Look)
}

// at returns the chunk that covers a seq.
func (c *simChain) at(seq chat.Seq) (simChunk, bool) {
	for _, chunk := range c.chunks {
		if chunk.Lo <= seq && seq <= chunk.Hi {
			return chunk, true
		}
	}
	return simChunk{}, false
}

// lines reads every archived element, by its seq.
func (c *simChain) lines(body func(key string) []byte) (map[chat.Seq]chat.Element, error) {
	elements := make(map[chat.Seq]chat.Element)
	for _, chunk := range c.chunks {
		_, err := archive.ReadChunk(bytes.NewReader(body(layout.Chunk(c.stream, chunk.Lo))), c.stream, chunk.Lo, chunk.Hi, func(e chat.Element) error {
			e.JSON = bytes.Clone(e.JSON)
			elements[e.Seq] = e
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("chunk %d: %w", chunk.Lo, err)
		}
	}
	return elements, nil
}
