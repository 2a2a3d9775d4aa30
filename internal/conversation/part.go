package conversation

import (
	"strconv"

	"chatexport/internal/chat"
)

// PartKind is what an element of a message is.
type PartKind string

// The kinds of parts.
const (
	PartText      PartKind = "text"
	PartImage     PartKind = "image"
	PartSound     PartKind = "sound"
	PartVideo     PartKind = "video"
	PartFile      PartKind = "file"
	PartFace      PartKind = "face"
	PartLocation  PartKind = "location"
	PartCustom    PartKind = "custom"
	PartMerged    PartKind = "merged"
	PartTip       PartKind = "tip"       // of the system
	PartMalformed PartKind = "malformed" // what came cannot be read; Text is how many bytes it had
	PartUnknown   PartKind = "unknown"   // an element that this program does not know
)

// maxRelayDepth is how deep merged messages within merged messages are entered, as for links.
const maxRelayDepth = 100

// Part is one element of a message. Text is a stranger's, as it came.
type Part struct {
	Kind PartKind
	Type string // MsgType as it came
	// Text is the text; of a face, a location or a custom element its description, of merged messages their title.
	Text     string
	Data     string // of a custom or a face element; of an unknown one its content, as JSON
	Ext      string // of a custom element
	Number   int64  // seconds of a sound or video, index of a face, size of a file as the message says, in bytes
	Lat, Lon string // of a location
	File     *File  // nil where the message has none
	Thumb    *File  // of a video
	Merged   []Quoted
	Abstract []string // what the sender's client showed of merged messages that are stored elsewhere
	Missing  bool     // merged messages are stored elsewhere, or nested too deep
}

// Quoted is one of merged messages.
type Quoted struct {
	From  Person
	Time  int64
	Parts []Part
}

// visit calls take for a part and all those that are merged into it.
func (p *Part) visit(take func(*Part)) {
	take(p)
	for i := range p.Merged {
		for j := range p.Merged[i].Parts {
			p.Merged[i].Parts[j].visit(take)
		}
	}
}

// kindOf tells what an element of a MsgType is.
func kindOf(msgType string) PartKind {
	switch msgType {
	case "TIMTextElem":
		return PartText
	case "TIMImageElem":
		return PartImage
	case "TIMSoundElem":
		return PartSound
	case "TIMVideoFileElem":
		return PartVideo
	case "TIMFileElem":
		return PartFile
	case "TIMFaceElem":
		return PartFace
	case "TIMLocationElem":
		return PartLocation
	case "TIMCustomElem":
		return PartCustom
	case "TIMRelayElem":
		return PartMerged
	default:
		return PartUnknown
	}
}

// partReader reads bodies.
type partReader struct {
	files  map[fileKey]*File
	person func(id string) Person
}

// body reads a MsgBody. prefix is the path of its message, as links have it.
func (r partReader) body(body chat.Value, prefix string, depth int) []Part {
	var parts []Part
	body.Each(func(n int, element chat.Value) {
		parts = append(parts, r.part(element, prefix+strconv.Itoa(n), depth))
	})
	return parts
}

func (r partReader) part(v chat.Value, path string, depth int) Part {
	c := v.Member("MsgContent")
	p := Part{Type: v.Member("MsgType").Text()}
	p.Kind = kindOf(p.Type)
	file := func(kind string) *File { return r.files[fileKey{path, kind}] }
	switch p.Kind {
	case PartText:
		p.Text = c.Member("Text").Text()
	case PartImage:
		p.File = file(chat.LinkImage)
	case PartSound:
		p.File, p.Number = file(chat.LinkSound), c.Member("Second").Int()
	case PartVideo:
		p.File, p.Thumb, p.Number = file(chat.LinkVideo), file(chat.LinkThumb), c.Member("VideoSecond").Int()
	case PartFile:
		p.File, p.Text, p.Number = file(chat.LinkFile), c.Member("FileName").Text(), c.Member("FileSize").Int()
	case PartFace:
		p.Number, p.Data = c.Member("Index").Int(), c.Member("Data").Text()
	case PartLocation:
		p.Text, p.Lat, p.Lon = c.Member("Desc").Text(), string(c.Member("Latitude")), string(c.Member("Longitude"))
	case PartCustom:
		p.Text, p.Data, p.Ext = c.Member("Desc").Text(), c.Member("Data").Text(), c.Member("Ext").Text()
	case PartMerged:
		p.Text, p.File = c.Member("Title").Text(), file(chat.LinkRelay)
		r.merged(&p, c, path, depth)
	default:
		p.Data = string(c)
	}
	return p
}

func (r partReader) merged(p *Part, content chat.Value, path string, depth int) {
	list := content.Member("MsgList")
	if list.IsNull() || depth == maxRelayDepth {
		p.Missing = true
		content.Member("AbstractText").Each(func(_ int, line chat.Value) {
			p.Abstract = append(p.Abstract, line.Text())
		})
		return
	}
	list.Each(func(n int, m chat.Value) {
		q := Quoted{From: r.person(m.Member("From_Account").Text()), Time: believed(m.Member("MsgTimeStamp").Int())}
		if q.From.Name == "" {
			q.From.Name = m.Member("From_AccountNick").Text()
		}
		q.Parts = r.body(m.Member("MsgBody"), path+".relay."+strconv.Itoa(n)+".", depth+1)
		p.Merged = append(p.Merged, q)
	})
}
