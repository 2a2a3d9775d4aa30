package variables

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode"
	"unicode/utf8"

	"github.com/joho/godotenv"
)

// maxBytes is more than any file of variables has.
const maxBytes = 1 << 20

// parse returns what a file says, nil if there is none where it may be missing.
func parse(path string) (map[string]string, error) {
	name := cmp.Or(path, defaultFile)
	text, err := read(name, path == "")
	if err != nil || text == nil {
		return nil, err
	}
	all, err := godotenv.Parse(bytes.NewReader(text))
	if err != nil { // the error itself may repeat a secret
		return nil, fmt.Errorf("read %s: every line must have the form NAME=VALUE", name)
	}
	for variable, value := range all {
		if !isOwn(variable) {
			continue
		}
		if err := Unclean(variable, value); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return all, nil
}

// read returns the bytes of a file, never nil if there is one.
func read(name string, optional bool) ([]byte, error) {
	st, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && optional:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the file of variables cannot be found: %w", err)
	case st.IsDir():
		return nil, fmt.Errorf("%s is a folder, where a file of variables is looked for", name)
	case optional && !st.Mode().IsRegular(): // one that is named may be a pipe
		return nil, fmt.Errorf("%s is no file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the file of variables cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	if st, err = f.Stat(); err != nil {
		return nil, fmt.Errorf("the file of variables cannot be read: %w", err)
	}
	if problem := othersWrite(st); problem != "" {
		return nil, fmt.Errorf("%s is not read, since %s", name, fmt.Sprintf(problem, name))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxBytes))
	if err != nil {
		return nil, fmt.Errorf("the file of variables cannot be read: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s is no UTF-8 text, but UTF-16 perhaps, as some editors on Windows write it: save it as UTF-8", name)
	}
	return text, nil
}

func othersMayRead(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode().IsRegular() && othersRead(st)
}

func isControl(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }
