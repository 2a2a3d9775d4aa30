//go:build unix

package variables

import (
	"io/fs"
	"os"
	"syscall"
)

// othersWrite reports whether anybody but this user and root may write a file.
func othersWrite(st fs.FileInfo) bool {
	owner, ok := st.Sys().(*syscall.Stat_t)
	return st.Mode().Perm()&0o022 != 0 || !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid()
}

// othersRead reports whether anybody but this user and root may read a file.
func othersRead(st fs.FileInfo) bool { return st.Mode().Perm()&0o044 != 0 }
