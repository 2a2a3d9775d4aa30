package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/testdata"
)

// The emulated app's groups: one of each kind that an archive knows.
const (
	plainGroup = "ubuntu"
	community  = "@TGS#_ubuntu"
	topic      = "@TGS#_ubuntu@TOPIC#_help"
	tinyGroup  = "lobby"
)

// group is a stream of the emulated app and what it holds.
type group struct {
	stream   chat.Stream
	messages []chatemu.Message
	files    map[chat.Seq]attached // of messages, once there is a host for them (attach)
	changes  []change              // that happen once all is archived, chosen when files are
}

// content is what the groups are filled with.
type content struct {
	source string // for people
	sha256 string // of the lines
	groups []group
	total  int
	dealt  int    // --groups
	lines  []byte // of a person's own log, nil for the excerpt
	// hasFiles says that files are added: those of a person's own log are not the demo's to make up.
	hasFiles bool
}

// readContent reads the messages and deals them out: the same lines always to the same groups.
func readContent(o options) (content, error) {
	c := content{hasFiles: o.data == "", dealt: o.groups, source: "the public #ubuntu IRC logs (an excerpt, CC BY 4.0, see testdata/chat/README.md)"}
	lines := testdata.ChatLog()
	if o.data != "" {
		c.source = filepath.Base(o.data)
		var err error
		if lines, err = chatemu.ReadLog(o.data); err != nil {
			return content{}, fmt.Errorf("--data: %w", err)
		}
		c.lines = firstLines(lines, o.messages)
	}
	return c.fill(firstLines(lines, o.messages), o)
}

// keptContent is readContent for a folder that is there already.
func keptContent(path string, found record, o options) (content, error) {
	lines, err := keptLines(path)
	if err != nil {
		return content{}, err
	}
	if lines == nil {
		return readContent(o)
	}
	return content{source: found.Source, lines: lines, dealt: o.groups}.fill(lines, o)
}

// fill deals the messages of the lines out.
func (c content) fill(lines []byte, o options) (content, error) {
	sum := sha256.Sum256(lines)
	c.sha256 = hex.EncodeToString(sum[:])

	messages, err := chatemu.ParseLog(lines)
	if err != nil {
		return content{}, fmt.Errorf("%s: %w", c.source, err)
	}
	c.total = len(messages)
	c.groups = deal(messages)
	if o.groups > 0 {
		c.groups = dealOut(messages, o.groups)
	}
	return c, nil
}

// dealOut gives the messages to n groups as they are spread in real apps: the k-th has about the k-th part of what the
// first has, and most have none. One of them is a topic.
func dealOut(messages []chatemu.Message, n int) []group {
	var weights float64
	for k := range n {
		weights += 1 / float64(k+1)
	}
	groups := make([]group, n)
	rest := messages
	for k := n - 1; k >= 0; k-- {
		size := int(float64(len(messages)) / weights / float64(k+1))
		if k == 0 {
			size = len(rest)
		}
		groups[k] = group{stream: chat.Stream{GroupID: fmt.Sprintf("group-%04d", k)}, messages: rest[:size]}
		rest = rest[size:]
	}
	if n > 1 {
		groups[1].stream = chat.Stream{GroupID: community, TopicID: topic}
	}
	return groups
}

// deal gives most messages to a plain group, a fifth to a topic and a handful to a tiny group, in their order.
func deal(messages []chatemu.Message) []group {
	const handful = 3
	tiny := min(handful, len(messages)/5)
	inTopic := len(messages) / 5
	plain := len(messages) - inTopic - tiny
	return []group{
		{stream: chat.Stream{GroupID: plainGroup}, messages: messages[:plain]},
		{stream: chat.Stream{GroupID: community, TopicID: topic}, messages: messages[plain : plain+inTopic]},
		{stream: chat.Stream{GroupID: tinyGroup}, messages: messages[plain+inTopic:]},
	}
}

// firstLines cuts behind the n-th line that is not empty; 0 leaves all.
func firstLines(lines []byte, n int) []byte {
	if n == 0 {
		return lines
	}
	size := 0
	for line := range bytes.Lines(lines) {
		if n == 0 {
			break
		}
		size += len(line)
		if len(bytes.TrimRight(line, "\r\n")) > 0 {
			n--
		}
	}
	return lines[:size]
}
