package archive_test

import (
	"bytes"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
)

func TestLine_OwnIDsStayAsTheyCameAndAreCounted(t *testing.T) {
	t.Parallel()
	const both = `"GroupId":"@TGS#_a","TopicId":"@TGS#_a@TOPIC#_b"`
	for name, tt := range map[string]struct {
		stream     chat.Stream
		sent, line string
		other      int64
	}{
		"none":                     {group, `{"MsgSeq":1}`, `{"GroupId":"@TGS#<a>","MsgSeq":1}`, 0},
		"null":                     {group, `{"GroupId":null,"MsgSeq":1}`, `{"GroupId":null,"MsgSeq":1}`, 1},
		"empty":                    {group, `{"GroupId":"","MsgSeq":1}`, `{"GroupId":"","MsgSeq":1}`, 1},
		"foreign":                  {group, `{"MsgSeq":1,"GroupId":"@TGS#b"}`, `{"MsgSeq":1,"GroupId":"@TGS#b"}`, 1},
		"no string":                {group, `{"GroupId":{"a":1},"MsgSeq":1}`, `{"GroupId":{"a":1},"MsgSeq":1}`, 1},
		"the stream's":             {group, `{"MsgSeq":1,"GroupId":"@TGS#<a>"}`, `{"MsgSeq":1,"GroupId":"@TGS#<a>"}`, 0},
		"the stream's, escaped":    {group, `{"MsgSeq":1,"Group\u0049d":"@TGS#\u003ca>"}`, `{"MsgSeq":1,"Group\u0049d":"@TGS#\u003ca>"}`, 0},
		"topic of a group's":       {group, `{"TopicId":"x","MsgSeq":1}`, `{"GroupId":"@TGS#<a>","TopicId":"x","MsgSeq":1}`, 0},
		"nested":                   {group, `{"MsgSeq":1,"a":{"GroupId":"x"}}`, `{"GroupId":"@TGS#<a>","MsgSeq":1,"a":{"GroupId":"x"}}`, 0},
		"topic, none":              {topic, `{"MsgSeq":1}`, `{` + both + `,"MsgSeq":1}`, 0},
		"topic, null":              {topic, `{"TopicId":null,"MsgSeq":1}`, `{"GroupId":"@TGS#_a","TopicId":null,"MsgSeq":1}`, 1},
		"topic, empty":             {topic, `{"MsgSeq":1,"TopicId":""}`, `{"GroupId":"@TGS#_a","MsgSeq":1,"TopicId":""}`, 1},
		"topic, foreign":           {topic, `{"MsgSeq":1,"TopicId":"x"}`, `{"GroupId":"@TGS#_a","MsgSeq":1,"TopicId":"x"}`, 1},
		"topic, the stream's":      {topic, `{"MsgSeq":1,"TopicId":"@TGS#_a@TOPIC#_b"}`, `{"GroupId":"@TGS#_a","MsgSeq":1,"TopicId":"@TGS#_a@TOPIC#_b"}`, 0},
		"topic, null of the group": {topic, `{"GroupId":null,"MsgSeq":1}`, `{"TopicId":"@TGS#_a@TOPIC#_b","GroupId":null,"MsgSeq":1}`, 1},
		"topic, its group's own":   {topic, `{"MsgSeq":1,"GroupId":"@TGS#_a"}`, `{"TopicId":"@TGS#_a@TOPIC#_b","MsgSeq":1,"GroupId":"@TGS#_a"}`, 0},
		"topic, both foreign":      {topic, `{"TopicId":"x","GroupId":"y","MsgSeq":1}`, `{"TopicId":"x","GroupId":"y","MsgSeq":1}`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chunk := archivetest.Chunk(t, tt.stream, 1, 2, archivetest.Elements(t, tt.sent, strings.Replace(tt.sent, `"MsgSeq":1`, `"MsgSeq":2`, 1))...)
			if line, _, _ := strings.Cut(unzip(t, chunk.Body), "\n"); line != tt.line {
				t.Errorf("written as %s", line)
			}
			if chunk.Meta.OtherIDs != 2*tt.other {
				t.Errorf("%d lines are said to have other ids", chunk.Meta.OtherIDs)
			}
			content, err := archive.ReadChunk(bytes.NewReader(chunk.Body), tt.stream, 1, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := content.Check(chunk.Meta); err != nil {
				t.Error(err)
			}
			if content.FirstOther != chat.Seq(tt.other) {
				t.Errorf("the first of them is %d", content.FirstOther)
			}
		})
	}
}
