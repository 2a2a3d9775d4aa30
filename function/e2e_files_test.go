package main_test

import (
	"bytes"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/media/mix"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// receipts reads what became of a stream's links.
func receipts(t *testing.T, w *world.World, s chat.Stream) (lines []archive.MediaLine) {
	t.Helper()
	for entry, err := range w.Store.List(t.Context(), layout.MediaPrefix(s), "") {
		must(t, err)
		body, _, err := w.Store.Get(t.Context(), entry.Key)
		must(t, err)
		_, err = archive.ReadMediaReceipt(bytes.NewReader(body), func(l archive.MediaLine) error {
			lines = append(lines, l)
			return nil
		})
		must(t, err)
	}
	return lines
}

// Whenever the process is killed, every link ends in one receipt, and what is stored is what its host served.
func TestFiles_AreArchivedThroughKills(t *testing.T) {
	t.Parallel()
	const kills, step = 6, 250 * time.Millisecond
	s := begin(t, world.Options{
		TimeLimit: 20 * time.Second, Queue: cloudemu.QueueOptions{Retries: kills}, Media: mediaemu.Options{Latency: 20 * time.Millisecond},
		Env: map[string]string{"EXPORT_MEDIA": "on", "MEDIA_MAX_BYTES": "100000", "CHAT_QPS": "100", "EXPORT_SPAN": "50"},
	}, scfemu.Config{Fault: func(v scfemu.Invocation) scfemu.Fault {
		if v.N > kills {
			return scfemu.Fault{}
		}
		return scfemu.Fault{KillAfter: time.Duration(v.N) * step} // later each time, so that more is done
	}})
	stream := chat.Stream{GroupID: "@TGS#files"}
	must(t, s.Chat.AddGroup(chatemu.Group{ID: stream.GroupID}))
	links, err := mix.Fill(s.Chat, s.Media, stream, mix.Options{
		Seed: 11, Messages: 80, Share: 0.5, MaxBytes: 100000, Time: time.Now().Add(-5 * 24 * time.Hour).Unix(), // nothing is waited for
	})
	must(t, err)
	s.Push(s.Timer(stream))
	s.serve()
	got := receipts(t, s.World, stream)
	if len(got) != len(links) {
		t.Fatalf("%d links have receipts, there are %d", len(got), len(links))
	}
	for i, l := range got {
		want := links[i]
		if l.Seq != want.Seq || l.N != want.N || l.URL != want.URL || !want.May(l.State) {
			t.Errorf("link %d is %+v, want %+v", i, l, want)
		}
		if l.State != archive.MediaStored {
			continue
		}
		if _, object, err := s.Store.Get(t.Context(), layout.Blob(l.SHA256)); err != nil || l.SHA256 != want.SHA256 || object.Size != want.Bytes {
			t.Errorf("the file of link %d (%s): %+v, %v", i, want.Fortune, l, err)
		}
	}
	s.Verify(stream)
	if n := s.platform.Temporary(); n > 0 {
		t.Errorf("%d bytes are left in the temporary folder", n)
	}
	if n := s.platform.Starts(); n <= kills {
		t.Errorf("the process was started %d times: it was not killed", n)
	}
}
