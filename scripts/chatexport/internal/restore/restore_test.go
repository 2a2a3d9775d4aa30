package restore_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
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
