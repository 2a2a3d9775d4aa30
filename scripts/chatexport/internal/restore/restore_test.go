package restore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/restore"
)

// lost is a world whose bucket is lost, but for a mirror of the bytes: two manifests, of three chunks and of one.
func lost(t *testing.T) (w *world.World, s chat.Stream, mirror string) {
	t.Helper()
	root := t.TempDir()
	w = world.New(t, world.Options{COS: cosemu.Options{Root: root}, Env: map[string]string{"EXPORT_SPAN": "20"}})
	s = w.Group("g", 50)
	w.Tick(s)
	if err := w.Chat.Generate(s, 10, chatemu.Varied); err != nil {
		t.Fatal(err)
	}
	w.Tick(s)
	mirror = filepath.Join(t.TempDir(), "mirror")
	for _, part := range []string{"data", "manifest", "state"} {
		at := filepath.Join(root, world.Bucket, part)
		if part != "state" {
			if err := os.CopyFS(filepath.Join(mirror, part), os.DirFS(at)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(at); err != nil {
			t.Fatal(err)
		}
	}
	return w, s, mirror
}

// Whatever write is the last one, what is in the bucket by then is a valid archive: the function goes on with it, or restore
// does.
func TestOrder_EveryPrefixIsAValidArchive(t *testing.T) {
	t.Parallel()
	const objects = 7 // genesis, three chunks, their manifest, a chunk, its manifest
	for most := range objects + 1 {
		for _, next := range []string{"function", "restore"} {
			w, s, mirror := lost(t)
			var puts atomic.Int64
			w.COS.SetFault(func(r *cosemu.Request) *cosemu.Fault {
				if r.Op == cosemu.OpPut && puts.Add(1) > int64(most) {
					return &cosemu.Fault{Status: 403, Code: "AccessDenied"}
				}
				return nil
			})
			r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", mirror)
			if done := most == objects; (r.Code == 0) != done || !done && r.Code != 3 {
				t.Fatalf("%d writes: exit code %d:\n%s%s", most, r.Code, r.Stdout, r.Stderr)
			}
			w.COS.SetFault(nil)
			report, err := verify.Stream(t.Context(), w.Store, s, verify.Options{})
			if most > 0 && (err != nil || !report.Sound()) {
				t.Errorf("%d writes: %v, findings %v", most, err, report.Findings)
			}
			if next == "restore" {
				if r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", mirror); r.Code != 0 {
					t.Errorf("%d writes, then again: exit code %d:\n%s%s", most, r.Code, r.Stdout, r.Stderr)
				}
			}
			w.Tick(s)
			if report := w.Verify(s); report.Hi != 60 {
				t.Errorf("%d writes, then the %s: archived to %d", most, next, report.Hi)
			}
		}
	}
}

// copied is a copy of what build writes beside a world whose bucket is empty.
func copied(t *testing.T, build func(testing.TB, archivetest.Store, chat.Stream) *clitest.Builder) (w *world.World, s chat.Stream, dir string) {
	t.Helper()
	s = chat.Stream{GroupID: "g"}
	store, at := clitest.Folder(t)
	build(t, store, s)
	dir = filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(at)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".chatexport")); err != nil {
		t.Fatal(err)
	}
	return world.New(t, world.Options{}), s, dir
}

func filed(t *testing.T) (w *world.World, s chat.Stream, dir string) {
	t.Helper()
	return copied(t, clitest.Filed)
}

// Whatever write is the last one, no receipt names a file that is not there, and no manifest a receipt.
func TestFiles_EveryPrefixOfTheirOrderIsAValidArchive(t *testing.T) {
	t.Parallel()
	const objects = 1 + 3 + 2 + 15 + 3 // genesis, chunks, manifests, files, receipts
	w, s, dir := filed(t)
	report := piecemeal(t, w, s, dir, objects)
	if f := report.Files; f.Receipts != 3 || f.Copied != 0 || f.Hashed != 15 || f.Outstanding != 5 {
		t.Errorf("at the end: %+v", f)
	}
}

