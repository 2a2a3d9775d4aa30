package pages

import (
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SaveOnly is the type of all files that a browser must not show.
const SaveOnly = "application/octet-stream"

// TypeOf says as what a file may be shown, by its first bytes alone: what its sender or its host called it does not count. It is
// SaveOnly for all but pictures, sounds and videos of a few kinds that cannot act: not for SVG, HTML or PDF.
func TypeOf(head []byte) string {
	kind, _, _ := strings.Cut(http.DetectContentType(head[:min(len(head), 512)]), ";")
	switch kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "audio/wave", "video/mp4", "video/webm":
		return kind
	case "application/ogg":
		return "audio/ogg"
	}
	if len(head) > 2 && head[0] == 0xFF && head[1]&0xF6 == 0xF0 { // ADTS
		return "audio/aac"
	}
	return SaveOnly
}

// Extension returns the ending of the names of files of a type that TypeOf returned, with its dot; empty for SaveOnly.
func Extension(kind string) string {
	switch kind {
	case "image/png":
		return ".png"
	case "image/jpeg":
		return ".jpg"
	case "image/gif":
		return ".gif"
	case "image/webp":
		return ".webp"
	case "audio/mpeg":
		return ".mp3"
	case "audio/wave":
		return ".wav"
	case "audio/ogg":
		return ".ogg"
	case "audio/aac":
		return ".aac"
	case "video/mp4":
		return ".mp4"
	case "video/webm":
		return ".webm"
	}
	return ""
}

// maxName bounds a file's name in bytes: file systems take 255.
const maxName = 120

// FileName makes of the name that a stranger gave a file one that is safe to save under in one folder of any common file
// system: no path, nothing hidden, nothing that acts, no device, never empty.
func FileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, !unicode.IsPrint(r) && r != ' ', acting(r) != "":
			return -1
		case strings.ContainsRune(`<>:"|?*;%`, r):
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.Trim(name, " .")
	if stem, ending := cutEnding(name); len(name) > maxName {
		ending = strings.ToValidUTF8(ending[:min(len(ending), 16)], "")
		name = strings.TrimRight(strings.ToValidUTF8(stem[:min(len(stem), maxName-len(ending))], ""), " .") + ending
	}
	name = strings.TrimRight(name, "_ .")
	if stem, _ := cutEnding(name); name == "" || device(stem) || strings.ContainsAny(name[:1], "-=+@~") {
		name = strings.TrimRight("file_"+name, "_")
	}
	return name
}

func cutEnding(name string) (stem, ending string) {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i], name[i:]
	}
	return name, ""
}

// device reports whether Windows takes a name for a device, whatever its ending.
func device(stem string) bool {
	stem, _, _ = strings.Cut(strings.ToUpper(stem), ".")
	stem = strings.TrimRight(stem, " ")
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CLOCK$":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) && stem[3] >= '0' && stem[3] <= '9'
}

// Disposition is the header by which a browser saves a file under a name.
func Disposition(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": FileName(name)})
}
