package dirstore

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"chatexport/internal/objstore"
)

// record is what is known of an object beside its bytes.
type record struct {
	Key      string    `json:"key"`
	Versions []version `json:"versions"` // the last write, and for an overwritten object the one before: the bytes tell which it is
}

type version struct {
	Size         int64             `json:"size"`
	CRC64        uint64            `json:"crc64,string"`
	ContentType  string            `json:"content_type,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	LastModified time.Time         `json:"last_modified"`
}

// Most that is read of a file: more than any object or record that this program writes, and less than a machine's memory.
const (
	maxObjectBytes = 512 << 20
	maxRecordBytes = 64 << 10
)

// readAttempts is how often a reader looks again when bytes and record do not fit: another process may be exchanging
// them at this moment.
const readAttempts = 3

// Get returns a whole object. It matches objstore.ErrNotExist when there is no such file, and objstore.ErrCorrupt when
// its bytes are not those that were written; then it returns the bytes that are there, beside what was recorded. A file
// without a record, such as one that was copied here, is an object without metadata.
func (s *Store) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	name, err := s.begin(ctx, "get", key)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	body, v, err := s.read(key, name)
	if err != nil {
		err = s.failed("get", key, err)
	}
	return body, s.object(v), err
}

// Head describes an object, whether or not its bytes are still what they were: the size is that of the file that is
// there, all else what was recorded. It matches objstore.ErrNotExist when there is no such file.
func (s *Store) Head(ctx context.Context, key string) (objstore.Object, error) {
	name, err := s.begin(ctx, "head", key)
	if err != nil {
		return objstore.Object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, rec, err := s.find(key, name)
	if err != nil {
		return objstore.Object{}, s.failed("head", key, err)
	}
	if rec != nil && len(rec.Versions) == 1 {
		v := rec.Versions[0]
		v.Size = st.Size()
		return s.object(v), nil
	}
	body, v, err := s.read(key, name) // only the bytes can tell
	if err != nil && !errors.Is(err, objstore.ErrCorrupt) {
		return objstore.Object{}, s.failed("head", key, err)
	}
	v.Size = int64(len(body))
	return s.object(v), nil
}

// find returns what is known of a key without its bytes. The record is nil where there is none.
func (s *Store) find(key, name string) (fs.FileInfo, *record, error) {
	st, err := s.dir.Stat(s.at(name))
	if err != nil {
		return nil, nil, explain(err, true)
	}
	if st.IsDir() {
		return nil, nil, objstore.ErrNotExist
	}
	rec, err := s.readRecord(key)
	if err == nil && rec == nil { // a record tells that the file is this key's
		err = s.checkCase(name)
	}
	return st, rec, err
}

// read returns the bytes and the version that they are. With objstore.ErrCorrupt that is the newest version.
func (s *Store) read(key, name string) ([]byte, version, error) {
	for attempt := 1; ; attempt++ {
		st, rec, err := s.find(key, name)
		if err != nil {
			return nil, version{}, err
		}
		body, err := s.dir.ReadFile(s.at(name), min(maxObjectBytes, s.Limit(key)))
		if err != nil {
			return nil, version{}, explain(err, true)
		}
		crc := objstore.CRC64(body)
		if rec == nil {
			v := version{Size: int64(len(body)), CRC64: crc, LastModified: s.now()}
			if modified := st.ModTime().UTC().Truncate(time.Second); modified.Before(v.LastModified) {
				v.LastModified = modified
			}
			return body, v, nil
		}
		for _, v := range rec.Versions {
			if v.Size == int64(len(body)) && v.CRC64 == crc {
				return body, v, nil
			}
		}
		if attempt == readAttempts {
			return body, rec.Versions[0], fmt.Errorf("%w: the file is not what was written", objstore.ErrCorrupt)
		}
	}
}

// recordName is where the record of a key lies.
func recordName(key string) string {
	return fmt.Sprintf("%s/%x.json", metaFolder, sha256.Sum256([]byte(key)))
}

// readRecord returns nil for a key that has no record.
func (s *Store) readRecord(key string) (*record, error) {
	text, err := s.dir.ReadFile(recordName(key), maxRecordBytes)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err, true)
	}
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil || rec.Key != key || len(rec.Versions) == 0 {
		return nil, fmt.Errorf("%w: the record %s is damaged", objstore.ErrCorrupt, recordName(key))
	}
	return &rec, nil
}

func (s *Store) object(v version) objstore.Object {
	md := maps.Clone(v.Metadata)
	if md == nil {
		md = map[string]string{}
	}
	return objstore.Object{Size: v.Size, CRC64: v.CRC64, Metadata: md, LastModified: v.LastModified, Date: s.now()}
}
