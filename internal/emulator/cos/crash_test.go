package cosemu_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"

	cosemu "chatexport/internal/emulator/cos"
)

const crashRoot = "COSEMU_CRASH_ROOT"

// TestServeUntilKilled is no test: it is the process that TestKillAtAnyMomentLeavesWholeObjects kills.
func TestServeUntilKilled(t *testing.T) {
	root := os.Getenv(crashRoot)
	if root == "" {
		t.Skip("only as a child process")
	}
	_, base, err := cosemu.Start(options(root))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("listening " + base)
	_, _ = io.Copy(io.Discard, os.Stdin) // until killed, or until the parent is gone
}

// selfDescribed is a body of version v whose metadata can be checked against it.
func selfDescribed(v int) ([]byte, *cos.ObjectPutOptions) {
	body := bytes.Repeat([]byte(fmt.Sprintf("version %d\n", v)), 100*(v%7+1))
	sum := sha256.Sum256(body)
	return body, &cos.ObjectPutOptions{ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{
		XCosMetaXXX: &http.Header{"X-Cos-Meta-Sha256": {fmt.Sprintf("%x", sum)}, "X-Cos-Meta-V": {strconv.Itoa(v)}},
	}}
}

func TestKillAtAnyMomentLeavesWholeObjects(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	acknowledged := map[string]int{}
	version := 0
	for round := range 6 {
		base, kill := spawn(t, root)
		c := client(t, transport(t, base))
		dead := time.AfterFunc(time.Duration(20+17*round)*time.Millisecond, kill)
		for {
			version++
			key := "state/" + strconv.Itoa(version%3)
			if version%5 == 0 {
				key = "data/" + strconv.Itoa(version)
			}
			body, opt := selfDescribed(version)
			if _, err := c.Object.Put(t.Context(), key, bytes.NewReader(body), opt); err != nil {
				break // killed
			}
			acknowledged[key] = version
		}
		dead.Stop()
		kill()
		checkStore(t, root, acknowledged)
	}
	if version < 12 {
		t.Errorf("only %d writes in all rounds: nothing was tested", version)
	}
}

// spawn starts the emulator in a process of its own.
func spawn(t *testing.T, root string) (base string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "-test.run=^TestServeUntilKilled$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), crashRoot+"="+root)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if base, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
			return base, func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() }
		}
	}
	t.Fatalf("the emulator did not start: %v", lines.Err())
	return "", nil
}

