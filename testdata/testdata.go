// Package testdata gives tests, benchmarks and the demo the fixtures of this folder, wherever they run from.
//
// It owns no logic: what a fixture means belongs to the package that reads it. Production code must never import it;
// a linter rule says so.
package testdata

import (
	"embed"
	"io/fs"
)

//go:embed all:chat all:events all:golden all:hostile
var files embed.FS

// ChatLog returns 4,000 lines of a real, busy group chat, oldest first, one JSON object a line:
// {"time": unix seconds, "from": nick, "text": ...} or {"time": ..., "system": ...} for joins and parts.
// The caller may change the slice. chat/README.md names the source and its licence.
func ChatLog() []byte {
	content, err := files.ReadFile("chat/ubuntu.ndjson")
	if err != nil {
		panic(err) // impossible: the build fails when the file is missing
	}
	return content
}

// Events returns the payloads that the platform's triggers send, one file each.
func Events() fs.FS { return sub("events") }

// Golden returns expected outputs, byte for byte.
func Golden() fs.FS { return sub("golden") }

// Hostile returns elements as strangers might send them, one JSON object a line; hostile/README.md tells what is in them. The
// caller may change the slice.
func Hostile() []byte {
	content, err := files.ReadFile("hostile/messages.ndjson")
	if err != nil {
		panic(err) // impossible: the build fails when the file is missing
	}
	return content
}

func sub(folder string) fs.FS {
	fsys, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // impossible: the folder's name is a valid path
	}
	return fsys
}
