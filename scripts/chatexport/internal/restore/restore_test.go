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

// filed is a copy with files beside a world whose bucket is empty.
func filed(t *testing.T) (w *world.World, s chat.Stream, copied string) {
	t.Helper()
	s = chat.Stream{GroupID: "g"}
	store, dir := clitest.Folder(t)
	clitest.Filed(t, store, s)
	copied = filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(copied, ".chatexport")); err != nil {
		t.Fatal(err)
	}
	return world.New(t, world.Options{}), s, copied
}

// Whatever write is the last one, no receipt names a file that is not there, and no manifest a receipt.
func TestFiles_EveryPrefixOfTheirOrderIsAValidArchive(t *testing.T) {
	t.Parallel()
	const objects, most = 1 + 3 + 2 + 15 + 3, 2 // genesis, chunks, manifests, files, receipts
	w, s, copied := filed(t)
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
		r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", copied)
		if done = r.Code == 0; !done && r.Code != 3 || n > 3*objects {
			t.Fatalf("run %d: exit code %d:\n%s%s", n, r.Code, r.Stdout, r.Stderr)
		}
		report, err := verify.Stream(t.Context(), w.Store, s, verify.Options{Files: true})
		if err != nil || !report.Sound() {
			t.Fatalf("after run %d: %v, findings %v", n, err, report.Findings)
		}
		if f := report.Files; done && (f.Receipts != 3 || f.Copied != 0 || f.Hashed != 15 || f.Outstanding != 5) {
			t.Errorf("at the end: %+v", f)
		}
	}
}

// What a name says is what is put there, be the copy of the right size or not.
func TestFiles_DamagedOnesAreNotPutBack(t *testing.T) {
	t.Parallel()
	w, s, copied := filed(t)
	key := layout.Blob(archivetest.Hash(archivetest.Content("https://a.myqcloud.com/12")))
	clitest.Damage(t, copied, key, string(archivetest.Content("https://a.myqcloud.com/13")))
	r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", copied)
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
	w, s, copied := filed(t)
	key := layout.Blob(archivetest.Hash(archivetest.Content("https://a.myqcloud.com/12")))
	if _, err := w.Store.Create(t.Context(), key, objstore.Write{Body: []byte("other")}); err != nil {
		t.Fatal(err)
	}
	r := clitest.Run(t, restore.Command(clitest.Env(w.Env)), "--dir", copied)
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
