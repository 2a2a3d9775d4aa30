package cosemu

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const metaFolder = ".cos"

// bucketFile is bucket.json.
type bucketFile struct {
	Versioning Versioning `json:"versioning"`
}

// metaPath names the metadata file by a hash, since a key need not be a possible file name.
func (b *bucket) metaPath(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(b.dir, "meta", hex.EncodeToString(sum[:])+".json")
}

func (b *bucket) writeMeta(rec *record) error {
	rel, err := filepath.Rel(b.dir, b.metaPath(rec.Key))
	if err != nil {
		return err
	}
	return b.writeJSON(rel, rec)
}

// writeJSON replaces a file below the bucket's folder in one step.
func (b *bucket) writeJSON(rel string, v any) (err error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(b.dir, "tmp", randomHex(16))
	defer func() {
		if err != nil {
			_ = os.Remove(tmp) // what stays behind is removed by openBucket
		}
	}()
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil && b.durable {
		err = errors.Join(f.Sync(), b.syncDir("blobs"))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	path := filepath.Join(b.dir, rel)
	if err = os.Rename(tmp, path); err != nil {
		return err
	}
	return b.syncDir(filepath.Dir(rel))
}

func (b *bucket) syncDir(rel string) error {
	if !b.durable {
		return nil
	}
	d, err := os.Open(filepath.Join(b.dir, rel))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openBucket makes or restores a bucket, and mends what a death at any moment may have left behind.
func openBucket(root, name string, durable bool) (*bucket, error) {
	b := &bucket{
		name: name, dir: filepath.Join(root, metaFolder, name), tree: filepath.Join(root, name),
		durable: durable, index: map[string]*entry{},
	}
	for _, dir := range []string{"blobs", "meta"} {
		if err := os.MkdirAll(filepath.Join(b.dir, dir), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(b.tree, 0o755); err != nil {
		return nil, err
	}
	tmp := filepath.Join(b.dir, "tmp")
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o755)); err != nil {
		return nil, err
	}
	var file bucketFile
	err := readJSON(filepath.Join(b.dir, "bucket.json"), &file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b.versioning = file.Versioning
	if err := b.load(); err != nil {
		return nil, err
	}
	return b, b.mend()
}

// load reads every metadata file.
func (b *bucket) load() error {
	files, err := os.ReadDir(filepath.Join(b.dir, "meta"))
	if err != nil {
		return err
	}
	for _, f := range files {
		rec := &record{}
		if err := readJSON(filepath.Join(b.dir, "meta", f.Name()), rec); err != nil {
			return err
		}
		if _, err := os.Stat(b.blobPath(rec.Blob)); err != nil {
			return fmt.Errorf("bytes of %q in bucket %s: %w", rec.Key, b.name, err)
		}
		b.index[rec.Key] = &entry{current: rec, changed: rec.LastModified}
	}
	b.keys = slices.Sorted(maps.Keys(b.index))
	return nil
}

// mend removes blobs that no key refers to, together with their links in the readable tree, and adds missing links.
func (b *bucket) mend() error {
	used := map[string]bool{}
	for _, e := range b.index {
		used[e.current.Blob] = true
	}
	files, err := os.ReadDir(filepath.Join(b.dir, "blobs"))
	if err != nil {
		return err
	}
	var stray []os.FileInfo
	for _, f := range files {
		if used[f.Name()] {
			continue
		}
		if st, err := f.Info(); err == nil {
			stray = append(stray, st)
		}
	}
	if len(stray) > 0 {
		b.unlinkAll(stray)
	}
	for _, st := range stray {
		b.discard(&blob{id: st.Name()})
	}
	for _, key := range b.keys {
		b.show(b.index[key].current)
	}
	return nil
}

// unlinkAll removes the links to these blobs from the readable tree; other people's files there are left alone.
func (b *bucket) unlinkAll(stray []os.FileInfo) {
	_ = filepath.WalkDir(b.tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // the tree is only a view: what cannot be read stays
		}
		st, err := d.Info()
		if err == nil && slices.ContainsFunc(stray, func(s os.FileInfo) bool { return os.SameFile(s, st) }) {
			_ = os.Remove(path) // only a view
		}
		return nil
	})
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// treePath is where the readable tree shows a key; false for keys that are no possible, or no readable, file names.
func (b *bucket) treePath(key string) (string, bool) {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." || len(segment) > 255 {
			return "", false
		}
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return "", false
	}
	return filepath.Join(b.tree, filepath.FromSlash(key)), true
}

// show links an object into the readable tree. The tree is a view for people, so a key that finds no place there, such
// as a/b beside an object a, is no error: its bytes are in the blob.
func (b *bucket) show(rec *record) {
	path, ok := b.treePath(rec.Key)
	if !ok {
		return
	}
	blob := b.blobPath(rec.Blob)
	if sameFile(path, blob) || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	tmp := filepath.Join(b.dir, "tmp", rec.Blob)
	if os.Link(blob, tmp) != nil {
		return
	}
	if os.Rename(tmp, path) != nil {
		_ = os.Remove(tmp) // emptied by openBucket otherwise
	}
}

// hide removes an object's link and the folders that are empty then.
func (b *bucket) hide(rec *record) {
	path, ok := b.treePath(rec.Key)
	if !ok || !sameFile(path, b.blobPath(rec.Blob)) {
		return
	}
	for os.Remove(path) == nil && filepath.Dir(path) != b.tree {
		path = filepath.Dir(path)
	}
}

func sameFile(a, b string) bool {
	x, err := os.Lstat(a)
	if err != nil {
		return false
	}
	y, err := os.Lstat(b)
	return err == nil && os.SameFile(x, y)
}
