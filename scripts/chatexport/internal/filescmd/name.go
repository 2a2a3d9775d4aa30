package filescmd

import (
	"fmt"
	"mime"
	"path"
	"strings"
	"time"
	"unicode"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

const (
	mostName      = 80 // bytes of what a sender called a file; with what stands before it a name fits every file system
	mostExtension = 12
)

// nameOf is the name that a file gets: when the message was sent, its seq, the link's number in it, whether it is of a version that
// was found later, its kind, and what the sender called it. Whatever that is, names differ before it comes, in digits: no case folds two of them into one, none begins
// with a dot, and none is one of a device.
func nameOf(l *archive.MediaLine, seconds int64, later bool) string {
	stamp := "undated"
	if t := time.Unix(seconds, 0).UTC(); seconds > 0 && t.Year() <= 9999 {
		stamp = t.Format("20060102T150405Z")
	}
	version := ""
	if later {
		version = "later_"
	}
	name := fmt.Sprintf("%s_%010d_%02d_%s%s", stamp, l.Seq, l.N, version, clean(l.Kind))
	called, known := clean(l.Name), extension(l)
	switch {
	case called == "" && known == "":
		return name + ".bin"
	case called == "":
		return name + known
	case path.Ext(called) == "":
		return name + "_" + called + known
	default:
		return name + "_" + called
	}
}

// clean makes a name from outside part of a file's name: of what can be seen, without what separates or means something to any
// system, and short. Its extension stays.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), strings.ContainsRune(`/\:*?"<>|`, r):
			return '_'
		case r == unicode.ReplacementChar, !unicode.IsPrint(r): // controls, and what turns the order of others, too
			return -1
		}
		return r
	}, name)
	name = strings.TrimLeft(name, "._-")
	ext := path.Ext(name)
	if len(ext) > mostExtension {
		ext = ""
	}
	stem := strings.TrimSuffix(name, ext)
	if most := mostName - len(ext); len(stem) > most {
		stem = strings.ToValidUTF8(stem[:most], "")
	}
	return strings.TrimRight(strings.TrimRight(stem, ".")+ext, ".")
}

// extension is that of the type that a file was served as, or else of its URL, if it is a common one: a server's word makes
// neither a program nor a page of what a message calls a picture.
func extension(l *archive.MediaLine) string {
	kind, _, _ := mime.ParseMediaType(l.Type) // what is none has no extension
	known := map[string]string{
		"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp", "image/heic": ".heic",
		"audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/x-m4a": ".m4a", "audio/aac": ".aac", "audio/amr": ".amr", "audio/wav": ".wav",
		"audio/x-wav": ".wav", "audio/ogg": ".ogg", "video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm",
		"application/pdf": ".pdf", "application/zip": ".zip", "text/plain": ".txt",
	}
	if ext, ok := known[kind]; ok {
		return ext
	}
	at, _, _ := strings.Cut(l.URL, "?")
	ext := strings.ToLower(path.Ext(at))
	for _, one := range known {
		if ext == one {
			return ext
		}
	}
	return ""
}

// kinds are the kinds of links.
func kinds() []string {
	return []string{chat.LinkImage, chat.LinkSound, chat.LinkVideo, chat.LinkThumb, chat.LinkFile, chat.LinkRelay}
}
