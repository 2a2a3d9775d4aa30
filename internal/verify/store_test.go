package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
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

// Overwrite implements archivetest.Store.
func (m *memStore) Overwrite(_ context.Context, key string, w objstore.Write) (objstore.Object, error) {
	m.put(key, w.Body, w.Metadata)
	return objstore.Object{}, nil
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

func (m *memStore) Open(_ context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	o, err := m.find(key)
	if err != nil {
		return nil, o.obj, err
	}
	return objstore.Verified(io.NopCloser(bytes.NewReader(o.body)), o.obj, func(err error) error { return err }), o.obj, nil
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

// messages are the elements of [lo, hi].
func messages(t testing.TB, lo, hi chat.Seq) []chat.Element {
	t.Helper()
	var texts []string
	for seq := lo; seq <= hi; seq++ {
		if raw, ok := message(seq); ok {
			texts = append(texts, raw)
		}
	}
	return archivetest.Elements(t, texts...)
}

func chunk(t testing.TB, s chat.Stream, lo, hi chat.Seq) archive.Chunk {
	t.Helper()
	return archivetest.Chunk(t, s, lo, hi, messages(t, lo, hi)...)
}

// builder builds an archive, and spoils it.
type builder struct {
	*archivetest.Builder

	t     testing.TB
	store *memStore
}

func build(t testing.TB, store *memStore, s chat.Stream, firstLo chat.Seq) *builder {
	t.Helper()
	return &builder{Builder: archivetest.Build(t, store, s, firstLo), t: t, store: store}
}

func (b *builder) chunkTo(hi chat.Seq) { b.Chunk(hi, messages(b.t, b.Next, hi)...) }

// sound builds an archive with all that an archive can have: two manifests, an expired range, and two chunks that no
// manifest lists yet.
func sound(t testing.TB, store *memStore, s chat.Stream) *builder {
	t.Helper()
	b := build(t, store, s, 1)
	b.chunkTo(20)
	b.chunkTo(45)
	b.Manifest(archive.StatusPartial)
	b.Expired(60)
	b.chunkTo(80)
	b.Manifest(archive.StatusComplete)
	b.chunkTo(90)
	b.chunkTo(100)
	b.State(nil)
	return b
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
		body, err := json.Marshal(members)
		if err != nil {
			b.t.Fatal(err)
		}
		return body
	})
}
