//go:build !unix

package screen

import "os"

func columns(*os.File) int { return 0 }