// Nor does a receipt tell of what no manifest lists.
func TestLooks_EveryPrefixOfTheirOrderIsAValidArchive(t *testing.T) {
	t.Parallel()
	const objects = 1 + 5 + 4 + 2 + 4 // genesis, chunks, manifests, files, receipts
	w, s, dir := copied(t, clitest.Looked)
	report := piecemeal(t, w, s, dir, objects)
	if l := report.Looks; l.Receipts != 4 || l.Copied != 0 || l.Hashed != 2 || l.Outstanding != 10 {
		t.Errorf("at the end: %+v", l)
	}
}

// piecemeal restores a copy that has so many objects, one after the other, and verifies what is there each time.
func piecemeal(t *testing.T, w *world.World, s chat.Stream, dir string, objects int) (report verify.Report) {
	t.Helper()
	const most = 2
	var puts atomic.Int64
	w.COS.SetFault(func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == cosemu.OpPut && puts.Add(1) > most {
			return &cosemu.Fault{Status: 403, Code: "AccessDenied"}
		}
		return nil
	})
	// It is started again and again. A write that is cut off since another one is refused may have arrived or not.
	for n, done := 1, false; !done; n++ {
		puts.Store(0)
		r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", dir)
		if done = r.Code == 0; !done && r.Code != 3 || n > 3*objects {
			t.Fatalf("run %d: exit code %d:\n%s%s", n, r.Code, r.Stdout, r.Stderr)
		}
		var err error
		report, err = verify.Stream(t.Context(), w.Store, s, verify.Options{Files: true})
		if err != nil || !report.Sound() {
			t.Fatalf("after run %d: %v, findings %v", n, err, report.Findings)
		}
	}
	return report
}

// What a name says is what is put there, be the copy of the right size or not.
func TestFiles_DamagedOnesAreNotPutBack(t *testing.T) {
	t.Parallel()
	w, s, dir := filed(t)
	key := layout.Blob(archivetest.Hash(archivetest.Content("https://a.myqcloud.com/12")))
	clitest.Damage(t, dir, key, string(archivetest.Content("https://a.myqcloud.com/13")))
	r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", dir)
	if r.Code != 1 || !strings.Contains(r.Stdout, "g: "+key+": is not the file that its name says") {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if _, err := w.Store.Head(t.Context(), key); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("it was put there: %v", err)
	}
	if report, err := verify.Stream(t.Context(), w.Store, s, verify.Options{Files: true}); err != nil || !report.Sound() {
		t.Errorf("error %v, findings %v", err, report.Findings)
	}
}

// What is in the way is told, and nothing that needs it is put behind it.
func TestFiles_OtherOnesThereAreNotOverwritten(t *testing.T) {
	t.Parallel()
	w, s, dir := filed(t)
	key := layout.Blob(archivetest.Hash(archivetest.Content("https://a.myqcloud.com/12")))
	if _, err := w.Store.Create(t.Context(), key, objstore.Write{Body: []byte("other")}); err != nil {
		t.Fatal(err)
	}
	r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", dir)
	if r.Code != 1 || !strings.Contains(r.Stdout, "g: "+key+": is there with other bytes than the copy's") {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	for _, behind := range []string{layout.Media(s, 11), layout.Manifest(s, 21)} {
		if _, err := w.Store.Head(t.Context(), behind); !errors.Is(err, objstore.ErrNotExist) {
			t.Errorf("%s was put behind it: %v", behind, err)
		}
	}
}

// A write whose answer is lost has arrived: it is found there, and is the same.
func TestWrite_LostAnswerIsNoFinding(t *testing.T) {
	t.Parallel()
	w, s, mirror := lost(t)
	w.COS.SetFault(func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == cosemu.OpPut && r.N == 1 {
			return &cosemu.Fault{LoseAnswer: true}
		}
		return nil
	})
	r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", mirror, s.GroupID)
	if r.Code != 0 || !strings.Contains(r.Stdout, "restored") {
		t.Errorf("exit code %d:\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	w.COS.SetFault(nil)
	w.Tick(s)
	w.Verify(s)
}
