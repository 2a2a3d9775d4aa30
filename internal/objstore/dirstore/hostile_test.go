//go:build unix

package dirstore_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/folder"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
)

const hostileKey = "data/gid=g/tid=-/0000000001.ndjson.gz"

// hostile makes a folder with one object beside another one, in which there are things to take and to destroy.
func hostile(t testing.TB) (dir, beside string) {
	t.Helper()
	parent, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, beside = filepath.Join(parent, "archive"), filepath.Join(parent, "beside")
	for _, at := range []string{dir, beside} {
		s, err := dirstore.Create(at)
		if err != nil {
			t.Fatal(err)
		}
		s.NoSync = true
		_, err = s.Create(t.Context(), hostileKey, objstore.Write{Body: []byte("of " + filepath.Base(at))})
		err = errors.Join(err, s.Close(),
			os.WriteFile(filepath.Join(at, ".chatexport", "tmp", "thesis.tex"), []byte("work"), 0o600),
			os.WriteFile(filepath.Join(at, ".chatexport", "tmp", strings.Repeat("A", 26)), []byte("of a writer"), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, beside
}

// within fails the test if work does not end: a read that waits for a writer is not ended by Ctrl-C either.
func within(t testing.TB, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it hangs")
	}
}

// use does with a folder all that can be done, and returns what each call came to.
func use(t testing.TB, dir string, keys ...string) (bodies []string, errs map[string]error) {
	t.Helper()
	errs = map[string]error{}
	s, err := dirstore.Create(dir)
	if errs["open"] = err; err != nil {
		if s, err = dirstore.Open(dir); err != nil {
			return nil, errs
		}
	}
	defer func() { errs["close"] = s.Close() }()
	s.NoSync = true
	for _, prefix := range []string{"", "data/", "data/gid=g/tid=-/", "state/"} {
		for e, err := range s.List(t.Context(), prefix, "") {
			if err != nil {
				errs["list "+prefix] = err
			} else if !slices.Contains(keys, e.Key) {
				keys = append(keys, e.Key)
			}
		}
	}
	w := objstore.Write{Body: []byte("new"), Metadata: map[string]string{"lo": "1"}}
	for _, key := range keys {
		var body []byte
		body, _, errs["get "+key] = s.Get(t.Context(), key)
		bodies = append(bodies, string(body))
		_, errs["head "+key] = s.Head(t.Context(), key)
	}
	for _, key := range keys {
		_, errs["create "+key] = s.Create(t.Context(), key, w)
		_, errs["overwrite "+key] = s.Overwrite(t.Context(), key, w)
		errs["remove "+key] = s.Remove(t.Context(), key)
	}
	return bodies, errs
}

// TestHostile_NothingButFilesAndFoldersIsTouched puts something else into the place of each part of an archive.
func TestHostile_NothingButFilesAndFoldersIsTouched(t *testing.T) {
	t.Parallel()
	link := func(to string) func(string) error { return func(at string) error { return os.Symlink(to, at) } }
	for name, test := range map[string]struct {
		at   string
		make func(string) error
		want []string // what is refused
	}{
		"link in the place of .chatexport": {".chatexport", link("../beside/.chatexport"), []string{"open", "get ", "head ", "create ", "overwrite "}},
		"link in the place of tmp":         {".chatexport/tmp", link("../../beside/.chatexport/tmp"), []string{"create ", "overwrite ", "remove "}},
		"link to a folder inside":          {".chatexport/tmp", link("../data"), []string{"create ", "overwrite ", "remove "}},
		"link in the place of the records": {".chatexport/meta", link("../../beside/.chatexport/meta"), []string{"get ", "head ", "create ", "overwrite ", "remove "}},
		"link in the place of the lock":    {".chatexport/lock", link("../../beside/lock"), []string{"create ", "overwrite ", "remove "}},
		"fifo in the place of the lock":    {".chatexport/lock", fifo, []string{"create ", "overwrite ", "remove "}},
		"link in the place of data":        {"data", link("../beside/data"), []string{"list data/", "get ", "head ", "create ", "overwrite ", "remove "}},
		"link in the place of a group":     {"data/gid=g", link("../../beside/data/gid=g"), []string{"list data/gid=g/tid=-/", "get ", "head ", "create ", "overwrite ", "remove "}},
		"link in the place of a file":      {hostileKey, link("../../../../beside/" + hostileKey), []string{"get ", "head ", "create ", "overwrite ", "remove "}},
		"link to a device":                 {hostileKey, link("/dev/zero"), []string{"get ", "head ", "create ", "overwrite ", "remove "}},
		"fifo":                             {hostileKey, fifo, []string{"get ", "head ", "create ", "overwrite ", "remove "}},
		"file without end":                 {hostileKey, endless, []string{"get "}},
		"record without end":               {".chatexport/meta/" + recordOf(hostileKey), endless, []string{"get ", "head "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, beside := hostile(t)
			before := tree(t, beside)
			at := filepath.Join(dir, test.at)
			if err := errors.Join(os.RemoveAll(at), test.make(at)); err != nil {
				t.Fatal(err)
			}
			within(t, func() {
				bodies, errs := use(t, dir, hostileKey)
				if slices.Contains(bodies, "of beside") {
					t.Error("what lies beside the folder was read")
				}
				for _, op := range test.want {
					if strings.HasSuffix(op, " ") {
						op += hostileKey
					}
					if err := errs[op]; !errors.Is(err, folder.ErrNotPlain) && !errors.Is(err, objstore.ErrTooLarge) {
						t.Errorf("%s: %v, want a refusal", op, err)
					}
				}
			})
			if diff := cmp.Diff(before, tree(t, beside)); diff != "" {
				t.Errorf("what lies beside the folder was touched:\n%s", diff)
			}
			if strings.HasPrefix(name, "link to a folder inside") {
				if _, err := os.Stat(filepath.Join(dir, hostileKey)); err != nil {
					t.Errorf("an object was taken for litter: %v", err)
				}
			}
		})
	}
}

// recordOf is the name of a key's record.
func recordOf(key string) string { return fmt.Sprintf("%x.json", sha256.Sum256([]byte(key))) }

func fifo(at string) error { return syscall.Mkfifo(at, 0o600) }

// endless makes a file that is longer than any memory, and takes no space.
func endless(at string) error {
	return errors.Join(os.WriteFile(at, nil, 0o600), os.Truncate(at, 1<<40))
}

func TestHostile_OnlyOwnLitterIsRemoved(t *testing.T) {
	t.Parallel()
	dir, _ := hostile(t)
	s := create(t, dir)
	put(t, s, "state/x.json", "x")
	there, err := os.ReadDir(filepath.Join(dir, ".chatexport", "tmp"))
	if err != nil || len(there) != 1 || there[0].Name() != "thesis.tex" {
		t.Errorf("left of tmp: %v, %v", there, err)
	}
}

func TestHostile_WhatIsMadeIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	put(t, s, hostileKey, "x")
	err := filepath.WalkDir(s.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err == nil && st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, st.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzTree makes folders of everything that a file system holds, and uses them as archives. Nothing beside them may be
// read or changed, and nothing may hang.
func FuzzTree(f *testing.F) {
	f.Add([]byte{0, 2, 0, 1, 0, 1, 2, 3, 4, 2, 1, 5, 3})
	f.Add([]byte{2, 0, 1, 3, 5, 4, 3, 2, 6, 4, 1, 0, 3, 7, 1})
	places := []string{
		".chatexport", ".chatexport/tmp", ".chatexport/meta", ".chatexport/lock", "data", "data/gid=g", "data/gid=g/tid=-", hostileKey,
		"data/a\nb", "state", "state/x.json", ".chatexport/meta/" + recordOf(hostileKey), "data/gid=g/tid=-/\x1b[31m\xff",
	}
	targets := []string{
		"../beside", "../beside/.chatexport", "../beside/data", "../beside/" + hostileKey, "../../beside/.chatexport/tmp", "/dev/zero", "/dev/stdin",
		".", "..", "data", "state/x.json", "nowhere", "/",
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		dir, beside := hostile(t)
		before := tree(t, beside)
		for ; len(script) >= 3; script = script[3:] {
			at := filepath.Join(dir, places[int(script[0])%len(places)])
			above, err := filepath.EvalSymlinks(filepath.Dir(at))
			if st, _ := os.Stat(above); err != nil || st == nil || !st.IsDir() || above != dir && !strings.HasPrefix(above, dir+"/") {
				continue // there is no such place, or it is beside the folder
			}
			switch target := targets[int(script[2])%len(targets)]; script[1] % 6 {
			case 0:
				_ = os.RemoveAll(at)
			case 1:
				_ = os.Symlink(target, at)
			case 2:
				_ = errors.Join(os.RemoveAll(at), os.Symlink(target, at))
			case 3:
				_ = errors.Join(os.RemoveAll(at), fifo(at))
			case 4:
				_ = errors.Join(os.RemoveAll(at), os.Mkdir(at, 0o700))
			case 5:
				_ = errors.Join(os.RemoveAll(at), os.WriteFile(at, script, 0o600))
			}
		}
		within(t, func() {
			if bodies, _ := use(t, dir, hostileKey, "state/x.json"); slices.Contains(bodies, "of beside") {
				t.Error("what lies beside the folder was read")
			}
		})
		if diff := cmp.Diff(before, tree(t, beside)); diff != "" {
			t.Errorf("what lies beside the folder was touched:\n%s", diff)
		}
	})
}
