package dirstore

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// Open reads an object piece by piece. Other than Get it returns bytes that are not those that were written before it can
// know: what the reader returns at their end tells, io.EOF or an error that matches objstore.ErrCorrupt.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	name, err := s.begin(ctx, "get", key)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, err := s.measure(key, name)
	if err != nil && !errors.Is(err, objstore.ErrCorrupt) {
		return nil, objstore.Object{}, s.failed("get", key, err)
	}
	file, err := s.dir.OpenFile(s.at(name), s.limit(key))
	if err != nil {
		return nil, objstore.Object{}, s.failed("get", key, explain(err, true))
	}
	return objstore.Verified(file, s.object(v), func(err error) error { return s.failed("get", key, err) }), s.object(v), nil
}

// OpenAt opens an object whose bytes are read more than once, such as to be sent. It matches objstore.ErrCorrupt as Get does.
func (s *Store) OpenAt(ctx context.Context, key string) (Content, objstore.Object, error) {
	name, err := s.begin(ctx, "get", key)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, err := s.measure(key, name)
	if err != nil {
		return nil, objstore.Object{}, s.failed("get", key, err)
	}
	file, err := s.dir.OpenFile(s.at(name), s.limit(key))
	if err != nil {
		return nil, objstore.Object{}, s.failed("get", key, explain(err, true))
	}
	return file, s.object(v), nil
}

// Content is an object's bytes.
type Content interface {
	io.ReaderAt
	io.Closer
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
	v, err := s.measure(key, name) // only the bytes can tell
	if err != nil && !errors.Is(err, objstore.ErrCorrupt) {
		return objstore.Object{}, s.failed("head", key, err)
	}
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
func (s *Store) read(key, name string) (body []byte, v version, err error) {
	v, err = s.match(key, name, func() (size int64, crc uint64, err error) {
		body, err = s.dir.ReadFile(s.at(name), s.limit(key))
		return int64(len(body)), objstore.CRC64(body), err
	})
	if err != nil && !errors.Is(err, objstore.ErrCorrupt) {
		return nil, version{}, err
	}
	return body, v, err
}

// measure returns the version that the bytes are, and for objstore.ErrCorrupt the newest, with the size of the bytes.
func (s *Store) measure(key, name string) (version, error) {
	var size int64
	v, err := s.match(key, name, func() (int64, uint64, error) {
		file, err := s.dir.OpenFile(s.at(name), s.limit(key))
		if err != nil {
			return 0, 0, err
		}
		crc := objstore.NewCRC64()
		size, err = io.Copy(crc, file)
		return size, crc.Sum64(), errors.Join(err, file.Close())
	})
	v.Size = size
	return v, err
}

// match finds out which version the bytes are, whose size and checksum sum tells. For objstore.ErrCorrupt it returns the
// newest version.
func (s *Store) match(key, name string, sum func() (size int64, crc uint64, err error)) (version, error) {
	for attempt := 1; ; attempt++ {
		st, rec, err := s.find(key, name)
		if err != nil {
			return version{}, err
		}
		size, crc, err := sum()
		if err != nil {
			return version{}, explain(err, true)
		}
		if rec == nil {
			v := version{Size: size, CRC64: crc, LastModified: s.now()}
			if modified := st.ModTime().UTC().Truncate(time.Second); modified.Before(v.LastModified) {
				v.LastModified = modified
			}
			return v, nil
		}
		for _, v := range rec.Versions {
			if v.Size == size && v.CRC64 == crc {
				return v, nil
			}
		}
		if attempt == readAttempts {
			return rec.Versions[0], fmt.Errorf("%w: the file is not what was written", objstore.ErrCorrupt)
		}
	}
}

func (s *Store) limit(key string) int64 { return min(maxObjectBytes, s.Limit(key)) }

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
