// Package archivetest builds archives step by step, for the tests of what reads them.
//
// It is for tests only. It writes what an export would leave, and anything that nobody would if a test wants that; it
// never decides whether an archive is sound.
package archivetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// What is the same in all of these archives.
const (
	SDKAppID = 1400000000

	run       = "20240102T083000Z-1f2e3d4c"
	requestID = "request-1"
	writer    = "writer-1"
)

// When is when they were begun, and every run started.
func When() time.Time { return time.Date(2024, 1, 2, 8, 30, 0, 0, time.UTC) }

// Store is where an archive is built.
type Store interface {
	// Overwrite writes an object whether or not it exists.
	Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error)
}

// Builder builds the archive of one stream.
type Builder struct {
	Stream chat.Stream
	Next   chat.Seq             // the frontier
	After  chat.Seq             // lo of the last chunk
	Link   archive.Link         // of the newest manifest, or of genesis
	Floor  archive.ExpiredBelow // what manifests say of the beginning
	Listed []archive.ChunkEntry // by the next manifest
	Media  *archive.Pin         // the last receipt for links; nil before the first
	Change *archive.Pin         // the last receipt of a look; nil before the first

	t         testing.TB
	store     Store
	genesis   string   // its sum
	accounted chat.Seq // the first seq behind the last receipt for links
	looked    chat.Seq // and of a look
}

// Build begins an archive at a seq.
func Build(t testing.TB, store Store, s chat.Stream, firstLo chat.Seq) *Builder {
	t.Helper()
	b := &Builder{Stream: s, Next: firstLo, Floor: archive.ExpiredBelow{Evidence: archive.EvidenceNone}, t: t, store: store}
	if firstLo > 1 {
		b.Floor = archive.ExpiredBelow{Seq: firstLo, Evidence: archive.EvidenceProbe, Probes: 7}
	}
	body, err := archive.Genesis{
		Format: archive.Format, SDKAppID: SDKAppID, GroupID: s.GroupID, TopicID: s.TopicID, FirstLo: firstLo, Head: 100,
		ExpiredBelow: b.Floor, CreatedAt: When(),
	}.Encode()
	b.Link = b.object(layout.Genesis(s), body, err)
	b.genesis = b.Link.SHA256
	return b
}

// object writes an object that was just encoded.
func (b *Builder) object(key string, body []byte, err error) archive.Link {
	b.t.Helper()
	if err == nil {
		_, err = b.store.Overwrite(b.t.Context(), key, objstore.Write{Body: body, ContentType: archive.JSONContentType})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return archive.Link{Key: key, SHA256: Hash(body)}
}

// Put writes a chunk as the next one.
func (b *Builder) Put(c archive.Chunk) {
	b.t.Helper()
	key := layout.Chunk(b.Stream, c.Meta.Lo)
	w := objstore.Write{Body: c.Body, ContentType: archive.JSONContentType, Metadata: c.Meta.Metadata()}
	if _, err := b.store.Overwrite(b.t.Context(), key, w); err != nil {
		b.t.Fatal(err)
	}
	b.Listed = append(b.Listed, archive.ChunkEntryOf(c.Meta, key, int64(len(c.Body)), archive.CRC64(c.Body)))
	b.Next, b.After = c.Meta.Hi+1, c.Meta.Lo
}

// Chunk writes the next chunk, up to hi, with these elements; what they leave out is absent.
func (b *Builder) Chunk(hi chat.Seq, elements ...chat.Element) {
	b.t.Helper()
	b.Put(Chunk(b.t, b.Stream, b.Next, hi, elements...))
}

// Expired writes the next chunk as an expired range.
func (b *Builder) Expired(hi chat.Seq) {
	b.t.Helper()
	b.Put(Expired(b.t, b.Stream, b.Next, hi))
}

// Manifest lists the chunks that no manifest lists yet. The run took a minute, and a second for each seq up to here.
func (b *Builder) Manifest(status string) {
	b.t.Helper()
	m := archive.Manifest{
		Format: archive.Format, SDKAppID: SDKAppID, GroupID: b.Stream.GroupID, TopicID: b.Stream.TopicID, Head: b.Next - 1,
		Status: status, StartedAt: When(), FinishedAt: When().Add(time.Minute + time.Duration(b.Next)*time.Second), Run: run,
		ExpiredBelow: b.Floor, Previous: b.Link, Trails: archive.Trails{Media: b.Media, Change: b.Change},
	}
	m.SetChunks(b.Listed)
	b.Listed = nil
	body, err := m.Encode()
	b.Link = b.object(layout.Manifest(b.Stream, m.Lo), body, err)
}

// State writes the state, changed as change likes.
func (b *Builder) State(change func(*archive.State)) {
	b.t.Helper()
	s := archive.State{
		Format: archive.Format, Frontier: b.Next, After: b.After, Head: b.Next - 1, Status: archive.StatusComplete, UpdatedAt: When(),
	}
	if name, err := layout.Parse(b.Link.Key); err == nil && name.Kind == layout.KindManifest {
		s.ManifestAfter = &archive.Pin{Lo: name.Lo, SHA256: b.Link.SHA256}
	}
	if b.Media != nil {
		s.Media = &archive.TrailHint{Frontier: b.accounted, After: b.Media}
	}
	if b.Change != nil {
		s.Look = &archive.TrailHint{Frontier: b.looked, After: b.Change}
	}
	if change != nil {
		change(&s)
	}
	body, err := s.Encode()
	b.object(layout.State(b.Stream), body, err)
}

// Chunk makes a chunk of [lo, hi].
func Chunk(t testing.TB, s chat.Stream, lo, hi chat.Seq, elements ...chat.Element) archive.Chunk {
	t.Helper()
	w := archive.NewChunkWriter(s, lo)
	if err := w.Append(hi, elements); err != nil {
		t.Fatal(err)
	}
	c, err := w.Close(run, requestID, writer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Expired makes the chunk of a range that has expired.
func Expired(t testing.TB, s chat.Stream, lo, hi chat.Seq) archive.Chunk {
	t.Helper()
	c, err := archive.NewExpiredChunk(s, lo, hi, archive.EvidenceProbe, run, requestID, writer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Elements reads elements, each from its JSON.
func Elements(t testing.TB, texts ...string) []chat.Element {
	t.Helper()
	elements := make([]chat.Element, len(texts))
	for i, text := range texts {
		e, err := chat.ScanElement([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		elements[i] = e
	}
	return elements
}

// Hash is the sha256 in hex.
func Hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
