package dirstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"chatexport/internal/objstore"
)

// List goes through the objects whose keys begin with prefix and sort behind after, in byte order. It shows files that
// nobody recorded, too, since a verifier must see what does not belong there. An error ends it.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Entry, error] {
	return func(yield func(objstore.Entry, error) bool) {
		if ctx.Err() != nil {
			yield(objstore.Entry{}, failed("list", prefix, context.Cause(ctx)))
			return
		}
		s.mu.RLock()
		entries, err := s.entries(prefix)
		s.mu.RUnlock()
		if err != nil {
			yield(objstore.Entry{}, failed("list", prefix, explainWrite(err)))
			return
		}
		for _, e := range entries {
			if e.Key > after && !yield(e, nil) {
				return
			}
		}
	}
}

// entries lists the tree, then what lies outside of it, sorted by key.
func (s *Store) entries(prefix string) ([]objstore.Entry, error) {
	var entries []objstore.Entry
	err := filepath.WalkDir(s.walkFrom(prefix), func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) || isNotFolder(err):
			return nil // gone meanwhile
		case err != nil:
			return err
		case d.IsDir() && d.Name() == inner && filepath.Dir(path) == filepath.Clean(s.dir):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		rel, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if !strings.HasPrefix(key, prefix) {
			return nil
		}
		st, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone meanwhile
		}
		entries = append(entries, objstore.Entry{Key: key, Size: st.Size(), LastModified: st.ModTime().UTC()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	others, err := s.others(prefix)
	if err != nil {
		return nil, err
	}
	entries = append(entries, others...)
	slices.SortFunc(entries, func(a, b objstore.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return entries, nil
}

// walkFrom is the deepest folder that holds all keys with the prefix.
func (s *Store) walkFrom(prefix string) string {
	folder, _, _ := cutLast(prefix)
	for segment := range strings.SplitSeq(folder, "/") {
		if folder != "" && !portable(segment) {
			return s.dir
		}
	}
	return filepath.Join(s.dir, filepath.FromSlash(folder))
}

func cutLast(key string) (before, after string, found bool) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", key, false
	}
	return key[:i], key[i+1:], true
}

// others lists the objects whose keys are no file names.
func (s *Store) others(prefix string) ([]objstore.Entry, error) {
	files, err := os.ReadDir(filepath.Join(s.dir, inner, "other"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []objstore.Entry
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(s.dir, inner, "meta", f.Name()+".json"))
		if err != nil {
			continue // bytes without a record: nobody knows their key
		}
		var rec record
		if json.Unmarshal(text, &rec) != nil || len(rec.Versions) == 0 || !strings.HasPrefix(rec.Key, prefix) {
			continue
		}
		v := rec.Versions[0]
		entries = append(entries, objstore.Entry{Key: rec.Key, Size: v.Size, LastModified: v.LastModified})
	}
	return entries, nil
}
