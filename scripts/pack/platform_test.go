//go:build linux

package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	chatemu "chatexport/internal/emulator/chat"
	scfemu "chatexport/internal/emulator/scf"
	"chatexport/internal/emulator/world"
)

// nobody is an ordinary user who owns nothing.
const nobody = 65534

func TestMain(m *testing.M) {
	if err := scfemu.Alone(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(m.Run())
}

// unpack does what the platform does with a package: it keeps names and modes, and nobody can write what it made.
func unpack(t *testing.T, packed []byte, folder string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, f.Name), body, f.Mode()&^0o222); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(folder, 0o555); err != nil { //nolint:gosec // others must be able to read it
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(folder, 0o755) }) //nolint:gosec // so that it can be removed
}

// site is an empty folder with the package in it, and a folder for temporary files.
func site(t *testing.T) (code, temporary string) {
	t.Helper()
	folder := t.TempDir()
	built := filepath.Join(folder, "main")
	if err := scfemu.Build(t.Context(), root, built, "./function", "-ldflags=-s -w"); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(folder, "chatexport.zip")
	run(t, ".", "go", "run", ".", built, target) // in a process of its own: the race detector makes it slow
	packed := read(t, target)
	code = filepath.Join(folder, "code")
	temporary = filepath.Join(code, "tmp") // inside, since the process may be locked up in there
	for _, dir := range []string{code, temporary} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{filepath.Dir(folder), folder} { // another user has to get there
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as said
			t.Fatal(err)
		}
	}
	unpack(t, packed, code)
	if os.Getuid() == 0 {
		if err := os.Chown(temporary, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return code, temporary
}

// TestPackage_RunsWithNothingButWhatThePlatformGives starts the unpacked package without HOME, in a folder that it
// cannot write to, and, where the test may do that, as another user and without any file of this machine.
func TestPackage_RunsWithNothingButWhatThePlatformGives(t *testing.T) {
	t.Parallel()
	code, temporary := site(t)
	w := world.New(t, world.Options{Env: map[string]string{"EXPORT_SPAN": "60"}})
	// The first batch cannot get on, so that the run needs a continuation.
	w.Chat.SetFault(func(c chatemu.Call) *chatemu.Fault {
		if c.Query.Seq > 200 && len(w.Cloud.Calls()) == 0 {
			return &chatemu.Fault{ErrorCode: 60099}
		}
		return nil
	})
	platform := w.Platform(scfemu.Config{Binary: filepath.Join(code, "main"), Prepare: func(cmd *exec.Cmd) {
		cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool {
			return !strings.HasPrefix(v, "_LAMBDA_SERVER_PORT=") && !strings.HasPrefix(v, "TENCENTCLOUD_RUNENV=")
		})
		cmd.Dir = code
		if os.Getuid() == 0 {
			cmd.Path, cmd.Dir = "/main", "/"
			cmd.SysProcAttr.Chroot = code
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
			return
		}
		cmd.Env = append(cmd.Env, "TMPDIR="+temporary)
	}})
	group := w.Group("g", 300)
	w.Push(w.Timer(group))
	if err := platform.Run(t.Context(), w.Queue); err != nil {
		t.Fatal(err)
	}
	for _, v := range platform.Invocations() {
		if v.Status != scfemu.StatusOK {
			t.Errorf("status %d: %s %q", v.Status, v.Error, v.Stderr)
		}
	}
	if n := len(platform.Invocations()); n < 2 {
		t.Errorf("%d invocations: no continuation was needed", n)
	}
	if report := w.Verify(group); report.Hi != 300 {
		t.Errorf("archived up to %d, want 300", report.Hi)
	}
	var files []string
	err := filepath.WalkDir(code, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, d.Name())
		}
		return err
	})
	if err != nil || len(files) != 1 {
		t.Errorf("the function left files behind: %q, %v", files, err)
	}
}
