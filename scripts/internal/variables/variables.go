// Package variables finds the variables of the programs that an operator starts: in the environment, and in the file
// .env beside serverless.yml. It must never let a value into an error.
package variables

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/joho/godotenv"
)

// names are what the platform and the function call the three parts of a key, and then what the Serverless command line
// calls them: a .env file for the one serves the other.
func names() [2][3]string {
	return [2][3]string{
		{"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"},
		{"TENCENT_SECRET_ID", "TENCENT_SECRET_KEY", "TENCENT_TOKEN"},
	}
}

// Read adds a file to the environment, which has precedence, as for the Serverless command line. Without a path the
// file is .env, which may be missing.
func Read(path string, getenv func(string) string) (func(string) string, error) {
	file, err := godotenv.Read(cmp.Or(path, ".env"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && path == "":
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the file of variables cannot be found: %w", err)
	case err != nil: // the error itself may repeat a secret
		return nil, fmt.Errorf("read %s: every line must have the form NAME=VALUE", cmp.Or(path, ".env"))
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
