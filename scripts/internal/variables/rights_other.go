//go:build !unix

package variables

import "io/fs"

// What others may do is not in the mode of a file here.

func othersWrite(fs.FileInfo) bool { return false }

func othersRead(fs.FileInfo) bool { return false }
