// Package mix fills streams with messages that have files of every kind and every fortune, at random but so that all of
// it follows from a seed, and tells what an archive must make of each file.
//
// It owns that truth, which follows from the rules of the design, not from what production code does: it must never
// import the code that it judges.
package mix

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
)

// Options say what a stream is filled with.
type Options struct {
	Seed     uint64
	Messages int
	Share    float64       // of the messages that have files, 0 to 1; 0 means a quarter
	MaxBytes int64         // the function's MEDIA_MAX_BYTES; no file is too large if 0
	Lasts    time.Duration // an expiring file is there for at most so long after Fill; 0 means an hour
	Slow     bool          // some files stall, which is bearable in virtual time only
	Time     int64         // of the first message, in seconds since 1970; 0 counts up from the stream's last
}

// Link is one link of a message, with what must become of it in the end.
type Link struct {
	Seq  chat.Seq
	N    int    // in its message, from 0
	Path string // where in MsgBody it is: "3.relay.0.1"
	Kind string // "image", "sound", "video", "thumb", "file" or "relay"
	URL  string
	Name string // that the message gives a TIMFileElem

	Fortune string   // what is special about it, for texts of tests
	States  []string // it must end in one of these, however long that takes

	// What it must be if it is stored. A file of no size that was ever said, or of the right one, is not short.
	SHA256 string
	Bytes  int64
	Type   string
	Short  bool

	File *mediaemu.File // nil for what is on no host
}

// May reports whether a link may end in a state.
func (l Link) May(state string) bool { return slices.Contains(l.States, state) }

// Fill appends messages to a stream, in one step, and returns their links in order. Nobody else may append meanwhile.
func Fill(app *chatemu.Server, host *mediaemu.Server, stream chat.Stream, o Options) ([]Link, error) {
	_, newest, err := app.Bounds(stream)
	if err != nil {
		return nil, fmt.Errorf("fill with files: %w", err)
	}
	m := New(host, o)
	messages := make([]chatemu.Message, o.Messages)
	for i := range messages {
		messages[i] = m.Message(newest + 1 + chat.Seq(i))
		if o.Time != 0 {
			messages[i].Time = o.Time + int64(i)
		}
	}
	if err := app.Append(stream, messages...); err != nil {
		return nil, fmt.Errorf("fill with files: %w", err)
	}
	return m.links, nil
}

// Mixer makes messages one by one, for who appends them itself. Its links are those of the messages so far.
type Mixer struct {
	Options
	*rand.Rand

	host     *mediaemu.Server
	fortunes []fortune

	seq   chat.Seq // of the message that is being made
	n     int      // links of it so far
	made  []file
	links []Link
}

// New returns a Mixer that puts files on a host. Messages and Time of the options are the caller's own matter.
func New(host *mediaemu.Server, o Options) *Mixer {
	if o.Share == 0 {
		o.Share = 0.25
	}
	if o.Lasts == 0 {
		o.Lasts = time.Hour
	}
	return &Mixer{Options: o, Rand: rand.New(rand.NewPCG(o.Seed, 3)), host: host, fortunes: fortunes(o)}
}

// Message makes the message that is to have a seq.
func (m *Mixer) Message(seq chat.Seq) chatemu.Message {
	m.seq, m.n = seq, 0
	return m.message()
}

// Links returns the links of all messages so far, in the order in which those were made.
func (m *Mixer) Links() []Link { return m.links }

// oneIn reports true once in n times.
func (m *Mixer) oneIn(n int) bool { return m.IntN(n) == 0 }

func (m *Mixer) message() chatemu.Message {
	from := "user" + strconv.Itoa(m.IntN(5))
	if m.Float64() >= m.Share {
		return chatemu.Message{From: from, Body: m.words()}
	}
	const most, depth = 3, 0
	before := len(m.links)
	message := chatemu.Message{From: from, Body: m.body("", depth, 1+m.IntN(most))}
	if m.oneIn(16) { // links are those of messages that are still there
		message.Kind = []chatemu.Kind{chatemu.KindRecalled, chatemu.KindDeleted}[m.IntN(2)]
		m.links = m.links[:before]
	}
	return message
}

