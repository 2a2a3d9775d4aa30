package verifycmd_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/verifycmd"
)

func group() chat.Stream { return chat.Stream{GroupID: "@TGS#1"} }

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// planted is a fault in the sound archive.
type planted struct {
	plant func(t *testing.T, b *clitest.Builder, dir string)
	kind  verify.Kind
	args  []string
}

func faults() map[string]planted {
	chunk := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	readAll := []string{"--read"}
	return map[string]planted{
		"missing chunk": {kind: verify.KindMissingChunk, plant: func(t *testing.T, _ *clitest.Builder, dir string) {
			clitest.Remove(t, dir, chunk(21))
		}},
		"swapped chunks": {kind: verify.KindHash, args: readAll, plant: func(t *testing.T, _ *clitest.Builder, dir string) {
			x, y := clitest.File(dir, chunk(1)), clitest.File(dir, chunk(21))
			a, b := read(t, x), read(t, y)
			clitest.Edit(t, dir, chunk(1), func([]byte) []byte { return b })
			clitest.Edit(t, dir, chunk(21), func([]byte) []byte { return a })
			forgetChecksums(t, dir)
		}},
		"swapped chunks with their metadata": {kind: verify.KindMetadata, plant: func(t *testing.T, b *clitest.Builder, _ string) {
			x, y := b.ChunkOf(1, 20, 1), b.ChunkOf(21, 45, 2)
			b.Put(chunk(1), y.Body, y.Meta.Metadata())
			b.Put(chunk(21), x.Body, x.Meta.Metadata())
		}},
		"flipped byte": {kind: verify.KindCRC, args: readAll, plant: func(t *testing.T, _ *clitest.Builder, dir string) {
			clitest.Edit(t, dir, chunk(61), func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
		}},
		"truncated gzip": {kind: verify.KindGzip, args: readAll, plant: func(t *testing.T, b *clitest.Builder, _ string) {
			c := b.ChunkOf(81, 100, 1)
			b.Put(chunk(81), c.Body[:len(c.Body)-9], c.Meta.Metadata())
		}},
		"edited line, metadata corrected": {kind: verify.KindManifest, plant: func(t *testing.T, b *clitest.Builder, _ string) {
			body, meta := rewrite(t, b.ChunkOf(61, 80, 1), "message 70", "message 77")
			b.Put(chunk(61), body, meta.Metadata())
		}},
		"wrong count": {kind: verify.KindCounts, args: readAll, plant: func(_ *testing.T, b *clitest.Builder, _ string) {
			c := b.ChunkOf(81, 100, 1)
			c.Meta.Messages, c.Meta.System = c.Meta.Messages-1, 1
			b.Put(chunk(81), c.Body, c.Meta.Metadata())
		}},
		"newest chunk deleted, against the state": {kind: verify.KindStateAhead, plant: func(t *testing.T, _ *clitest.Builder, dir string) {
			clitest.Remove(t, dir, chunk(81))
		}},
		"overlapping chunk": {kind: verify.KindOverlap, plant: func(_ *testing.T, b *clitest.Builder, _ string) {
			c := b.ChunkOf(85, 95, 1)
			b.Put(chunk(85), c.Body, c.Meta.Metadata())
		}},
		"broken chain of manifests": {kind: verify.KindManifestChain, plant: func(t *testing.T, b *clitest.Builder, dir string) {
			key := layout.Manifest(group(), 1)
			b.Put(key, append(read(t, clitest.File(dir, key)), ' '), nil)
		}},
		"foreign file": {kind: verify.KindForeign, plant: func(t *testing.T, _ *clitest.Builder, dir string) {
			if err := os.WriteFile(filepath.Join(filepath.Dir(clitest.File(dir, chunk(1))), "notes.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"missing genesis": {kind: verify.KindGenesis, plant: func(t *testing.T, _ *clitest.Builder, dir string) {
			clitest.Remove(t, dir, layout.Genesis(group()))
		}},
	}
}

func TestPlantedFault_IsFoundAndNamed(t *testing.T) {
	t.Parallel()
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, dir := clitest.Folder(t)
			fault.plant(t, clitest.Sound(t, store, group()), dir)
			r := clitest.Run(t, verifycmd.Command(clitest.Env(nil)), append(fault.args, "--dir", dir)...)
			if r.Code != 1 || !strings.Contains(r.Stdout, ": "+string(fault.kind)+": ") || !strings.Contains(r.Stdout, "NOT SOUND") {
				t.Errorf("exit code %d, want 1 and a finding %q\n%s%s", r.Code, fault.kind, r.Stdout, r.Stderr)
			}
		})
	}
}

// forgetChecksums takes the folder's records of sizes and checksums away, as somebody would who covers up.
func forgetChecksums(t *testing.T, dir string) {
	t.Helper()
	records, err := filepath.Glob(filepath.Join(dir, ".chatexport", "meta", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range records {
		var rec struct {
			Key      string           `json:"key"`
			Versions []map[string]any `json:"versions"`
		}
		if err := json.Unmarshal(read(t, path), &rec); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(clitest.File(dir, rec.Key))
		if err != nil {
			continue
		}
		rec.Versions[0]["size"] = len(body)
		rec.Versions[0]["crc64"] = json.Number(archive.ChunkEntryOf(archive.ChunkMeta{}, "", 0, archive.CRC64(body)).CRC64).String()
		text, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// rewrite changes a line of a chunk and makes everything that the metadata say true again.
func rewrite(t *testing.T, c archive.Chunk, old, replacement string) ([]byte, archive.ChunkMeta) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(c.Body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte(old)) {
		t.Fatal("the fault is not planted")
	}
	raw = bytes.Replace(raw, []byte(old), []byte(replacement), 1)
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	meta := c.Meta
	meta.RawBytes, meta.RawSHA256, meta.SHA256 = int64(len(raw)), clitest.Hash(raw), clitest.Hash(out.Bytes())
	return out.Bytes(), meta
}
