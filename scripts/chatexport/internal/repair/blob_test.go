package repair_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive/archivetest"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/repair"
)

// lostFile is a world with one archived file, whose bytes are gone from the bucket; and their key.
func lostFile(t *testing.T, spec mediaemu.Spec) (w *world.World, f *mediaemu.File, key string) {
	t.Helper()
	root := t.TempDir()
	w = world.New(t, world.Options{COS: cosemu.Options{Root: root}, Env: map[string]string{"EXPORT_MEDIA": "on"}})
	s := w.Group("g", 0)
	spec.Content = mediaemu.Bytes([]byte("content"))
	f = w.Media.Add(spec)
	m := chatemu.Message{
		From: "u", Time: time.Now().Add(-5 * time.Minute).Unix(),
		Body: chatemu.MsgBody(chatemu.FileElem(chatemu.Media{URL: f.URL(), Name: "f", Size: f.Size()})),
	}
	if err := w.Chat.Append(s, m); err != nil {
		t.Fatal(err)
	}
	w.Tick(s)
	key = layout.Blob(archivetest.Hash([]byte("content")))
	if err := os.Remove(filepath.Join(root, world.Bucket, filepath.FromSlash(key))); err != nil {
		t.Fatal(err)
	}
	return w, f, key
}

func TestFile_IsFetchedAgainAndPutBack(t *testing.T) {
	t.Parallel()
	w, f, key := lostFile(t, mediaemu.Spec{Access: mediaemu.Signed403})
	r := clitest.Run(t, repair.Command(clitest.Env(w.Env)), "--files", "--dry-run")
	if r.Code != 1 || !strings.Contains(r.Stdout, "mendable: "+key+": fetched again: 7 bytes") || exists(t, w, key) {
		t.Errorf("only tried: exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	r = clitest.Run(t, repair.Command(clitest.Env(w.Env)), "--files")
	if r.Code != 0 || !strings.Contains(r.Stdout, "g: mended: "+key) || !exists(t, w, key) {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	asked := f.Count()
	if r = clitest.Run(t, repair.Command(clitest.Env(w.Env)), "--files"); r.Code != 0 || !strings.Contains(r.Stdout, "nothing is to be mended") || f.Count() != asked {
		t.Errorf("once more: exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestFile_WithOtherBytesIsNotPutBack(t *testing.T) {
	t.Parallel()
	w, f, key := lostFile(t, mediaemu.Spec{})
	f.Content = mediaemu.Bytes([]byte("CONTENT"))
	r := clitest.Run(t, repair.Command(clitest.Env(w.Env)), "--files")
	if r.Code != 1 || !strings.Contains(r.Stdout, "g: not mended: "+key) || !strings.Contains(r.Stdout, "other bytes than were stored") || exists(t, w, key) {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestFile_ThatIsGoneOrInTheWay(t *testing.T) {
	t.Parallel()
	w, f, key := lostFile(t, mediaemu.Spec{})
	f.Missing = true
	r := clitest.Run(t, repair.Command(clitest.Env(w.Env)), "--files")
	if r.Code != 1 || !strings.Contains(r.Stdout, "not mended: "+key) || !strings.Contains(r.Stdout, "gone") || strings.Contains(r.Stdout, f.URL()) {
		t.Errorf("gone: exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if _, err := w.Store.Create(t.Context(), key, objstore.Write{Body: []byte("short")}); err != nil {
		t.Fatal(err)
	}
	r = clitest.Run(t, repair.Command(clitest.Env(w.Env)), "--read")
	if r.Code != 1 || !strings.Contains(r.Stdout, "remove first: "+key+": has 5 bytes, but ") {
		t.Errorf("in the way: exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
