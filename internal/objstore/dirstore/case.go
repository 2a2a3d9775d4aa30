package dirstore

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"chatexport/internal/objstore"
)

// foldsCase finds out whether the file system takes a name for the same in another case, as those of Windows and macOS
// do. A folder without any of these holds no archive that could be harmed.
func (s *Store) foldsCase() bool {
	for _, name := range []string{inner, "data", "manifest", "state"} {
		one, err := s.dir.Stat(s.at(name))
		if err != nil {
			continue
		}
		other, err := s.dir.Stat(s.at(strings.ToUpper(name)))
		return err == nil && os.SameFile(one, other)
	}
	return false
}

// checkCase refuses a name of which a part is there in another case, since the file system would take what is another
// key's for this key's. The error matches objstore.ErrInvalid.
func (s *Store) checkCase(name string) error {
	if !s.folds {
		return nil
	}
	parent := "."
	for segment := range strings.SplitSeq(name, "/") {
		at := path.Join(parent, segment)
		if _, known := s.exact.Load(at); !known {
			st, err := s.dir.Stat(s.at(at))
			if absent(err) {
				return nil // nor is there anything below it
			}
			if err != nil {
				return err
			}
			there, err := s.dir.ReadDir(parent)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(there, func(e fs.DirEntry) bool { return e.Name() == segment }) {
				return fmt.Errorf("%w: %s is there in another case, and this file system cannot hold both; use another folder", objstore.ErrInvalid, at)
			}
			if st.IsDir() {
				s.exact.Store(at, true)
			}
		}
		parent = at
	}
	return nil
}