// checkStore proves that every object is whole, at least as new as what was acknowledged, and shown by the tree.
func checkStore(t *testing.T, root string, acknowledged map[string]int) {
	t.Helper()
	emu, c := start(t, options(root))
	for key, version := range acknowledged {
		resp, err := c.Object.Get(t.Context(), key, nil)
		if err != nil {
			t.Fatalf("%s is gone: %v", key, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		sum, crc := sha256.Sum256(body), crc64.Checksum(body, crc64.MakeTable(crc64.ECMA))
		if resp.Header.Get("x-cos-meta-sha256") != fmt.Sprintf("%x", sum) || resp.Header.Get("x-cos-hash-crc64ecma") != strconv.FormatUint(crc, 10) {
			t.Errorf("%s: metadata %v do not describe its %d bytes", key, resp.Header, len(body))
		}
		if v, err := strconv.Atoi(resp.Header.Get("x-cos-meta-v")); err != nil || v < version {
			t.Errorf("%s: version %d (%v) is older than the acknowledged %d", key, v, err, version)
		}
		if shown, err := os.ReadFile(filepath.Join(root, bucket, filepath.FromSlash(key))); err != nil || !bytes.Equal(shown, body) {
			t.Errorf("%s: the readable tree shows %d other bytes (%v)", key, len(shown), err)
		}
	}
	if err := emu.Close(); err != nil {
		t.Error(err)
	}
	metas, blobs := countFiles(t, root, "meta"), countFiles(t, root, "blobs")
	if metas != blobs {
		t.Errorf("%d blobs for %d objects: a crash left litter", blobs, metas)
	}
}

func countFiles(t *testing.T, root, folder string) int {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(root, ".cos", bucket, folder))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestOpenMendsWhatACrashLeft takes every state between two steps of a write or a delete.
func TestOpenMendsWhatACrashLeft(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	emu, c := start(t, options(root))
	put(t, c, "dir/kept", "kept")
	put(t, c, "dir/deleted", "deleted")
	if err := emu.Close(); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(root, ".cos", bucket)
	tree := filepath.Join(root, bucket, "dir")
	for _, step := range []error{
		os.WriteFile(filepath.Join(own, "blobs", "received"), []byte("never committed"), 0o600),
		os.WriteFile(filepath.Join(own, "tmp", "half"), []byte(`{"key":`), 0o600),
		os.Remove(filepath.Join(tree, "kept")), // committed, not shown yet
		os.WriteFile(filepath.Join(root, bucket, "foreign.txt"), []byte("a person's own file"), 0o600),
		removeMeta(own, "dir/deleted"), // deleted, still shown
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	_, c = start(t, options(root))
	if got := get(t, c, "dir/kept"); got != "kept" {
		t.Errorf("kept object holds %q", got)
	}
	_, err := c.Object.Get(t.Context(), "dir/deleted", nil)
	wantCode(t, "deleted object", err, http.StatusNotFound, "NoSuchKey")
	if got, err := os.ReadFile(filepath.Join(tree, "kept")); err != nil || string(got) != "kept" {
		t.Errorf("tree shows %q (%v)", got, err)
	}
	if _, err := os.Stat(filepath.Join(tree, "deleted")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tree still shows the deleted object (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(root, bucket, "foreign.txt")); err != nil {
		t.Errorf("a person's file is gone: %v", err)
	}
	if n := countFiles(t, root, "blobs"); n != 1 {
		t.Errorf("%d blobs, want 1", n)
	}
}

func removeMeta(own, key string) error {
	return os.Remove(filepath.Join(own, "meta", fmt.Sprintf("%x.json", sha256.Sum256([]byte(key)))))
}

func TestDurableStoreAndBrokenDisk(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	opts := options(root)
	opts.Durable = true
	_, c := start(t, opts)
	put(t, c, "k", "one")
	put(t, c, "k", "two")
	if got := get(t, c, "k"); got != "two" {
		t.Errorf("stored %q", got)
	}
	blobs := filepath.Join(root, ".cos", bucket, "blobs")
	if err := os.Rename(blobs, blobs+".away"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Object.Put(t.Context(), "other", newBody("x"), nil)
	wantCode(t, "put without a disk", err, http.StatusInternalServerError, "InternalError")
	_, err = c.Object.Get(t.Context(), "k", nil)
	wantCode(t, "get without a disk", err, http.StatusInternalServerError, "InternalError")
	if err := os.Rename(blobs+".away", blobs); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, "k"); got != "two" {
		t.Errorf("stored %q after the disk came back", got)
	}
}

func TestBodyCutShortStoresNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	emu, c := start(t, options(root))
	opt := &cos.ObjectPutOptions{ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{ContentLength: 100000}}
	half := io.MultiReader(newBody(strings.Repeat("x", 50000)), iotest.ErrReader(errors.New("the client dies")))
	if _, err := c.Object.Put(t.Context(), "k", half, opt); err == nil {
		t.Error("half a body was accepted")
	}
	_, err := c.Object.Get(t.Context(), "k", nil)
	wantCode(t, "get", err, http.StatusNotFound, "NoSuchKey")
	if err := emu.Close(); err != nil {
		t.Error(err)
	}
	if n := countFiles(t, root, "blobs"); n != 0 {
		t.Errorf("%d blobs left", n)
	}
	if n := emu.Count(cosemu.OpPut, "k"); n != 1 {
		t.Errorf("%d PUTs, want 1", n)
	}
}
