package dirstore

import (
	"cmp"
	"context"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"chatexport/internal/folder"
	"chatexport/internal/objstore"
)

// List goes through the objects whose keys begin with prefix and sort behind after, in byte order. It shows files that
// nobody recorded, too, and links and the like, since a verifier must see what does not belong there. An error ends it.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Entry, error] {
	return func(yield func(objstore.Entry, error) bool) {
		// All keys with the prefix lie in the folder of this one.
		inside, err := fileName(prefix[:strings.LastIndexByte(prefix, '/')+1] + "x")
		if err != nil {
			return // no key has such a prefix
		}
		at := path.Dir(inside)
		if err = s.checkCase(at); err == nil {
			l := &listing{dir: s.dir, prefix: prefix, after: after, yield: yield}
			err = l.walk(ctx, at)
		}
		if err != nil {
			yield(objstore.Entry{}, s.failed("list", prefix, explain(err, false)))
		}
	}
}

// listing is one call of List.
type listing struct {
	dir           *folder.Folder
	prefix, after string
	yield         func(objstore.Entry, error) bool
	stopped       bool
}

// listed is a file, or a folder, whose key is what the keys of all in it begin with.
type listed struct {
	key   string
	entry fs.DirEntry
}

// walk yields what lies in a folder.
func (l *listing) walk(ctx context.Context, at string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	entries, err := l.dir.ReadDir(at)
	if absent(err) {
		return nil // gone meanwhile, or never there
	}
	if err != nil {
		return err
	}
	var all []listed
	for _, e := range entries {
		name := path.Join(at, e.Name())
		key := keyOf(name)
		if e.IsDir() {
			key = strings.TrimSuffix(keyOf(name+"/x.json"), "x.json")
		}
		if name != inner && l.wants(key, e.IsDir()) {
			all = append(all, listed{key, e})
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.key, b.key) })
	for _, found := range all {
		if found.entry.IsDir() {
			err = l.walk(ctx, path.Join(at, found.entry.Name()))
		} else if st, err := found.entry.Info(); err == nil { // else gone meanwhile
			l.stopped = !l.yield(objstore.Entry{Key: found.key, Size: st.Size(), LastModified: st.ModTime().UTC()}, nil)
		}
		if err != nil || l.stopped {
			return err
		}
	}
	return nil
}

// wants reports whether a key is to be shown, or a folder has such keys.
func (l *listing) wants(key string, folder bool) bool {
	if !folder {
		return strings.HasPrefix(key, l.prefix) && key > l.after
	}
	return (strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)) && (key > l.after || strings.HasPrefix(l.after, key))
}
