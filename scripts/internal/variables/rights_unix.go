//go:build unix

package variables

import (
	"io/fs"
	"os"
	"syscall"
)

// othersWrite says why anybody but this user and root may write a file, with a place for its name; empty if nobody may.
func othersWrite(st fs.FileInfo) string {
	owner, ok := st.Sys().(*syscall.Stat_t)
	switch {
	case !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return "it belongs to another user, who could send your keys elsewhere: make a copy of your own of %s, or chown it"
	case st.Mode().Perm()&0o022 != 0:
		return "others may write it, and could send your keys elsewhere: chmod 600 %s"
	default:
		return ""
	}
}

// othersRead reports whether anybody but this user and root may read a file.
func othersRead(st fs.FileInfo) bool { return st.Mode().Perm()&0o044 != 0 }
