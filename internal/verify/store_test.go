package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
)

// memStore is a store in memory. Bytes can be changed behind its back, as a disk would.
type memStore struct {
	mu      sync.Mutex
	objects map[string]memObject
	reads   map[string]int // GETs and HEADs by key
	onList  func(prefix string)
	onRead  func(key string) error
}

type memObject struct {
	body []byte
	obj  objstore.Object
}

var _ verify.Store = (*memStore)(nil)

func newMemStore() *memStore {
	return &memStore{objects: map[string]memObject{}, reads: map[string]int{}}
}

func (m *memStore) put(key string, body []byte, metadata map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	obj := objstore.Object{Size: int64(len(body)), CRC64: archive.CRC64(body), Metadata: metadata}
	m.objects[key] = memObject{slices.Clone(body), obj}
}

func (m *memStore) find(key string) (memObject, error) {
	m.mu.Lock()
	hook := m.onRead
	m.reads[key]++
	m.mu.Unlock()
	if hook != nil {
		if err := hook(key); err != nil {
			return memObject{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return o, &objstore.Error{Op: "get", Key: key, Status: 404, Code: "NoSuchKey", Err: objstore.ErrNotExist}
	}
	return o, nil
}

func (m *memStore) Get(_ context.Context, key string) ([]byte, objstore.Object, error) {
	o, err := m.find(key)
	return o.body, o.obj, err
}

func (m *memStore) Head(_ context.Context, key string) (objstore.Object, error) {
	o, err := m.find(key)
	return o.obj, err
}

func (m *memStore) List(_ context.Context, prefix, after string) iter.Seq2[objstore.Entry, error] {
	return func(yield func(objstore.Entry, error) bool) {
		if m.onList != nil {
			m.onList(prefix)
		}
		m.mu.Lock()
		keys := slices.Sorted(maps.Keys(m.objects))
		m.mu.Unlock()
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) && key > after && !yield(objstore.Entry{Key: key}, nil) {
				return
			}
		}
	}
}

const (
	appID     = 1400000001
	run       = "20261122T083000Z-1f2e3d4c"
	requestID = "request-1"
	writer    = "writer-1"
)

func when() time.Time { return time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC) }

// message is what the service would send for a seq of the test streams: every sort of element has its turn, and every
// tenth seq is absent.
func message(seq chat.Seq) (string, bool) {
	base := fmt.Sprintf(`"MsgSeq":%d,"MsgTimeStamp":%d`, seq, 1700000000+int64(seq))
	switch seq % 10 {
	case 0:
		return "", false
	case 3:
		return `{"IsPlaceMsg":1,` + base + `}`, true
	case 5:
		return `{"IsPlaceMsg":2,` + base + `}`, true
	case 7:
		return `{"From_Account":"@TIM#SYSTEM","IsPlaceMsg":0,"IsSystemMsg":1,` + base + `}`, true
	default:
		return fmt.Sprintf(`{"From_Account":"u%d","IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Text":"m %d"}}],%s}`, seq%4, seq, base), true
	}
}

