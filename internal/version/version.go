// Package version says which build this is, so that a log line or a manifest can be traced to a commit.
//
// It owns the form of that name. It must never ask the clock: the same commit has the same name on every machine.
package version

import (
	"runtime/debug"
)

// Devel is the name of a build of unknown origin.
const Devel = "devel"

// hashLength is how much of a commit's hash a name has.
const hashLength = 12

// stamp is what scripts/package.sh passes to the linker: day and hash of the commit. The go command's own stamp would
// do, but it depends on the tags that a clone happens to have, and so would the bytes of the binary.
var stamp string //nolint:gochecknoglobals // the linker can only set a variable; nothing else writes it

// String returns the name of this build, such as 20261122-f0809c2aa13b; with -dirty behind it if the sources were not
// exactly the commit's, and Devel if nothing is known.
func String() string {
	if stamp != "" {
		return stamp
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Devel
	}
	return of(info)
}

// of names a build that was made by the go command alone.
func of(info *debug.BuildInfo) string {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	hash, date := settings["vcs.revision"], settings["vcs.time"]
	if len(hash) < hashLength {
		return Devel
	}
	name := hash[:hashLength]
	if len(date) >= len("2006-01-02") {
		name = date[:4] + date[5:7] + date[8:10] + "-" + name
	}
	if settings["vcs.modified"] == "true" {
		name += "-dirty"
	}
	return name
}
