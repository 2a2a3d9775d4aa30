//go:build unix

package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The process is killed at random moments and started again with the same folder: whatever it was doing, the archive
// ends up sound, with the same messages.
func TestDemoRestart_AfterKillsEndsInTheSameArchive(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and kills a process many times")
	}
	folder := t.TempDir()
	binary, out := filepath.Join(folder, "chatexport"), filepath.Join(folder, "demo")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	flags := []string{
		"demo", "--json", "--out", out, "--messages", "1500", "--latency", "2ms", "--qps", "60", "--time-limit", "2s", "--span", "100",
	}
	const (
		kills = 6
		step  = 300 * time.Millisecond
	)
	killed := 0
	for killed < kills {
		// Later each time, so that every part of a run is met: filling, pulling, writing, finishing, verifying.
		after := time.Duration(killed)*step + time.Duration(rand.Int64N(int64(step)))
		if !killAfter(t, after, binary, flags) {
			break // it was done before
		}
		killed++
	}
	t.Logf("killed %d times", killed)
	if killed < 2 {
		t.Error("the demo was done before it could be killed twice: this proves nothing")
	}

	var stdout, stderr bytes.Buffer
	last := exec.CommandContext(t.Context(), binary, flags...)
	last.Stdout, last.Stderr = &stdout, &stderr
	if err := last.Run(); err != nil {
		t.Fatalf("last start: %v\n%s%s", err, &stdout, &stderr)
	}
	t.Logf("last start:\n%s", &stderr)
	r := decode(t, stdout.String())
	if !r.Sound || r.Messages != 1500 {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(source(t, 1500), archived(t, r.Archive)); diff != "" {
		t.Errorf("archived texts (-source +archive):\n%s", diff)
	}
}

// killAfter starts the demo and kills it after a while; false means that it ended before, which must be for good.
func killAfter(t *testing.T, after time.Duration, binary string, flags []string) bool {
	t.Helper()
	var output bytes.Buffer
	c := exec.CommandContext(t.Context(), binary, flags...)
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = c.Process.Signal(os.Kill) })
	defer kill.Stop()
	err := c.Wait()
	t.Logf("start, killed after %s:\n%s", after, &output)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return true
		}
	}
	if err != nil {
		t.Fatalf("start: %v\n%s", err, &output)
	}
	return false
}
