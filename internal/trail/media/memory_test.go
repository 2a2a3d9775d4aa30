package media_test

import (
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/archive"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// sink takes blobs without keeping them, which the emulator of the store would do in memory, and notes the largest heap
// meanwhile.
type sink struct {
	mu    sync.Mutex
	files int
	bytes int64 // of them all
	peak  uint64
}

func (s *sink) before(service string, next http.Handler) http.Handler {
	if service != "cos" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || !strings.HasPrefix(r.URL.Path, "/"+layout.BlobPrefix) {
			next.ServeHTTP(w, r)
			return
		}
		crc := objstore.NewCRC64()
		n, err := io.Copy(io.MultiWriter(crc, s), io.LimitReader(r.Body, r.ContentLength))
		if err != nil || n != r.ContentLength {
			panic(http.ErrAbortHandler)
		}
		s.mu.Lock()
		s.files++
		s.mu.Unlock()
		w.Header().Set("X-Cos-Hash-Crc64ecma", strconv.FormatUint(crc.Sum64(), 10))
	})
}

// Write looks at the heap now and then.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes += int64(len(p)); s.bytes%(1<<20) < int64(len(p)) {
		s.peak = max(s.peak, heap())
	}
	return len(p), nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// Files of any size go through in the memory of a few buffers, no more of them at once than the temporary folder has room
// for, and leave nothing there. Not parallel: it measures memory.
func TestMemory_DoesNotFollowTheSizeOfFiles(t *testing.T) { //nolint:paralleltest // see above
	const small, smallBytes, large = 40, 200 << 10, 100 << 20
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := &sink{}
	w := world.New(t, world.Options{Wrap: s.before, Env: map[string]string{"EXPORT_MEDIA": "on"}})
	if err := w.Chat.AddGroup(chatemu.Group{ID: group.GroupID}); err != nil {
		t.Fatal(err)
	}
	for n := range small + 1 {
		size := int64(smallBytes)
		if n == small/2 {
			size = large
		}
		f := w.Media.Add(mediaemu.Spec{Content: mediaemu.Generated(uint64(n), size), Type: "video/mp4"})
		body := chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: f.URL(), Size: size, Name: "a.mp4"}))
		if err := w.Chat.Append(group, chatemu.Message{Time: time.Now().Add(-time.Hour).Unix(), Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	before := heap()
	w.Tick(group)
	for _, l := range receipts(t, w) {
		if l.State != archive.MediaStored {
			t.Errorf("%+v", l)
		}
	}
	if s.files != small+1 {
		t.Errorf("%d files were stored", s.files)
	}
	t.Logf("the heap had %d KB before, and %d KB more at most", before>>10, (max(s.peak, before)-before)>>10)
	if s.peak > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, s.peak)
	}
	if n := w.Media.Counters().MaxParallel; n > 4 {
		t.Errorf("%d files were fetched side by side", n)
	}
	left, err := os.ReadDir(dir)
	for _, f := range left {
		if strings.HasPrefix(f.Name(), "chatexport-") {
			t.Errorf("%s is left", f.Name())
		}
	}
	if err != nil {
		t.Error(err)
	}
}
