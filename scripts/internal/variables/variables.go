// Package variables finds the variables of the programs that an operator starts: in the environment, and in the file
// .env beside serverless.yml. It must never let a value into an error.
package variables

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// maxBytes is more than any file of variables has.
const maxBytes = 1 << 20

// names are what the platform and the function call the three parts of a key, and then what the Serverless command line
// calls them: a .env file for the one serves the other.
func names() [2][3]string {
	return [2][3]string{
		{"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"},
		{"TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", "TENCENT_TOKEN"},
	}
}

// defaultFile is read where none is named.
const defaultFile = ".env"

// Read adds a file to the environment, which has precedence, as for the Serverless command line. Without a path the
// file is .env, which may be missing. A file that others may write is refused: they would decide where keys and messages
// go.
func Read(path string, getenv func(string) string) (func(string) string, error) {
	file, err := parse(path)
	if err != nil {
		return nil, err
	}
	inFile := func(name string) string { return file[name] }
	return func(name string) string {
		platform := names()[0]
		if part := slices.Index(platform[:], name); part >= 0 {
			return keyPart(part, getenv, inFile)
		}
		return cmp.Or(getenv(name), inFile(name))
	}, nil
}

func parse(path string) (map[string]string, error) {
	name := cmp.Or(path, defaultFile)
	st, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && path == "":
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the file of variables cannot be found: %w", err)
	case path == "" && !st.Mode().IsRegular(): // one that is named may be a pipe
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
	if othersWrite(st) {
		return nil, fmt.Errorf("%s is not read, since others may write it: make it your own (chown), and chmod 600 %[1]s", name)
	}
	file, err := godotenv.Parse(io.LimitReader(f, maxBytes))
	if err != nil { // the error itself may repeat a secret
		return nil, fmt.Errorf("read %s: every line must have the form NAME=VALUE", name)
	}
	return file, nil
}

// Unused returns the names of a file's variables that begin as the function's do, and of which nobody knows: most likely
// they are misspelt.
func Unused(path string, known func(name string) bool) []string {
	file, err := parse(path)
	if err != nil {
		return nil // which Read says
	}
	var unused []string
	for name := range file {
		own := slices.ContainsFunc([]string{"CHAT", "COS_", "CMQ_", "CLOUD_", "CLS_", "EXPORT_", "MEDIA_"}, func(prefix string) bool {
			return strings.HasPrefix(name, prefix)
		})
		if own && !known(name) {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	return unused
}

// Warning is what the owner of a file should know of it, empty if all is well, or Read says it.
func Warning(path string) string {
	name := cmp.Or(path, defaultFile)
	if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() || !othersRead(st) {
		return ""
	}
	return "others may read " + name + ", and the keys in it: chmod 600 " + name
}

// keyPart returns one part of the key. All parts are of the first place that has an id: a key with another one's token
// is refused by every service.
func keyPart(part int, places ...func(string) string) string {
	for _, place := range places {
		for _, key := range names() {
			if place(key[0]) != "" {
				return place(key[part])
			}
		}
	}
	return ""
}
