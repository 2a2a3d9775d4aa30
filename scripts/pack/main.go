// Command pack puts the function's binary into the package that the platform takes: a zip with the executable at its
// root. Equal binaries give equal zips. It is started by scripts/package.sh.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// mode is what the platform needs to start the file; a zip made without it deploys well and then never runs.
	mode = 0o755
	// maxBytes keeps the package small enough for a quick cold start. The platform itself would take far more.
	maxBytes = 5_000_000
)

// epoch is the oldest time that a zip can tell. The file's own time would make every package another one.
func epoch() time.Time { return time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC) }

func main() {
	if len(os.Args) != 3 {
		fail(errors.New("usage: pack BINARY ZIP"))
	}
	if err := pack(os.Args[1], os.Args[2], maxBytes, os.Stdout); err != nil {
		fail(err)
	}
}

func fail(err error) {
	_, _ = fmt.Fprintln(os.Stderr, "pack:", err) // nobody is left to tell that stderr is gone
	os.Exit(1)
}

// pack writes the zip, which must not be longer than limit, and says size and SHA-256 of both files in the form of sha256sum.
func pack(binary, target string, limit int, out io.Writer) error {
	body, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	packed, err := archive(filepath.Base(binary), body)
	if err != nil {
		return fmt.Errorf("write the zip: %w", err)
	}
	if len(packed) > limit {
		return fmt.Errorf("the zip has %d bytes, at most %d are wanted; what has made the binary grow?", len(packed), limit)
	}
	if err := os.WriteFile(target, packed, 0o600); err != nil {
		return fmt.Errorf("write the zip: %w", err)
	}
	for _, f := range []struct {
		name string
		body []byte
	}{{binary, body}, {target, packed}} {
		sum := sha256.Sum256(f.body)
		if _, err := fmt.Fprintf(out, "%s  %s  %d bytes\n", hex.EncodeToString(sum[:]), f.name, len(f.body)); err != nil {
			return err
		}
	}
	return nil
}

func archive(name string, body []byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch()}
	header.SetMode(mode)
	w, err := z.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
