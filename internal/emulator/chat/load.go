package chatemu

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxLine bounds a line of a recorded chat: the service takes no message above 12 KB (Chat documentation), however it is escaped.
const maxLine = 6 * 12 << 10

// logLine is a line of a recorded chat.
type logLine struct {
	Time   int64   `json:"time"`
	From   string  `json:"from"`
	Text   string  `json:"text"`
	System *string `json:"system"`
}

// ReadLog reads the lines of a recorded chat from a file, unpacked if it is gzip, whatever its name says.
func ReadLog(path string) (lines []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewReader(f)
	var r io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if r, err = gzip.NewReader(buffered); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	if lines, err = io.ReadAll(r); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return lines, nil
}

// ParseLog reads a recorded chat, one JSON object a line, `{"time","from","text"}` or `{"time","system"}`, as messages:
// texts as TIMTextElem, system lines as tips about members. A chat without messages is an error, too.
func ParseLog(lines []byte) ([]Message, error) {
	var messages []Message
	n := 0
	for text := range bytes.Lines(bytes.TrimPrefix(lines, []byte("\ufeff"))) {
		n++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		var line logLine
		switch {
		case len(text) > maxLine:
			return nil, fmt.Errorf("line %d of the recorded chat has %d bytes: no message is as long, at most %d are read", n, len(text), maxLine)
		case json.Unmarshal(text, &line) != nil:
			return nil, fmt.Errorf(`line %d of the recorded chat is no message: {"time": 1189145580, "from": "...", "text": "..."} or {"time": 1189145580, "system": "..."}`, n)
		}
		messages = append(messages, line.message())
	}
	if len(messages) == 0 {
		return nil, errors.New("the recorded chat has no messages")
	}
	return messages, nil
}

func (l logLine) message() Message {
	if l.System != nil {
		return Message{Kind: KindSystem, Time: l.Time, Body: tip(*l.System)}
	}
	return Message{From: l.From, Time: l.Time, Body: MsgBody(TextElem(l.Text))}
}

// tip is the MsgBody of a system message: an object, with OpType 1 for somebody who joins, 2 for one who leaves and 7
// for one who changes, as a new nick does.
func tip(line string) []byte {
	op := 7
	switch {
	case strings.Contains(line, " has joined"):
		op = 1
	case strings.Contains(line, " has left"), strings.Contains(line, " has quit"):
		op = 2
	}
	who := "somebody"
	if words := strings.Fields(strings.TrimLeft(line, "=* ")); len(words) > 0 {
		who = words[0]
	}
	extra := array([][]byte{object([]member{text("UserId", who), text("NickName", who), text("ImageUrl", "")})})
	return object([]member{
		number("OpType", op), text("Operator_Account", who),
		{"List_Account", array([][]byte{quote(who)})},
		{"MsgMemberExtraInfo", extra},
		text("MsgMemberExtraText", line),
	})
}
