package clitest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
)

// SDKAppID is the app of archives that this package builds.
const SDKAppID = 1400000000

const run = "20240102T083000Z-1f2e3d4c"

// When is when they were built.
func When() time.Time { return time.Date(2024, 1, 2, 8, 30, 0, 0, time.UTC) }

// Folder makes a folder for an archive.
func Folder(t testing.TB) (*dirstore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "archive")
	store, err := dirstore.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, dir
}

// Writer is where an archive is built.
type Writer interface {
	// Overwrite writes an object whether or not it exists.
	Overwrite(ctx context.Context, key string, w objstore.Write) (objstore.Object, error)
}

// Builder writes the archive of one stream step by step.
type Builder struct {
	Stream chat.Stream
	Next   chat.Seq     // the frontier
	After  chat.Seq     // lo of the last chunk
	Link   archive.Link // of the newest manifest

	t      testing.TB
	store  Writer
	listed []archive.ChunkEntry
}

// Build begins an archive.
func Build(t testing.TB, store Writer, s chat.Stream) *Builder {
	t.Helper()
	b := &Builder{Stream: s, Next: 1, t: t, store: store}
	g := archive.Genesis{
		Format: archive.Format, SDKAppID: SDKAppID, GroupID: s.GroupID, TopicID: s.TopicID, FirstLo: 1, Head: 100, CreatedAt: When(),
		ExpiredBelow: archive.ExpiredBelow{Evidence: archive.EvidenceNone},
	}
	body, err := g.Encode()
	b.must(err)
	b.write(layout.Genesis(s), body, nil)
	b.Link = archive.Link{Key: layout.Genesis(s), SHA256: Hash(body)}
	return b
}

func (b *Builder) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *Builder) write(key string, body []byte, metadata map[string]string) {
	b.t.Helper()
	_, err := b.store.Overwrite(b.t.Context(), key, objstore.Write{Body: body, ContentType: archive.JSONContentType, Metadata: metadata})
	b.must(err)
}

// element is the test message of a seq: one a minute from When on.
func element(t testing.TB, seq chat.Seq) chat.Element {
	t.Helper()
	e, err := chat.ScanElement(fmt.Appendf(nil,
		`{"From_Account":"u%d","IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Text":"message %d"},"MsgType":"TIMTextElem"}],"MsgSeq":%d,"MsgTimeStamp":%d}`,
		seq%4, seq, seq, When().Unix()+60*int64(seq)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Chunk writes the next chunk, up to hi, with every step-th seq, the others absent.
func (b *Builder) Chunk(hi, step chat.Seq) {
	b.t.Helper()
	var elements []chat.Element
	for seq := b.Next; seq <= hi; seq += step {
		elements = append(elements, element(b.t, seq))
	}
	b.Elements(hi, elements)
}

// Elements writes the next chunk, up to hi, with these elements.
func (b *Builder) Elements(hi chat.Seq, elements []chat.Element) {
	b.t.Helper()
	w := archive.NewChunkWriter(b.Stream, b.Next)
	b.must(w.Append(hi, elements))
	c, err := w.Close(run, "request-1", "writer-1")
	b.must(err)
	b.put(c)
}

// Expired writes the next chunk as an expired range.
func (b *Builder) Expired(hi chat.Seq) {
	b.t.Helper()
	c, err := archive.NewExpiredChunk(b.Stream, b.Next, hi, archive.EvidenceProbe, run, "request-1", "writer-1")
	b.must(err)
	b.put(c)
}

func (b *Builder) put(c archive.Chunk) {
	b.t.Helper()
	key := layout.Chunk(b.Stream, c.Meta.Lo)
	b.write(key, c.Body, c.Meta.Metadata())
	b.listed = append(b.listed, archive.ChunkEntryOf(c.Meta, key, int64(len(c.Body)), archive.CRC64(c.Body)))
	b.Next, b.After = c.Meta.Hi+1, c.Meta.Lo
}

// Manifest lists the chunks that no manifest lists yet.
func (b *Builder) Manifest(status string) {
	b.t.Helper()
	m := archive.Manifest{
		Format: archive.Format, SDKAppID: SDKAppID, GroupID: b.Stream.GroupID, TopicID: b.Stream.TopicID, Head: b.Next - 1,
		Status: status, StartedAt: When(), FinishedAt: When().Add(time.Minute + time.Duration(b.Next)*time.Second), Run: run, Previous: b.Link,
		ExpiredBelow: archive.ExpiredBelow{Evidence: archive.EvidenceNone},
	}
	m.SetChunks(b.listed)
	body, err := m.Encode()
	b.must(err)
	b.listed = nil
	b.Link = archive.Link{Key: layout.Manifest(b.Stream, m.Lo), SHA256: Hash(body)}
	b.write(b.Link.Key, body, nil)
}

// State writes the state, changed as change likes.
func (b *Builder) State(change func(*archive.State)) {
	b.t.Helper()
	s := archive.State{
		Format: archive.Format, Frontier: b.Next, After: b.After, Head: b.Next - 1, Status: archive.StatusComplete, UpdatedAt: When(),
	}
	if name, err := layout.Parse(b.Link.Key); err == nil && name.Kind == layout.KindManifest {
		s.ManifestAfter = &archive.ManifestHint{Lo: name.Lo, SHA256: b.Link.SHA256}
	}
	if change != nil {
		change(&s)
	}
	body, err := s.Encode()
	b.must(err)
	b.write(layout.State(b.Stream), body, nil)
}

// Sound writes an archive with two manifests, an expired range, absent seqs and a chunk that no manifest lists: chunks
// begin at 1 and 21 (manifest 1), 46, expired, and 61 (manifest 46), and 81.
func Sound(t testing.TB, store Writer, s chat.Stream) *Builder {
	t.Helper()
	b := Build(t, store, s)
	b.Chunk(20, 1)
	b.Chunk(45, 2)
	b.Manifest(archive.StatusPartial)
	b.Expired(60)
	b.Chunk(80, 1)
	b.Manifest(archive.StatusComplete)
	b.Chunk(100, 1)
	b.State(nil)
	return b
}

// Damage changes an object's file behind the store's back.
func Damage(t testing.TB, dir, key, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(key)), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Hash is the sha256 in hex.
func Hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
