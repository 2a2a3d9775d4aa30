// Package variables finds the variables of the programs that deploy: in the environment, and in the file .env beside
// serverless.yml. It must never let a value into an error.
package variables

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"github.com/joho/godotenv"
)

// Read adds a file to the environment, which has precedence, as for the Serverless command line. The file may be missing.
func Read(path string, getenv func(string) string) (func(string) string, error) {
	file, err := godotenv.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: it must hold lines NAME=value", path) // the error itself may repeat a secret
	}
	return func(name string) string { return cmp.Or(getenv(name), file[name]) }, nil
}
