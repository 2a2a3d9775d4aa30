package chat

import (
	"bytes"
	"strconv"
)

// maxRelayDepth is how deep merged messages within merged messages are entered.
const maxRelayDepth = 100

// Kinds of links, by what they refer to.
const (
	LinkImage = "image" // the original of a picture
	LinkSound = "sound"
	LinkVideo = "video"
	LinkThumb = "thumb" // the picture that stands for a video
	LinkFile  = "file"
	LinkRelay = "relay" // merged messages that are stored elsewhere, and that only a logged-in client can fetch
)

// Link is a reference to a file inside a message.
type Link struct {
	Seq  Seq    `json:"seq"`
	N    int    `json:"n"`    // counts from 0 in a message
	Path string `json:"path"` // index in MsgBody, and for each merged message ".relay.<index in MsgList>.<index in its MsgBody>"
	Kind string `json:"kind"`
	URL  string `json:"url,omitempty"`  // as in the message; empty if it has none
	Name string `json:"name,omitempty"` // that the sender gave the file

	Size int64 `json:"-"` // in bytes, as the message says; 0 if it says none
}

// Links returns the links of a message in the order in which they stand in it. Elements of other classes have none.
// Members are read leniently: a number may be a string, one object may stand where a list belongs, and what has another type
// than documented counts as missing. An element that should have a URL and has none is a link all the same.
func Links(e *Element) []Link {
	if !e.Files || e.Class() != ClassMessage {
		return nil
	}
	f := linkFinder{seq: e.Seq}
	f.message(e.Value().Member(memberMsgBody), "", 0)
	return f.links
}

// mayHaveLinks passes over the MsgBody of most messages at the price of a search. A name may be spelled with escapes.
func mayHaveLinks(body []byte) bool {
	for rest := body; ; {
		i := bytes.Index(rest, []byte("TIM"))
		if i < 0 {
			return bytes.Contains(body, []byte(`\u00`))
		}
		rest = rest[i+3:]
		for _, name := range [...]string{"Image", "Sound", "VideoFile", "File", "Relay"} {
			if bytes.HasPrefix(rest, []byte(name)) {
				return true
			}
		}
	}
}

// Members of messages and their elements (Chat documentation, 269/2720).
const (
	memberMsgType        = "MsgType"
	memberMsgContent     = "MsgContent"
	memberImageInfoArray = "ImageInfoArray"
	memberMsgList        = "MsgList"
)

// linkFinder walks over an element.
type linkFinder struct {
	seq   Seq
	links []Link
}

// message finds the links of a MsgBody. prefix is the path of the message, with a dot at its end, empty for the outermost.
func (f *linkFinder) message(body Value, prefix string, depth int) {
	body.Each(func(n int, element Value) {
		f.element(element, prefix+strconv.Itoa(n), depth)
	})
}

func (f *linkFinder) element(v Value, path string, depth int) {
	content := v.Member(memberMsgContent)
	switch v.Member(memberMsgType).Text() {
	case "TIMImageElem":
		f.image(content, path)
	case "TIMSoundElem":
		f.add(LinkSound, path, content, "Url", "Size")
	case "TIMVideoFileElem":
		f.add(LinkVideo, path, content, "VideoUrl", "VideoSize")
		if content.Member("ThumbUrl").Text() != "" {
			f.add(LinkThumb, path, content, "ThumbUrl", "ThumbSize")
		}
	case "TIMFileElem":
		f.add(LinkFile, path, content, "Url", "FileSize")
		f.links[len(f.links)-1].Name = content.Member("FileName").Text()
	case "TIMRelayElem":
		f.relay(content, path, depth)
	}
}

// image adds the original of a picture; where that has no URL, the largest of its other sizes that has one.
func (f *linkFinder) image(content Value, path string) {
	var best Value
	original, most := false, int64(-1)
	content.Member(memberImageInfoArray).Each(func(_ int, info Value) {
		if original || info.Member("URL").Text() == "" {
			return
		}
		size := info.Member("Size").Int()
		if original = info.Member("Type").Int() == 1; original || size > most {
			best, most = info, size
		}
	})
	f.add(LinkImage, path, best, "URL", "Size")
}

// relay enters merged messages, or adds the key that stands for them.
func (f *linkFinder) relay(content Value, path string, depth int) {
	list := content.Member(memberMsgList)
	if list.IsNull() {
		if content.Member("JsonMsgKey").Text() != "" || content.Member("PbMsgKey").Text() != "" {
			f.add(LinkRelay, path, nil, "", "")
		}
		return
	}
	if depth == maxRelayDepth {
		return
	}
	list.Each(func(n int, message Value) {
		f.message(message.Member(memberMsgBody), path+".relay."+strconv.Itoa(n)+".", depth+1)
	})
}

// add adds a link whose members stand in the object info.
func (f *linkFinder) add(kind, path string, info Value, url, size string) {
	f.links = append(f.links, Link{
		Seq: f.seq, N: len(f.links), Path: path, Kind: kind,
		URL: info.Member(url).Text(), Size: max(info.Member(size).Int(), 0),
	})
}
