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
	f := linkFinder{scanner: scanner{body: e.JSON}, seq: e.Seq}
	f.message(f.member(0, memberMsgBody), "", 0)
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

// linkFinder walks over an element that has been scanned before: its JSON is sound. Values are handed around by the index at
// which they begin, -1 for one that is missing.
type linkFinder struct {
	scanner
	seq   Seq
	links []Link
}

// message finds the links of a MsgBody. prefix is the path of the message, with a dot at its end, empty for the outermost.
func (f *linkFinder) message(body int, prefix string, depth int) {
	f.each(body, func(n, element int) {
		f.element(element, prefix+strconv.Itoa(n), depth)
	})
}

func (f *linkFinder) element(at int, path string, depth int) {
	content := f.member(at, memberMsgContent)
	switch f.text(f.member(at, memberMsgType)) {
	case "TIMImageElem":
		f.image(content, path)
	case "TIMSoundElem":
		f.add(LinkSound, path, content, "Url", "Size")
	case "TIMVideoFileElem":
		f.add(LinkVideo, path, content, "VideoUrl", "VideoSize")
		if f.text(f.member(content, "ThumbUrl")) != "" {
			f.add(LinkThumb, path, content, "ThumbUrl", "ThumbSize")
		}
	case "TIMFileElem":
		f.add(LinkFile, path, content, "Url", "FileSize")
		f.links[len(f.links)-1].Name = f.text(f.member(content, "FileName"))
	case "TIMRelayElem":
		f.relay(content, path, depth)
	}
}

// image adds the original of a picture; where that has no URL, the largest of its other sizes that has one.
func (f *linkFinder) image(content int, path string) {
	best, original, most := -1, false, int64(-1)
	f.each(f.member(content, memberImageInfoArray), func(_, info int) {
		if original || f.text(f.member(info, "URL")) == "" {
			return
		}
		size := f.number(f.member(info, "Size"))
		if original = f.number(f.member(info, "Type")) == 1; original || size > most {
			best, most = info, size
		}
	})
	f.add(LinkImage, path, best, "URL", "Size")
}

// relay enters merged messages, or adds the key that stands for them.
func (f *linkFinder) relay(content int, path string, depth int) {
	list := f.member(content, memberMsgList)
	if list < 0 || f.at(list) == 'n' {
		if f.text(f.member(content, "JsonMsgKey")) != "" || f.text(f.member(content, "PbMsgKey")) != "" {
			f.add(LinkRelay, path, -1, "", "")
		}
		return
	}
	if depth == maxRelayDepth {
		return
	}
	f.each(list, func(n, message int) {
		f.message(f.member(message, memberMsgBody), path+".relay."+strconv.Itoa(n)+".", depth+1)
	})
}

// add adds a link whose members stand in the object at info.
func (f *linkFinder) add(kind, path string, info int, url, size string) {
	f.links = append(f.links, Link{
		Seq: f.seq, N: len(f.links), Path: path, Kind: kind,
		URL: f.text(f.member(info, url)), Size: max(f.number(f.member(info, size)), 0),
	})
}

// member returns where the value of an object's member begins; of a member that comes twice the last one counts.
func (f *linkFinder) member(object int, wanted string) int {
	found := -1
	if object < 0 || f.at(object) != '{' {
		return found
	}
	f.object(object+1, 1, func(name []byte, i, depth int) int {
		if string(name) == wanted {
			found = i
		}
		return f.value(i, depth)
	})
	return found
}

// each visits the objects of a list, or the one object that stands in its place.
func (f *linkFinder) each(list int, visit func(n, at int)) {
	switch {
	case list < 0:
	case f.at(list) == '{':
		visit(0, list)
	case f.at(list) == '[':
		for n, i := 0, f.space(list+1); f.at(i) != ']'; n++ {
			visit(n, i)
			i = f.space(f.value(i, 1))
			if f.at(i) == ',' {
				i = f.space(i + 1)
			}
		}
	}
}

func (f *linkFinder) text(at int) string {
	if at < 0 {
		return ""
	}
	text, _ := stringOf(f.body[at:f.value(at, 1)])
	return text
}

func (f *linkFinder) number(at int) int64 {
	if at < 0 {
		return 0
	}
	return intOf(f.body[at:f.value(at, 1)])
}
