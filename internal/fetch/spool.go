package fetch

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The names of temporary files: these, and digits between.
const (
	spoolPrefix = "chatexport-media-"
	spoolSuffix = ".part"
)

// spool is a temporary file. It has no name where the system allows that, so that the end of the process, however it
// comes, is the end of the file.
type spool struct {
	file *os.File
	name string // still to be removed
	err  error  // of a write
}

func newSpool(dir string) (*spool, error) {
	file, err := os.CreateTemp(dir, spoolPrefix+"*"+spoolSuffix)
	if err != nil {
		return nil, err
	}
	s := &spool{file: file, name: file.Name()}
	// A crash right before this leaves an empty file, which the next process removes.
	if err := os.Remove(s.name); err == nil || errors.Is(err, os.ErrNotExist) {
		s.name = ""
	}
	return s, nil
}

// reset makes it empty.
func (s *spool) reset() error {
	s.err = nil
	_, err := s.file.Seek(0, io.SeekStart)
	return errors.Join(err, s.file.Truncate(0))
}

// Write implements io.Writer, and notes that it was writing that failed.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.err = err
	return n, err
}

func (s *spool) close() {
	_ = s.file.Close() // its content is not wanted any more
	if s.name != "" {
		_ = os.Remove(s.name) // by the next process otherwise
	}
}

// clean removes what killed processes have left. The file of one that lives has no name any more, or the system does not
// let go of it.
func clean(dir string) {
	there, err := os.ReadDir(dir)
	if err != nil {
		return // a file of ours will find out
	}
	for _, entry := range there {
		between, ok := strings.CutPrefix(entry.Name(), spoolPrefix)
		between, whole := strings.CutSuffix(between, spoolSuffix)
		if ok && whole && between != "" && strings.Trim(between, "0123456789") == "" && entry.Type().IsRegular() {
			_ = os.Remove(filepath.Join(dir, entry.Name())) // nobody's, or somebody else's
		}
	}
}
