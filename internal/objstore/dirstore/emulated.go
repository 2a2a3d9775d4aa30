package dirstore

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chatexport/internal/objstore"
)

// emulatedMeta is where the COS emulator keeps the records of the bucket whose readable tree is this folder, so that
// the demo's archive can be read like any other folder.
func (s *Store) emulatedMeta() string {
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(dir), ".cos", filepath.Base(dir), "meta")
}

// emulated reports whether the folder belongs to a COS emulator.
func (s *Store) emulated() bool {
	if _, err := os.Stat(filepath.Join(s.dir, inner)); err == nil {
		return false
	}
	st, err := os.Stat(s.emulatedMeta())
	return err == nil && st.IsDir()
}

// readEmulated reads a record that the COS emulator wrote. It has the same name as one of this package.
func (s *Store) readEmulated(name, key string) (*record, error) {
	text, err := os.ReadFile(filepath.Join(s.emulatedMeta(), name))
	if err != nil {
		return nil, nil //nolint:nilerr // not an emulator's folder: a file without a record
	}
	var found struct {
		Key          string            `json:"key"`
		Size         int64             `json:"size"`
		CRC64        uint64            `json:"crc64,string"`
		Headers      map[string]string `json:"headers"`
		LastModified time.Time         `json:"last_modified"`
	}
	if err := json.Unmarshal(text, &found); err != nil || found.Key != key {
		return nil, fmt.Errorf("%w: the emulator's record of the object is damaged", objstore.ErrCorrupt)
	}
	v := version{Size: found.Size, CRC64: found.CRC64, LastModified: found.LastModified, Metadata: map[string]string{}}
	for header, value := range found.Headers {
		if name, ok := strings.CutPrefix(header, "x-cos-meta-"); ok {
			v.Metadata[name] = value
		}
	}
	return &record{Key: key, Versions: []version{v}}, nil
}
