package change_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
	"chatexport/internal/pull"
	"chatexport/internal/retry"
	"chatexport/internal/trail"
	"chatexport/internal/trail/change"
)

// long is a service that makes its messages when they are asked for, each of half a kilobyte. Every hundredth was edited.
type long struct {
	mu    sync.Mutex
	pages int
	look  func() // at the memory, now and then
}

const heavy = 500

func (l *long) element(t testing.TB, seq chat.Seq, edited bool) chat.Element {
	t.Helper()
	text := fmt.Sprint(seq, " ", edited && seq%100 == 0, strings.Repeat(".", heavy))
	return archivetest.Elements(t, fmt.Sprintf(`{"From_Account":"a","IsPlaceMsg":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":%q}}],"MsgRandom":%d,"MsgSeq":%d,"MsgTimeStamp":1700000000}`, text, seq, seq))[0]
}

type answering struct {
	*long

	t testing.TB
}

func (a answering) Page(_ context.Context, q chat.Query) (chat.Page, error) {
	a.mu.Lock()
	if a.pages++; a.pages%100 == 0 {
		a.look()
	}
	a.mu.Unlock()
	page := chat.Page{Finished: chat.FinishedInterval}
	for seq := q.Seq; seq > q.Seq-chat.Seq(q.Number); seq-- {
		page.Elements = append(page.Elements, a.element(a.t, seq, true))
	}
	return page, nil
}

// archive makes the archive of the first n messages, before they were edited, and returns how large the chunk is unpacked.
func (l *long) archive(t *testing.T, store archivetest.Store, n chat.Seq) int64 {
	t.Helper()
	b := archivetest.Build(t, store, group, 1)
	w := archive.NewChunkWriter(group, 1)
	for lo := chat.Seq(1); lo <= n; lo += 1000 {
		elements := make([]chat.Element, 1000)
		for i := range elements {
			elements[i] = l.element(t, lo+chat.Seq(i), false)
		}
		must(t, w.Append(lo+999, elements))
	}
	c, err := w.Close("20240102T083000Z-1f2e3d4c", "request", "writer")
	must(t, err)
	b.Put(c)
	b.Manifest(archive.StatusComplete)
	return c.Meta.RawBytes
}

// However large a chunk is, a look holds it packed and little more. The memory of the process is measured: nothing runs beside it.
func TestMemory_OfALookIsFlat(t *testing.T) { //nolint:paralleltest // see above
	const most = 16 << 20
	n := chat.Seq(100_000)
	if testing.Short() {
		n = 50_000
	}
	store, service := memstore.New(memstore.Options{}), &long{}
	if unpacked := service.archive(t, store, n); unpacked < 2*most {
		t.Fatalf("the chunk has %d bytes unpacked", unpacked)
	}
	runtime.GC()
	before, peak := inUse(), uint64(0)
	service.look = func() { now := inUse(); peak = max(peak, now-min(before, now)) }
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(before + most*3/4)))
	reader := &pull.Reader{
		Source: answering{service, t}, Caller: chatapi.NewCaller(retry.NewLimiter(1e9)), Stream: group, Concurrency: 16, Log: zerolog.Nop(),
	}
	follower := trail.Open(&change.Kind{After: time.Hour, Retention: 1 << 62}, trail.Batch{
		Stream: group, Store: objstore.Observe(store, &objstore.WriteTimes{}), Reader: reader, Run: "20240102T083000Z-1f2e3d4c", Writer: "w",
		Jitter: func(bound time.Duration) time.Duration { return bound }, Log: zerolog.Nop(),
	}, nil)
	follower.Begin(1, "")
	end := time.Now().Add(time.Hour)
	stand := follower.Follow(t.Context(), trail.Following{To: n + 1, Until: end, End: end, Half: end})
	if stand.Err != nil || stand.Left || stand.Counts[archive.ChangeEdited] != int64(n/100) || stand.Counts[archive.ChangeSame] != int64(n-n/100) {
		t.Errorf("%+v", stand)
	}
	if peak > most {
		t.Errorf("%d MB", peak>>20)
	}
	o, err := store.Head(t.Context(), layout.Chunk(group, 1))
	must(t, err)
	t.Logf("%d pages, %d KB packed, %d MB at most", service.pages, o.Size>>10, peak>>20)
}

// inUse is the memory that the process has from the system for its heap.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
