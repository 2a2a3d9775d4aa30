package cosstore_test

import (
	"crypto/md5"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/cosstore"
)

// zeros is content that takes no memory.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

func zeroFile(t *testing.T, size int64) *objstore.File {
	t.Helper()
	f := &objstore.File{Content: zeros{}, Size: size}
	sum, crc := md5.New(), objstore.NewCRC64()
	if _, err := io.Copy(io.MultiWriter(sum, crc), f.Reader()); err != nil {
		t.Fatal(err)
	}
	f.MD5, f.CRC64 = [md5.Size]byte(sum.Sum(nil)), crc.Sum64()
	return f
}

// A file goes through in pieces, its length told, whole again for every attempt. Not parallel: it measures memory.
func TestFile_IsSentInBoundedMemory(t *testing.T) {
	const size = 64 << 20
	file := zeroFile(t, size)
	var attempts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attempt := attempts.Add(1)
		if r.ContentLength != size {
			t.Errorf("attempt %d has the length %d, want %d", attempt, r.ContentLength, size)
		}
		if attempt == 1 {
			_, _ = io.CopyN(io.Discard, r.Body, size/2)
			panic(http.ErrAbortHandler)
		}
		if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
			t.Errorf("attempt %d has %d bytes, %v", attempt, n, err)
		}
		w.Header().Set("X-Cos-Hash-Crc64ecma", strconv.FormatUint(file.CRC64, 10))
	}))
	defer server.Close()
	s := openStore(t, server.URL, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o, err := s.Create(t.Context(), "k", objstore.Write{File: file})
	runtime.ReadMemStats(&after)
	if err != nil || o.Size != size || attempts.Load() != 2 {
		t.Errorf("create: %+v, %v, after %d attempts", o, err, attempts.Load())
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > size/8 {
		t.Errorf("%d bytes were allocated for %d", used, size)
	}
}

func TestOpen_TellsAtTheEndWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault cosemu.Fault
		times int
		open  error // of Open itself
		read  error // of the reader
	}{
		"nothing":             {times: 0},
		"slow down once":      {fault: status(503, "SlowDown"), times: 1},
		"damaged":             {fault: cosemu.Fault{Damage: true}, times: always, read: objstore.ErrCorrupt},
		"wrong checksum":      {fault: cosemu.Fault{WrongCRC: true}, times: always, read: objstore.ErrCorrupt},
		"no checksum":         {fault: cosemu.Fault{NoCRC: true}, times: always, open: objstore.ErrCorrupt},
		"cut short":           {fault: cosemu.Fault{Truncate: true}, times: always, read: io.ErrUnexpectedEOF},
		"denied":              {fault: status(403, "AccessDenied"), times: always, open: objstore.ErrDenied},
		"a bucket is missing": {fault: status(404, "NoSuchBucket"), times: always, open: objstore.ErrNoBucket},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emu, url := startEmulator(t, nil)
			if _, err := openStore(t, url, nil).Create(t.Context(), "k", objstore.Write{Body: []byte(strings.Repeat("x", 50000))}); err != nil {
				t.Fatal(err)
			}
			emu.SetFault(first(c.times, cosemu.OpGet, c.fault))
			s := openStore(t, url, func(cfg *cosstore.Config) { cfg.StallTimeout = stallFor(faultCase{fault: c.fault}) })
			r, _, err := s.Open(t.Context(), "k")
			if !errors.Is(err, c.open) {
				t.Fatalf("open: %v, want %v", err, c.open)
			}
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, r)
			if !errors.Is(err, c.read) || c.read == nil && n != 50000 {
				t.Errorf("read: %d bytes, %v, want %v", n, err, c.read)
			}
			if e, ok := errors.AsType[*objstore.Error](err); err != nil && (!ok || e.Key != "k" || e.Op != "get") {
				t.Errorf("error %v does not say what was read", err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
