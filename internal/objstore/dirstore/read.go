package dirstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"chatexport/internal/objstore"
)

// record is what is known of an object beside its bytes.
type record struct {
	Key      string    `json:"key"`
	Versions []version `json:"versions"` // the newest first; more than one only while an object is overwritten
}

type version struct {
	Size         int64             `json:"size"`
	CRC64        uint64            `json:"crc64,string"`
	ContentType  string            `json:"content_type,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	LastModified time.Time         `json:"last_modified"`
}

// readAttempts is how often a reader looks again when bytes and record do not fit: another process may be exchanging
// them at this moment.
const readAttempts = 3

// Get returns a whole object. It matches objstore.ErrNotExist when there is no such file, and objstore.ErrCorrupt when
// its bytes are not those that were written. A file without a record, such as one that was copied here, is an object
// without metadata.
func (s *Store) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	if err := begin(ctx, "get", key); err != nil {
		return nil, objstore.Object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	body, v, err := s.read(key)
	if err != nil {
		return nil, objstore.Object{}, failed("get", key, err)
	}
	return body, v.object(), nil
}

// Head describes an object, whether or not its bytes are still what they were. It matches objstore.ErrNotExist when
// there is no such file.
func (s *Store) Head(ctx context.Context, key string) (objstore.Object, error) {
	if err := begin(ctx, "head", key); err != nil {
		return objstore.Object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	bodyPath, metaPath := s.paths(key)
	st, err := os.Stat(bodyPath)
	if err == nil && st.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return objstore.Object{}, failed("head", key, explain(err))
	}
	rec, err := s.readRecord(metaPath, key)
	switch {
	case err != nil:
		return objstore.Object{}, failed("head", key, err)
	case rec != nil && len(rec.Versions) == 1:
		return rec.Versions[0].object(), nil
	}
	_, v, err := s.read(key) // only the bytes can tell
	if err != nil && !errors.Is(err, objstore.ErrCorrupt) {
		return objstore.Object{}, failed("head", key, err)
	}
	return v.object(), nil
}

// read returns the bytes and the version that they are. With objstore.ErrCorrupt it returns the newest version.
func (s *Store) read(key string) ([]byte, version, error) {
	bodyPath, metaPath := s.paths(key)
	for attempt := 1; ; attempt++ {
		rec, err := s.readRecord(metaPath, key)
		if err != nil {
			return nil, version{}, err
		}
		if st, err := os.Stat(bodyPath); err == nil && st.IsDir() {
			return nil, version{}, objstore.ErrNotExist
		}
		body, err := os.ReadFile(bodyPath)
		if err != nil {
			return nil, version{}, explain(err)
		}
		crc := objstore.CRC64(body)
		if rec == nil {
			return body, s.unrecorded(bodyPath, body, crc), nil
		}
		for _, v := range rec.Versions {
			if v.Size == int64(len(body)) && v.CRC64 == crc {
				return body, v, nil
			}
		}
		if attempt == readAttempts {
			return nil, rec.Versions[0], fmt.Errorf("%w: the file is not what was written", objstore.ErrCorrupt)
		}
	}
}

// unrecorded describes a file that has no record.
func (s *Store) unrecorded(path string, body []byte, crc uint64) version {
	v := version{Size: int64(len(body)), CRC64: crc, LastModified: now()}
	if st, err := os.Stat(path); err == nil && st.ModTime().Before(v.LastModified) {
		v.LastModified = st.ModTime().UTC().Truncate(time.Second)
	}
	return v
}

// readRecord returns nil for a key that has no record.
func (s *Store) readRecord(path, key string) (*record, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || isNotFolder(err) {
		return s.readEmulated(filepath.Base(path), key)
	}
	if err != nil {
		return nil, explain(err)
	}
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil || rec.Key != key || len(rec.Versions) == 0 {
		return nil, fmt.Errorf("%w: the record %s is damaged", objstore.ErrCorrupt, path)
	}
	return &rec, nil
}

func (v *version) object() objstore.Object {
	md := maps.Clone(v.Metadata)
	if md == nil {
		md = map[string]string{}
	}
	return objstore.Object{Size: v.Size, CRC64: v.CRC64, Metadata: md, LastModified: v.LastModified, Date: now()}
}

