package dirstore_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"chatexport/internal/objstore"
)

const crashFolder = "DIRSTORE_CRASH_FOLDER"

// TestCrash_WriteUntilKilled is no test: it is the process that TestCrash_KillAtAnyMomentLeavesWholeObjects kills. It
// says which version of which key it has written.
func TestCrash_WriteUntilKilled(t *testing.T) {
	dir := os.Getenv(crashFolder)
	if dir == "" {
		t.Skip("only as a child process")
	}
	s := create(t, dir)
	s.NoSync = true
	for v := int(time.Now().UnixNano()); ; v++ {
		key := "state/" + strconv.Itoa(v%3) + ".json"
		if v%5 == 0 {
			key = "data/" + strconv.Itoa(v) + ".gz"
		}
		if _, err := s.Overwrite(t.Context(), key, selfDescribed(v)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("written", key, v)
	}
}

// selfDescribed is a body of version v whose metadata can be checked against it.
func selfDescribed(v int) objstore.Write {
	body := bytes.Repeat(fmt.Appendf(nil, "version %d\n", v), 100*(v%7+1))
	return objstore.Write{Body: body, Metadata: map[string]string{"sha256": fmt.Sprintf("%x", sha256.Sum256(body)), "v": strconv.Itoa(v)}}
}

func TestCrash_KillAtAnyMomentLeavesWholeObjects(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "archive")
	written := map[string]int{}
	for round := range 6 {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "-test.run=^TestCrash_WriteUntilKilled$", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), crashFolder+"="+dir)
		out, err := cmd.StdoutPipe()
		if err = errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		kill := func() { _ = cmd.Process.Kill() }
		began := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var key string
			var v int
			if n, _ := fmt.Sscanf(lines.Text()+"\n", "written %s %d\n", &key, &v); n != 2 {
				continue // cut short
			}
			if !began {
				began = true
				time.AfterFunc(time.Duration(5+7*round)*time.Millisecond, kill)
			}
			written[key] = v
		}
		kill()
		_ = cmd.Wait() // it was killed
		if !began {
			t.Fatal("nothing was written")
		}
		checkWhole(t, dir, written)
	}
}

// checkWhole proves that every object is whole and at least as new as the process said, and that the next writer finds
// no litter in its way.
func checkWhole(t *testing.T, dir string, written map[string]int) {
	t.Helper()
	s := create(t, dir)
	for key, version := range written {
		body, o, err := s.Get(t.Context(), key)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		if o.Metadata["sha256"] != fmt.Sprintf("%x", sha256.Sum256(body)) {
			t.Errorf("%s: metadata %v do not describe its %d bytes", key, o.Metadata, len(body))
		}
		if v, err := strconv.Atoi(o.Metadata["v"]); err != nil || v < version {
			t.Errorf("%s: version %d (%v) is older than the acknowledged %d", key, v, err, version)
		}
	}
	if _, err := s.Overwrite(t.Context(), "state/next.json", objstore.Write{}); err != nil {
		t.Errorf("next writer: %v", err)
	}
	if litter, err := os.ReadDir(filepath.Join(dir, ".chatexport", "tmp")); err != nil || len(litter) > 0 {
		t.Errorf("%v (%v) is left of what was being written", litter, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A crash between record and bytes leaves what was there before: nothing, or the old version.
func TestCrash_BetweenRecordAndBytes(t *testing.T) {
	t.Parallel()
	s := open(t)
	put(t, s, "new.json", "x")
	if err := os.Remove(filepath.Join(s.Dir(), "new.json")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(t.Context(), "new.json"); !errors.Is(err, objstore.ErrNotExist) {
		t.Errorf("get of a record without bytes: %v", err)
	}
	put(t, s, "new.json", "y")

	// An overwrite that died had put the record in place, which names both versions.
	for _, v := range []string{"1", "2"} {
		write := objstore.Write{Body: []byte("body " + v), Metadata: map[string]string{"v": v}}
		if _, err := s.Overwrite(t.Context(), "state.json", write); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(s.Dir(), ".chatexport", "meta", fmt.Sprintf("%x.json", sha256.Sum256([]byte("state.json"))))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rec map[string]any
	if err := json.Unmarshal(text, &rec); err != nil {
		t.Fatal(err)
	}
	old := objstore.CRC64([]byte("body 1"))
	rec["versions"] = append(rec["versions"].([]any), map[string]any{
		"size": 6, "crc64": strconv.FormatUint(old, 10), "metadata": map[string]string{"v": "1"}, "last_modified": "2026-11-22T08:30:00Z",
	})
	if text, err = json.Marshal(rec); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"2", "1"} {
		if err := os.WriteFile(filepath.Join(s.Dir(), "state.json"), []byte("body "+v), 0o600); err != nil {
			t.Fatal(err)
		}
		_, o, err := s.Get(t.Context(), "state.json")
		if err != nil || o.Metadata["v"] != v {
			t.Errorf("get with the bytes of version %s: %v, %v", v, o.Metadata, err)
		}
		if o, err := s.Head(t.Context(), "state.json"); err != nil || o.Metadata["v"] != v {
			t.Errorf("head with the bytes of version %s: %v, %v", v, o.Metadata, err)
		}
	}
}
