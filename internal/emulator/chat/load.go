package chatemu

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
)

const maxLogLine = 1 << 20

// logLine is a line of a recorded chat.
type logLine struct {
	Time   int64   `json:"time"`
	From   string  `json:"from"`
	Text   string  `json:"text"`
	System *string `json:"system"`
}

// LoadLog reads a recorded chat, one JSON object a line, `{"time","from","text"}` or `{"time","system"}`, as messages:
// texts as TIMTextElem, system lines as tips about members. limit 0 reads all. An error is the last thing
// it yields.
func LoadLog(r io.Reader, limit int) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxLogLine)
		n := 0
		for (limit == 0 || n < limit) && lines.Scan() {
			if len(lines.Bytes()) == 0 {
				continue
			}
			n++
			var line logLine
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				yield(Message{}, fmt.Errorf("line %d of the recorded chat: %w", n, err))
				return
			}
			if !yield(line.message(), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Message{}, fmt.Errorf("read the recorded chat after line %d: %w", n, err))
		}
	}
}

func (l logLine) message() Message {
	if l.System != nil {
		return Message{Kind: KindSystem, Time: l.Time, Body: tip(*l.System)}
	}
	return Message{From: l.From, Time: l.Time, Body: textBody(l.Text)}
}

// textBody is the MsgBody of a text message.
func textBody(value string) []byte {
	content := object([]member{text("Text", value)})
	return array([][]byte{object([]member{{"MsgContent", content}, text("MsgType", "TIMTextElem")})})
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
