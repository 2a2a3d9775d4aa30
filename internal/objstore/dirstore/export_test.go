package dirstore

import (
	"path"
	"strings"
)

// FoldCase gives the store a file system that takes a name for the same in any case.
func (s *Store) FoldCase() {
	s.at = func(name string) string {
		at := "."
		for segment := range strings.SplitSeq(name, "/") {
			there, _ := s.dir.ReadDir(at) // none where there is no such folder
			for _, e := range there {
				if strings.EqualFold(e.Name(), segment) {
					segment = e.Name()
				}
			}
			at = path.Join(at, segment)
		}
		return at
	}
	s.folds = s.foldsCase()
}
