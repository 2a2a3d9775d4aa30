package dirstore

import (
	"fmt"
	"net/url"
	"strings"

	"chatexport/internal/objstore"
)

// The keys of an archive are names of files as they are. In any other key what a file system may take for something
// else is written as %xx, and what could be a file and a folder at once gets a mark at its end, so that every key has a
// file of its own, and every file tells its key.
const (
	fileMark   = "%"  // of a file whose name could be a folder's
	folderMark = "%%" // of a folder whose name could be a file's, or that has none

	maxNameBytes = 255 // of one file or folder, on every system
)

// fileName returns the name of a key's file. The error matches objstore.ErrInvalid.
func fileName(key string) (string, error) {
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		file, mark := likeFile(segment), ""
		switch last := i == len(segments)-1; {
		case last && !file:
			mark = fileMark
		case !last && (file || segment == ""):
			mark = folderMark
		}
		segments[i] = escaped(segment, mark == fileMark) + mark
		if len(segments[i]) > maxNameBytes {
			return "", fmt.Errorf("%w: a part of the key is too long for the name of a file", objstore.ErrInvalid)
		}
	}
	return strings.Join(segments, "/"), nil
}

// keyOf is the inverse of fileName. A file that this package did not name is shown under its own name.
func keyOf(name string) string {
	segments := strings.Split(name, "/")
	for i := range segments {
		mark := folderMark
		if i == len(segments)-1 {
			mark = fileMark
		}
		segment, err := url.PathUnescape(strings.TrimSuffix(segments[i], mark))
		if err != nil {
			return name
		}
		segments[i] = segment
	}
	key := strings.Join(segments, "/")
	if again, err := fileName(key); err != nil || again != name {
		return name
	}
	return key
}

// likeFile tells the files of an archive from its folders by their names.
func likeFile(segment string) bool {
	return strings.HasSuffix(segment, ".json") || strings.HasSuffix(segment, ".gz") ||
		len(segment) == 64 && strings.Trim(segment, "0123456789abcdef") == "" // a blob
}

// escaped keeps the bytes that mean the same on every system; where case is told, too, no capitals.
func escaped(segment string, tellCase bool) string {
	const kept = "abcdefghijklmnopqrstuvwxyz0123456789_=-."
	var b strings.Builder
	for i := range len(segment) {
		c := segment[i]
		capital := 'A' <= c && c <= 'Z'
		if capital && tellCase || !capital && strings.IndexByte(kept, c) < 0 || c == '.' && i == 0 {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
