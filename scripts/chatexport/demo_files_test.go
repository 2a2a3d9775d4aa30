package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// linked is a line of a receipt, as any reader of JSON has it.
type linked struct {
	Seq                             int
	Path, Kind, State, SHA256, Type string
	Bytes                           int
}

// links reads the receipts of an archive, without a word of ours.
func links(t *testing.T, archive string) []linked {
	t.Helper()
	receipts, err := filepath.Glob(filepath.Join(archive, "media", "*", "*", "*.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var all []linked
	for _, receipt := range receipts {
		for lines := json.NewDecoder(strings.NewReader(inflated(t, receipt))); lines.More(); {
			var l linked
			if err := lines.Decode(&l); err != nil {
				t.Fatalf("%s: %v", receipt, err)
			}
			if l.State != "" { // the first line is about the receipt
				all = append(all, l)
			}
		}
	}
	return all
}

// opens finds out whether a program that shows such files could open one.
func opens(kind string, content []byte) error {
	switch kind {
	case "image/png", "image/jpeg":
		_, format, err := image.Decode(bytes.NewReader(content))
		if err == nil && "image/"+format != kind {
			err = fmt.Errorf("it is of the format %s", format)
		}
		return err
	case "audio/wav":
		if !bytes.HasPrefix(content, []byte("RIFF")) || !bytes.Equal(content[8:12], []byte("WAVE")) {
			return fmt.Errorf("it begins with %q", content[:12])
		}
		return nil
	case "application/pdf":
		var at int
		_, tail, found := strings.Cut(string(content), "startxref\n")
		if _, err := fmt.Sscan(tail, &at); !found || err != nil || !bytes.HasPrefix(content[at:], []byte("xref")) {
			return fmt.Errorf("it has no table where it says: %q", tail)
		}
		return nil
	}
	return fmt.Errorf("it is of the type %q", kind)
}

func TestDemoFiles_OpenFromTheArchive(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	first := runDemo(t, out, "--messages", "600")
	all := links(t, first.Archive)
	states, kinds := map[string]int{}, map[string]int{}
	var size int64
	for _, l := range all {
		states[l.State]++
		if l.State != "stored" {
			continue
		}
		kinds[l.Type]++
		if strings.Contains(l.Path, ".relay.") {
			kinds["merged"]++
		}
		content, err := os.ReadFile(filepath.Join(first.Archive, "blob", l.SHA256[:2], l.SHA256))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != l.SHA256 || len(content) != l.Bytes {
			t.Errorf("the file of message %d is not what its receipt says", l.Seq)
		}
		if err := opens(l.Type, content); err != nil {
			t.Errorf("the file of message %d: %v", l.Seq, err)
		}
		size += int64(l.Bytes)
	}
	want := []string{"application/pdf", "audio/wav", "image/jpeg", "image/png", "merged"}
	if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, want) || states["gone"] == 0 {
		t.Errorf("there are %v in the states %v, want some of each of %v, and one that is gone", kinds, states, want)
	}
	if diff := cmp.Diff(states, first.Files.States); diff != "" || first.Files.Links != len(all) || first.Files.Bytes != size || first.Files.Waiting > 0 {
		t.Errorf("the demo tells %+v (-receipts +told):\n%s", first.Files, diff)
	}

	second := runDemo(t, out, "--messages", "600")
	if diff := cmp.Diff(all, links(t, second.Archive)); diff != "" || second.Exported != 0 || !second.Sound {
		t.Errorf("after a second tick: %+v (-first +second):\n%s", second, diff)
	}
}

func TestDemoFiles_OwnLogHasNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(`{"time":1189145580,"from":"a","text":"b"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "demo")
	got := command(t.Context(), "demo", "--out", out, "--latency", "0s", "--data", path)
	if got.code != 0 || strings.Contains(got.stdout+got.stderr, "files") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// Messages have the address of their files in them, so another one would make other messages of them.
func TestDemoFiles_AddressThatIsTakenIsExit3(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	runDemo(t, out, "--messages", "50")
	raw, err := os.ReadFile(filepath.Join(out, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ Files string }
	if err := json.Unmarshal(raw, &kept); err != nil {
		t.Fatal(err)
	}
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", kept.Files)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	got := command(t.Context(), "demo", "--out", out, "--messages", "50", "--latency", "0s")
	if got.code != 3 || !strings.Contains(got.stderr, kept.Files) || !strings.Contains(got.stderr, "choose another --out") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// Bytes that changed on the disk are told, and not taken for the file.
func TestDemoFiles_DamagedBlobIsExit1(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	r := runDemo(t, out, "--messages", "100")
	for _, l := range links(t, r.Archive) {
		if l.State == "stored" {
			if err := os.WriteFile(filepath.Join(r.Archive, "blob", l.SHA256[:2], l.SHA256), make([]byte, l.Bytes), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := command(t.Context(), "demo", "--out", out, "--messages", "100", "--latency", "0s")
	if got.code != 1 || !strings.Contains(got.stdout, "is not what its host serves") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}