func element(t testing.TB, raw string) chat.Element {
	t.Helper()
	e, err := chat.ScanElement([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func chunk(t testing.TB, s chat.Stream, lo, hi chat.Seq) archive.Chunk {
	t.Helper()
	w := archive.NewChunkWriter(s, lo)
	var elements []chat.Element
	for seq := lo; seq <= hi; seq++ {
		if raw, ok := message(seq); ok {
			elements = append(elements, element(t, raw))
		}
	}
	if err := w.Append(hi, elements); err != nil {
		t.Fatal(err)
	}
	c, err := w.Close(run, requestID, writer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func expired(t testing.TB, s chat.Stream, lo, hi chat.Seq) archive.Chunk {
	t.Helper()
	c, err := archive.NewExpiredChunk(s, lo, hi, archive.EvidenceProbe, run, requestID, writer)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// builder writes an archive step by step.
type builder struct {
	t      testing.TB
	store  *memStore
	stream chat.Stream
	next   chat.Seq
	after  chat.Seq
	listed []archive.ChunkEntry // not yet in a manifest
	link   archive.Link
	floor  archive.ExpiredBelow
}

func build(t testing.TB, store *memStore, s chat.Stream, firstLo chat.Seq) *builder {
	t.Helper()
	g := archive.Genesis{
		Format: archive.Format, SDKAppID: appID, GroupID: s.GroupID, TopicID: s.TopicID, CreateTime: 1600000000,
		FirstLo: firstLo, Head: 100, CreatedAt: when(),
		ExpiredBelow: archive.ExpiredBelow{Evidence: archive.EvidenceNone},
	}
	if firstLo > 1 {
		g.ExpiredBelow = archive.ExpiredBelow{Seq: firstLo, Evidence: archive.EvidenceProbe, Probes: 7}
	}
	body := must(t)(g.Encode())
	store.put(layout.Genesis(s), body, nil)
	link := archive.Link{Key: layout.Genesis(s), SHA256: hash(body)}
	return &builder{t: t, store: store, stream: s, next: firstLo, link: link, floor: g.ExpiredBelow}
}

func (b *builder) put(c archive.Chunk) {
	b.t.Helper()
	key := layout.Chunk(b.stream, c.Meta.Lo)
	b.store.put(key, c.Body, c.Meta.Metadata())
	b.listed = append(b.listed, archive.ChunkEntryOf(c.Meta, key, int64(len(c.Body)), archive.CRC64(c.Body)))
	b.next, b.after = c.Meta.Hi+1, c.Meta.Lo
}

func (b *builder) chunkTo(hi chat.Seq) { b.put(chunk(b.t, b.stream, b.next, hi)) }

func (b *builder) expiredTo(hi chat.Seq) { b.put(expired(b.t, b.stream, b.next, hi)) }

func (b *builder) manifest(status string) {
	b.t.Helper()
	m := archive.Manifest{
		Format: archive.Format, SDKAppID: appID, GroupID: b.stream.GroupID, TopicID: b.stream.TopicID, Head: b.next - 1,
		Status: status, StartedAt: when(), FinishedAt: when().Add(time.Minute), Run: run, Previous: b.link,
		ExpiredBelow: b.floor,
	}
	m.SetChunks(b.listed)
	b.putManifest(m)
	b.listed = nil
}

func (b *builder) putManifest(m archive.Manifest) {
	b.t.Helper()
	body := must(b.t)(m.Encode())
	key := layout.Manifest(b.stream, m.Lo)
	b.store.put(key, body, nil)
	b.link = archive.Link{Key: key, SHA256: hash(body)}
}

func (b *builder) state(change func(*archive.State)) {
	b.t.Helper()
	s := archive.State{
		Format: archive.Format, Frontier: b.next, After: b.after, Head: b.next - 1, Status: archive.StatusComplete,
		UpdatedAt: when(),
	}
	if name, err := layout.Parse(b.link.Key); err == nil && name.Kind == layout.KindManifest {
		s.ManifestAfter = &archive.ManifestHint{Lo: name.Lo, SHA256: b.link.SHA256}
	}
	if change != nil {
		change(&s)
	}
	b.store.put(layout.State(b.stream), must(b.t)(s.Encode()), nil)
}

// sound builds an archive with all that an archive can have: two manifests, an expired range, and two chunks that no
// manifest lists yet.
func sound(t testing.TB, store *memStore, s chat.Stream) *builder {
	t.Helper()
	b := build(t, store, s, 1)
	b.chunkTo(20)
	b.chunkTo(45)
	b.manifest(archive.StatusPartial)
	b.expiredTo(60)
	b.chunkTo(80)
	b.manifest(archive.StatusComplete)
	b.chunkTo(90)
	b.chunkTo(100)
	b.state(nil)
	return b
}

func must(t testing.TB) func([]byte, error) []byte {
	t.Helper()
	return func(body []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
}

// edit changes an object's bytes and nothing else: its size, checksum and metadata stay.
func (b *builder) edit(key string, change func([]byte) []byte) {
	b.t.Helper()
	o, ok := b.store.objects[key]
	if !ok {
		b.t.Fatalf("no object %s to edit", key)
	}
	o.body = change(slices.Clone(o.body))
	b.store.objects[key] = o
}

func (b *builder) remove(key string) {
	b.t.Helper()
	if _, ok := b.store.objects[key]; !ok {
		b.t.Fatalf("no object %s to remove", key)
	}
	delete(b.store.objects, key)
}

// set changes a member of an object that is JSON.
func (b *builder) set(key, member string, value any) {
	b.t.Helper()
	b.edit(key, func(body []byte) []byte {
		var members map[string]any
		if err := json.Unmarshal(body, &members); err != nil {
			b.t.Fatal(err)
		}
		members[member] = value
		return must(b.t)(json.Marshal(members))
	})
}
