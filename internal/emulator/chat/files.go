package chatemu

import "encoding/json"

// Media is a file as an element of a message tells of it, whatever is true of the file.
type Media struct {
	URL           string // left out if empty, as old clients did, which sent the UUID only
	UUID          string // "uuid" if empty
	Name          string // of a TIMFileElem
	Size          int64  // bytes
	Width, Height int    // pixels, of pictures
	Seconds       int    // of sounds and videos
	Format        string // of a video and its picture: "mp4", "JPG"
}

// Relayed is a message within a TIMRelayElem.
type Relayed struct {
	From string
	Seq  int64 // of the place that it was relayed from
	Time int64 // seconds since 1970
	Body json.RawMessage
}

// Types of pictures in a TIMImageElem.
const (
	pictureOriginal = 1
	pictureLarge    = 2
	pictureThumb    = 3
)

// MsgBody puts elements together as the MsgBody of a message.
func MsgBody(elements ...json.RawMessage) json.RawMessage {
	list := make([][]byte, len(elements))
	for i, e := range elements {
		list[i] = e
	}
	return array(list)
}

// TextElem is a text.
func TextElem(value string) json.RawMessage {
	return element("TIMTextElem", []member{text("Text", value)})
}

// ImageElem is a picture in the three sizes that a client makes of it.
func ImageElem(original, large, thumb Media) json.RawMessage {
	size := func(kind int, m Media) []byte {
		members := []member{
			number("Type", kind), number("Size", m.Size), number("Width", m.Width), number("Height", m.Height),
		}
		return object(append(members, m.url("URL")...))
	}
	sizes := array([][]byte{size(pictureOriginal, original), size(pictureLarge, large), size(pictureThumb, thumb)})
	return element("TIMImageElem", []member{original.uuid("UUID"), number("ImageFormat", 255), {"ImageInfoArray", sizes}})
}

// SoundElem is a voice message.
func SoundElem(m Media) json.RawMessage {
	members := append(m.url("Url"), m.uuid("UUID"), number("Size", m.Size), number("Second", m.Seconds))
	return element("TIMSoundElem", append(members, m.flag("Download_Flag")...))
}

// VideoElem is a video with the picture that stands for it.
func VideoElem(video, thumb Media) json.RawMessage {
	members := append(video.url("VideoUrl"), video.uuid("VideoUUID"), number("VideoSize", video.Size),
		number("VideoSecond", video.Seconds), text("VideoFormat", video.Format))
	members = append(append(members, video.flag("VideoDownloadFlag")...), thumb.url("ThumbUrl")...)
	members = append(members, thumb.uuid("ThumbUUID"), number("ThumbSize", thumb.Size), number("ThumbWidth", thumb.Width),
		number("ThumbHeight", thumb.Height), text("ThumbFormat", thumb.Format))
	return element("TIMVideoFileElem", append(members, thumb.flag("ThumbDownloadFlag")...))
}

// FileElem is a file of any kind.
func FileElem(m Media) json.RawMessage {
	members := append(m.url("Url"), m.uuid("UUID"), number("FileSize", m.Size), text("FileName", m.Name))
	return element("TIMFileElem", append(members, m.flag("Download_Flag")...))
}

// RelayElem is a merged message: others that were relayed together.
func RelayElem(messages ...Relayed) json.RawMessage {
	list, abstracts := make([][]byte, len(messages)), make([][]byte, len(messages))
	for i, m := range messages {
		abstracts[i] = quote(m.From + ": ...")
		list[i] = object([]member{
			text("From_Account", m.From), text("GroupId", "relayed"), number("MsgSeq", m.Seq),
			number("MsgRandom", mixed(uint64(m.Seq))>>33), number("MsgTimeStamp", m.Time), //nolint:gosec // any 31 bits will do
			{"MsgBody", m.Body},
		})
	}
	return relay(len(messages), abstracts, member{"MsgList", array(list)})
}

// LargeRelayElem is a merged message that is too large to be in the answer: a logged-in client can ask for it by its key.
func LargeRelayElem(key string) json.RawMessage {
	return relay(90, [][]byte{quote("user1: ...")}, text("JsonMsgKey", key))
}

func relay(n int, abstracts [][]byte, content member) json.RawMessage {
	return element("TIMRelayElem", []member{
		text("Title", "chat history"), number("MsgNum", n), text("CompatibleText", "this version cannot show merged messages"),
		{"AbstractList", array(abstracts)},
		content,
	})
}

func element(kind string, content []member) json.RawMessage {
	return object([]member{{"MsgContent", object(content)}, text("MsgType", kind)})
}

func (m Media) url(key string) []member {
	if m.URL == "" {
		return nil
	}
	return []member{text(key, m.URL)}
}

func (m Media) uuid(key string) member {
	if m.UUID == "" {
		return text(key, "uuid")
	}
	return text(key, m.UUID)
}

// flag is the number that says that a file is downloaded by its URL.
func (m Media) flag(key string) []member {
	if m.URL == "" {
		return nil
	}
	return []member{number(key, 2)}
}
