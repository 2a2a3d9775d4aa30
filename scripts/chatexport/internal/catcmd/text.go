package catcmd

import (
	"strconv"
	"strings"
	"time"

	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
)

// message is what is read of a line for people.
type message struct {
	from string
	body chat.Value
}

func parse(e *chat.Element) message {
	var m message
	e.Value().Members(func(name []byte, value chat.Value) {
		switch string(name) {
		case "From_Account":
			m.from = scalar(value)
		case "MsgBody":
			m.body = value
		}
	})
	return m
}

// scalar is a string, or a number as it is spelled: a sender may have come as one.
func scalar(v chat.Value) string {
	if len(v) > 0 && (v[0] == '-' || '0' <= v[0] && v[0] <= '9') {
		return string(v)
	}
	return v.Text()
}

// number is a number as a person writes one: an integer if it is one, be it in a string.
func number(v chat.Value) string {
	text := scalar(v)
	if n, err := strconv.ParseFloat(text, 64); err == nil && n == float64(int64(n)) {
		return strconv.FormatInt(int64(n), 10)
	}
	if text == "" {
		return "0"
	}
	return text
}

// content is what an element says, without who said it and when. What is not text is named in brackets.
func content(e *chat.Element, m message) string {
	switch e.Class() {
	case chat.ClassMalformed:
		bytes := e.Value().Member("_malformed").Member("bytes").Int()
		return "[seq " + strconv.FormatInt(int64(e.Seq), 10) + " is malformed: what came, " + strconv.FormatInt(bytes, 10) +
			" bytes, could not be read; cat --json has it]"
	case chat.ClassPlaceholder:
		return "[expired, deleted, or not stored]"
	case chat.ClassSystem:
		return systemText(m)
	case chat.ClassRecalled:
		return "[recalled] " + bodyText(m.body)
	default:
		return bodyText(m.body)
	}
}

// textOf writes an element for reading: time, sender, text.
func textOf(e *chat.Element) string {
	m := parse(e)
	text := when(e.Time) + "  "
	switch e.Class() {
	case chat.ClassMalformed, chat.ClassPlaceholder:
	case chat.ClassSystem:
		text += "* "
	default:
		text += cli.OneLine(m.from) + "  "
	}
	return text + cli.OneLine(content(e, m))
}

// when writes a time, or as much space.
func when(seconds int64) string {
	const form = "2006-01-02 15:04:05Z"
	if seconds <= 0 {
		return strings.Repeat(" ", len(form))
	}
	return time.Unix(seconds, 0).UTC().Format(form)
}

// bodyText is a message's body for reading.
func bodyText(body chat.Value) string {
	var b strings.Builder
	writeBody(&b, body, 0)
	return b.String()
}

// writeBody writes a body, depth merged messages deep.
func writeBody(b *strings.Builder, body chat.Value, depth int) {
	body.Each(func(n int, element chat.Value) {
		if n > 0 {
			b.WriteByte(' ')
		}
		var kind string
		var content chat.Value
		element.Members(func(name []byte, value chat.Value) {
			switch string(name) {
			case "MsgType":
				kind = value.Text()
			case "MsgContent":
				content = value
			}
		})
		writePart(b, kind, content, depth)
	})
}

// writePart writes one element of a body.
func writePart(b *strings.Builder, kind string, c chat.Value, depth int) {
	put := func(texts ...string) {
		for _, text := range texts {
			b.WriteString(text)
		}
	}
	switch kind {
	case "TIMTextElem":
		put(c.Member("Text").Text())
	case "TIMFaceElem":
		put("[face ", number(c.Member("Index")), "]")
	case "TIMLocationElem":
		put("[location ", c.Member("Desc").Text(), " ", scalar(c.Member("Latitude")), ",", scalar(c.Member("Longitude")), "]")
	case "TIMImageElem":
		put("[image]")
	case "TIMSoundElem":
		put("[sound, ", number(c.Member("Second")), " s]")
	case "TIMVideoFileElem":
		put("[video, ", number(c.Member("VideoSecond")), " s]")
	case "TIMFileElem":
		put("[file ", c.Member("FileName").Text(), ", ", number(c.Member("FileSize")), " bytes]")
	case "TIMCustomElem":
		put("[custom ", c.Member("Desc").Text(), "]")
	case "TIMRelayElem":
		put("[forwarded: ", c.Member("Title").Text())
		writeMerged(b, c, depth)
		put("]")
	case "":
		put("[element]")
	default:
		put("[", kind, "]")
	}
}

// writeMerged writes what merged messages say; where they are stored elsewhere, what the sender's client showed of them.
func writeMerged(b *strings.Builder, content chat.Value, depth int) {
	const deepest = 100
	if depth == deepest {
		b.WriteString(" ...")
		return
	}
	if list := content.Member("MsgList"); !list.IsNull() {
		list.Each(func(_ int, message chat.Value) {
			b.WriteString("; " + scalar(message.Member("From_Account")) + ": ")
			writeBody(b, message.Member("MsgBody"), depth+1)
		})
		return
	}
	content.Member("AbstractText").Each(func(_ int, line chat.Value) { b.WriteString("; " + line.Text()) })
	b.WriteString("; stored elsewhere")
}

// systemText says what a system message is about.
func systemText(m message) string {
	if !m.body.IsObject() {
		return bodyText(m.body)
	}
	if text := m.body.Member("MsgMemberExtraText").Text(); text != "" {
		return text
	}
	var members []string
	m.body.Member("List_Account").Each(func(_ int, one chat.Value) { members = append(members, scalar(one)) })
	return operation(m.body.Member("OpType").Int()) + ", by " + scalar(m.body.Member("Operator_Account")) + ": " + strings.Join(members, ", ")
}

// operation names an OpType of the service's SDK.
func operation(kind int64) string {
	names := []string{"joined", "left", "removed", "made admin", "admin no more", "group changed", "member changed"}
	if kind < 1 || kind > int64(len(names)) {
		return "operation " + strconv.FormatInt(kind, 10)
	}
	return names[kind-1]
}
