//go:build !unix

package variables

import "io/fs"

// What others may do is not in the mode of a file here.

func othersWrite(fs.FileInfo) string { return "" }

func othersRead(fs.FileInfo) bool { return false }
