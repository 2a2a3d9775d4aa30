package view

import (
	"net/url"
	"strconv"
	"strings"

	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/pages"
)

// Paths of this server. A stream's is that of its objects.
const (
	stylePath  = "/style.css"
	talkPath   = "/talk/"
	filePath   = "/file/"
	searchPath = "/search"
	proofName  = "proof"
	jumpName   = "jump"
)

// links are the addresses of this server's pages, in a time zone.
type links struct {
	zone string // as it was asked for; empty for the server's own
}

func (l links) query(values url.Values) string {
	if l.zone != "" {
		values.Set("tz", l.zone)
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// streamPath is the part of a stream's keys that names it: gid=<gid>/tid=<tid>/.
func streamPath(s chat.Stream) string {
	return strings.TrimPrefix(layout.ChunkPrefix(s), layout.DataPrefix)
}

// parseStream is the strict inverse of streamPath.
func parseStream(path string) (chat.Stream, bool) {
	name, err := layout.Parse(layout.ManifestPrefixRoot + path + "genesis.json")
	return name.Stream, err == nil && name.Kind == layout.KindGenesis
}

// Conversation implements pages.Links.
func (l links) Conversation(s chat.Stream) string {
	return talkPath + streamPath(s) + l.query(url.Values{})
}

// Day implements pages.Links.
func (l links) Day(s chat.Stream, d conversation.Date, seq chat.Seq) string {
	values := url.Values{"day": {d.String()}}
	if seq > 0 {
		values.Set("seq", strconv.FormatInt(int64(seq), 10))
	}
	address := talkPath + streamPath(s) + l.query(values)
	if seq > 0 {
		address += "#s" + strconv.FormatInt(int64(seq), 10)
	}
	return address
}

// Proof implements pages.Links.
func (l links) Proof(s chat.Stream, seq chat.Seq) string {
	return talkPath + streamPath(s) + proofName + l.query(url.Values{"seq": {strconv.FormatInt(int64(seq), 10)}})
}

// File implements pages.Links. The name is only for saving.
func (l links) File(f *conversation.File) string {
	address := filePath + f.SHA256
	if f.Name != "" {
		address += "?" + url.Values{"name": {pages.FileName(f.Name)}}.Encode()
	}
	return address
}

func (l links) home() string { return "/" + l.query(url.Values{}) }
