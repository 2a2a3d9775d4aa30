package catcmd

import (
	"encoding/json"
	"io"

	"chatexport/internal/chat"
)

// link is one file that a message refers to. Members are only ever added.
type link struct {
	Seq  chat.Seq `json:"seq"`
	Time int64    `json:"time"`
	From string   `json:"from"`
	Type string   `json:"type"` // image, sound, video, thumbnail or file
	URL  string   `json:"url"`
	Name string   `json:"name,omitempty"`
	Size int64    `json:"size,omitempty"`
}

// media returns the links of an element. Of an image, which comes in several sizes, that of the original.
func media(e *chat.Element) []link {
	m := parse(e)
	var links []link
	add := func(kind, url, name string, size int64) {
		if url != "" {
			links = append(links, link{Seq: e.Seq, Time: e.Time, From: m.From, Type: kind, URL: url, Name: name, Size: size})
		}
	}
	for _, p := range parts(m.Body) {
		c := p.content
		switch p.kind {
		case "TIMImageElem":
			url, size := original(c["ImageInfoArray"])
			add("image", url, "", size)
		case "TIMSoundElem":
			add("sound", str(c["Url"]), "", number(c["Size"]))
		case "TIMVideoFileElem":
			add("video", str(c["VideoUrl"]), "", number(c["VideoSize"]))
			add("thumbnail", str(c["ThumbUrl"]), "", number(c["ThumbSize"]))
		case "TIMFileElem":
			add("file", str(c["Url"]), str(c["FileName"]), number(c["FileSize"]))
		}
	}
	return links
}

// original finds the original among an image's sizes (Type 1), or the first one with a link.
func original(raw json.RawMessage) (url string, size int64) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return "", 0
	}
	for _, one := range list {
		m := fields(one)
		if u := str(m["URL"]); u != "" && (url == "" || number(m["Type"]) == 1) {
			url, size = u, number(m["Size"])
		}
	}
	return url, size
}

func (l link) print(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}
