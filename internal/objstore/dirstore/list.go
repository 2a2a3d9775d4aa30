package dirstore

import (
	"cmp"
	"context"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"chatexport/internal/objstore"
)

// List goes through the objects whose keys begin with prefix and sort behind after, in byte order. It shows files that
// nobody recorded, too, since a verifier must see what does not belong there. An error ends it.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Entry, error] {
	return func(yield func(objstore.Entry, error) bool) {
		if ctx.Err() != nil {
			yield(objstore.Entry{}, s.failed("list", prefix, context.Cause(ctx)))
			return
		}
		s.mu.RLock()
		entries, err := s.entries(prefix)
		s.mu.RUnlock()
		if err != nil {
			yield(objstore.Entry{}, s.failed("list", prefix, explain(err, false)))
			return
		}
		for _, e := range entries {
			if e.Key > after && !yield(e, nil) {
				return
			}
		}
	}
}

// entries lists the tree, sorted by key.
func (s *Store) entries(prefix string) ([]objstore.Entry, error) {
	// The deepest folder that holds all keys with the prefix: that of a file in it.
	inside, err := fileName(prefix[:strings.LastIndexByte(prefix, '/')+1] + "x")
	if err != nil {
		return nil, nil //nolint:nilerr // no key has such a prefix
	}
	if err := s.checkCase(path.Dir(inside)); err != nil {
		return nil, err
	}
	var entries []objstore.Entry
	err = fs.WalkDir(s.root.FS(), path.Dir(inside), func(name string, d fs.DirEntry, err error) error {
		switch {
		case absent(err):
			return nil // gone meanwhile
		case err != nil:
			return err
		case name == inner:
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		key := keyOf(name)
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
	slices.SortFunc(entries, func(a, b objstore.Entry) int { return cmp.Compare(a.Key, b.Key) })
	return entries, err
}
