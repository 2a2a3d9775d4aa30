package sweep

import (
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/logging"
)

const (
	// maxNamed bounds the lists of a report, so that it stays a thing that people read.
	maxNamed = 1000
	// maxText bounds the text of each: an error may be as long as it likes, and the header of a result is one line.
	maxText = 300
)

// Named is a stream that a report names.
type Named struct {
	chat.Stream

	Type    string `json:"type,omitempty"`
	Outcome string `json:"outcome,omitempty"`
	Code    string `json:"code,omitempty"`
	Text    string `json:"text,omitempty"` // cut at maxText bytes
	// Seqs had expired before they could be archived, or may expire.
	Seqs int64 `json:"seqs,omitempty"`
	// Expires is when the oldest of them expires, Reached when the stream's turn is over, as estimated.
	Expires time.Time `json:"expires,omitzero"`
	Reached time.Time `json:"reached,omitzero"`
}

// nameList names streams, the first maxNamed of Count.
type nameList struct {
	Count int     `json:"count"`
	First []Named `json:"first,omitempty"`
}

func (l *nameList) add(n Named) {
	l.Count++
	if len(l.First) < maxNamed {
		n.Text = logging.Line(n.Text, maxText)
		l.First = append(l.First, n)
	}
}

func (l *nameList) join(other nameList) {
	l.Count += other.Count
	l.First = append(l.First, other.First[:min(len(other.First), maxNamed-len(l.First))]...)
}