// words is a body without links: a URL in a text is none, and neither is one in a custom element.
func (m *Mixer) words() json.RawMessage {
	url := m.host.NowhereURL(strconv.FormatInt(int64(m.seq), 10))
	if m.oneIn(4) {
		return json.RawMessage(`[{"MsgContent":{"Data":"{\"Url\":\"` + url + `\"}","Desc":"","Ext":"` + url + `"},"MsgType":"TIMCustomElem"}]`)
	}
	return chatemu.MsgBody(chatemu.TextElem("see " + url))
}

// body is a MsgBody with so many links. The path is that of its elements without their index.
func (m *Mixer) body(path string, depth, links int) json.RawMessage {
	const deepest = 3
	var elements []json.RawMessage
	for links > 0 {
		at, before := path+strconv.Itoa(len(elements)), len(m.links)
		switch {
		case m.oneIn(4):
			elements = append(elements, chatemu.TextElem("words"))
			continue
		case depth < deepest && m.oneIn(4):
			elements = append(elements, m.relay(at, depth, links))
		case m.oneIn(10):
			m.link(Link{Path: at, Kind: "relay", Fortune: "large relay", States: []string{noURL}})
			elements = append(elements, chatemu.LargeRelayElem("key of "+at))
		default:
			elements = append(elements, m.element(at, links))
		}
		links -= len(m.links) - before
	}
	return chatemu.MsgBody(elements...)
}

// relay is a merged message with at most so many links, and at least one.
func (m *Mixer) relay(at string, depth, most int) json.RawMessage {
	var messages []chatemu.Relayed
	for left := 1 + m.IntN(most); left > 0; {
		path, before := fmt.Sprintf("%s.relay.%d.", at, len(messages)), len(m.links)
		body := m.body(path, depth+1, 1+m.IntN(left))
		messages = append(messages, chatemu.Relayed{From: "A", Seq: int64(len(messages) + 1), Time: 1_700_000_000, Body: body})
		left -= len(m.links) - before
	}
	return chatemu.RelayElem(messages...)
}

// element is one with a file, or with two where so many links are left.
func (m *Mixer) element(at string, left int) json.RawMessage {
	switch m.IntN(4) {
	case 0:
		return m.image(at)
	case 1:
		return chatemu.SoundElem(m.file(at, "sound"))
	case 2:
		video, thumb := m.file(at, "video"), chatemu.Media{Format: "JPG"}
		if left > 1 && video.URL != "" {
			if thumb = m.file(at, "thumb"); thumb.URL == "" { // a missing one is no link
				m.links, m.n = m.links[:len(m.links)-1], m.n-1
			}
		}
		return chatemu.VideoElem(video, thumb)
	default:
		return chatemu.FileElem(m.file(at, "file"))
	}
}

// image is a picture whose original counts, or the largest that has a URL where the original has none. The other sizes are
// nowhere.
func (m *Mixer) image(at string) json.RawMessage {
	picture := m.file(at, "image")
	if picture.URL == "" {
		return chatemu.ImageElem(picture, picture, picture)
	}
	smaller := picture
	smaller.Size /= 2
	smaller.URL = m.host.NowhereURL(at)
	if smaller.Size == picture.Size || !m.oneIn(5) {
		return chatemu.ImageElem(picture, smaller, smaller)
	}
	original := picture
	original.URL, original.Size = "", 2*picture.Size
	if m.oneIn(2) {
		return chatemu.ImageElem(original, smaller, picture)
	}
	return chatemu.ImageElem(original, picture, smaller)
}

// file makes a file, notes its link, and returns what the message says of it.
func (m *Mixer) file(at, kind string) chatemu.Media {
	f := m.fortune(kind)
	l := Link{Path: at, Kind: kind, URL: f.url, Fortune: f.name, States: f.states, File: f.hosted}
	if kind == "file" {
		l.Name = f.spec.Name
	}
	if h := f.hosted; h != nil {
		l.SHA256, l.Bytes, l.Type, l.Short = h.SHA256(), h.Size(), h.Type, f.said > 0 && f.said != h.Size()
		if l.Type == "" {
			l.Type = "application/octet-stream"
		}
	}
	m.link(l)
	return chatemu.Media{URL: f.url, Name: l.Name, Size: f.said, Width: 24, Height: 24, Seconds: 1, Format: "mp4"}
}

func (m *Mixer) link(l Link) {
	l.Seq, l.N = m.seq, m.n
	m.n++
	m.links = append(m.links, l)
}
