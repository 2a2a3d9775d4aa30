package chat

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
)

// maxKept is how much of an answer that cannot be read is kept: 48 KB are 64 KB in base64.
const maxKept = 48 << 10

// malformed is what an archive keeps of a seq whose own answer cannot be read. No member of it is missing.
type malformed struct {
	Bytes  int    `json:"bytes"`  // of the whole answer
	Answer []byte `json:"answer"` // its first maxKept bytes, in base64
}

// NewMalformed returns the element that stands for a seq whose own answer, that to a question for this seq alone, cannot
// be read. Nothing that came is thrown away: the answer is in it, or as much as an archive keeps.
func NewMalformed(seq Seq, answer []byte) Element {
	m := malformed{Bytes: len(answer), Answer: answer[:min(len(answer), maxKept)]}
	return Element{Seq: seq, Malformed: true, JSON: m.json(seq)}
}

func (m malformed) json(seq Seq) []byte {
	out := make([]byte, 0, base64.StdEncoding.EncodedLen(len(m.Answer))+96)
	out = append(out, `{"`+memberMsgSeq+`":`...)
	out = strconv.AppendInt(out, int64(seq), 10)
	out = append(out, `,"`+memberMalformed+`":{"bytes":`...)
	out = strconv.AppendInt(out, int64(m.Bytes), 10)
	out = append(out, `,"answer":"`...)
	out = base64.StdEncoding.AppendEncode(out, m.Answer)
	return append(out, `"}}`...)
}

// isMalformed reports whether an element with a member "_malformed" is one that NewMalformed made: it has no other members
// but the ids that a chunk's line begins with, and is written as NewMalformed writes it, to the byte. A message of the
// service that merely has a member of that name has others, too, and stays a message. Should the service itself send
// this very shape it is taken for what it says: an archive's writer and its reader cannot disagree about that, since
// both ask here.
func isMalformed(e *Element) bool {
	var members map[string]json.RawMessage
	var m malformed
	if json.Unmarshal(e.JSON, &members) != nil || json.Unmarshal(members[memberMalformed], &m) != nil {
		return false
	}
	delete(members, memberGroupID)
	delete(members, memberTopicID)
	return len(members) == 2 && len(m.Answer) == min(m.Bytes, maxKept) && bytes.HasSuffix(e.JSON, m.json(e.Seq)[1:])
}
