package catcmd

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
)

// message is what is read of a line for people. Exact names only: see fields.
type message struct {
	From, Nick string
	Body       json.RawMessage
}

// part is one element of a message's body.
type part struct {
	kind    string
	content map[string]json.RawMessage
}

// fields reads the members of an object by their exact names: a struct would take any case for them.
func fields(raw json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

func str(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func number(raw json.RawMessage) int64 {
	var n float64
	if json.Unmarshal(raw, &n) != nil {
		return 0
	}
	return int64(n)
}

func parse(e *chat.Element) message {
	m := fields(e.JSON)
	return message{From: str(m["From_Account"]), Nick: str(m["From_AccountNick"]), Body: m["MsgBody"]}
}

func parts(body json.RawMessage) []part {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) != nil {
		return nil
	}
	found := make([]part, 0, len(list))
	for _, raw := range list {
		m := fields(raw)
		found = append(found, part{kind: str(m["MsgType"]), content: fields(m["MsgContent"])})
	}
	return found
}

// textOf writes an element for reading: time, sender, text. What is not text is named in brackets.
func textOf(e *chat.Element) string {
	when := when(e.Time)
	m := parse(e)
	var text string
	switch e.Class() {
	case chat.ClassMalformed:
		return fmt.Sprintf("%s  [seq %d is malformed: what came, %d bytes, could not be read; cat --json has it]",
			when, e.Seq, number(fields(fields(e.JSON)["_malformed"])["bytes"]))
	case chat.ClassPlaceholder:
		return when + "  [expired, deleted, or not stored]"
	case chat.ClassSystem:
		return when + "  * " + cli.OneLine(systemText(m))
	case chat.ClassRecalled:
		text = "[recalled] "
	default:
	}
	return when + "  " + cli.OneLine(m.From) + "  " + text + cli.OneLine(bodyText(m.Body, 0))
}

// when writes a time, or as much space.
func when(seconds int64) string {
	const form = "2006-01-02 15:04:05Z"
	if seconds <= 0 {
		return strings.Repeat(" ", len(form))
	}
	return time.Unix(seconds, 0).UTC().Format(form)
}

// bodyText is a message's body for reading, depth merged messages deep.
func bodyText(body json.RawMessage, depth int) string {
	var words []string
	for _, p := range parts(body) {
		words = append(words, p.text(depth))
	}
	return strings.Join(words, " ")
}

// text is a part for reading.
func (p part) text(depth int) string {
	c := p.content
	switch p.kind {
	case "TIMTextElem":
		return str(c["Text"])
	case "TIMFaceElem":
		return fmt.Sprintf("[face %d]", number(c["Index"]))
	case "TIMLocationElem":
		return "[location " + str(c["Desc"]) + " " + string(c["Latitude"]) + "," + string(c["Longitude"]) + "]"
	case "TIMImageElem":
		return "[image]"
	case "TIMSoundElem":
		return fmt.Sprintf("[sound, %d s]", number(c["Second"]))
	case "TIMVideoFileElem":
		return fmt.Sprintf("[video, %d s]", number(c["VideoSecond"]))
	case "TIMFileElem":
		return fmt.Sprintf("[file %s, %d bytes]", str(c["FileName"]), number(c["FileSize"]))
	case "TIMCustomElem":
		return "[custom " + str(c["Desc"]) + "]"
	case "TIMRelayElem":
		return "[forwarded: " + str(c["Title"]) + p.merged(depth) + "]"
	case "":
		return "[element]"
	default:
		return "[" + p.kind + "]"
	}
}

// merged is what merged messages say; where they are stored elsewhere, what the sender's client showed of them.
func (p part) merged(depth int) string {
	const deepest = 100
	if depth == deepest {
		return " ..."
	}
	var list []json.RawMessage
	var text strings.Builder
	if json.Unmarshal(p.content["MsgList"], &list) == nil && list != nil {
		for _, raw := range list {
			m := fields(raw)
			text.WriteString("; " + str(m["From_Account"]) + ": " + bodyText(m["MsgBody"], depth+1))
		}
		return text.String()
	}
	if json.Unmarshal(p.content["AbstractText"], &list) == nil {
		for _, raw := range list {
			text.WriteString("; " + str(raw))
		}
	}
	return text.String() + "; stored elsewhere"
}

// systemText says what a system message is about.
func systemText(m message) string {
	body := fields(m.Body)
	if text := str(body["MsgMemberExtraText"]); text != "" {
		return text
	}
	if body == nil {
		return bodyText(m.Body, 0)
	}
	var members []string
	_ = json.Unmarshal(body["List_Account"], &members) // what is not a list names nobody
	return fmt.Sprintf("%s, by %s: %s", operation(number(body["OpType"])), str(body["Operator_Account"]), strings.Join(members, ", "))
}

// operation names an OpType of the service's SDK.
func operation(kind int64) string {
	names := []string{"joined", "left", "removed", "made admin", "admin no more", "group changed", "member changed"}
	if kind < 1 || kind > int64(len(names)) {
		return fmt.Sprintf("operation %d", kind)
	}
	return names[kind-1]
}
