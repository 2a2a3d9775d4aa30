package sweep

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
)

// resultHeader is the first line of result-<batch>.ndjson.gz: where the next batch begins, and everything that the lane
// did so far.
type resultHeader struct {
	envelope

	Batch int        `json:"batch"`
	At    time.Time  `json:"at"`
	Short piecePlace `json:"short"` // of the plan, where the next batch reads on
	Long  piecePlace `json:"long"`
	Last  bool       `json:"last,omitempty"`

	Tally    Tally    `json:"tally"`
	Failures nameList `json:"failures"`
	Expired  nameList `json:"expired"`
}

// outcome is what became of one stream of the plan.
type outcome struct {
	Group string `json:"g"`
	Topic string `json:"t,omitempty"`

	verdict
}

func (o *outcome) stream() chat.Stream { return chat.Stream{GroupID: o.Group, TopicID: o.Topic} }

// verdict is what a lane found out about a stream.
type verdict struct {
	Outcome    string   `json:"o"`
	Code       string   `json:"e,omitempty"`
	Frontier   chat.Seq `json:"f,omitempty"`
	CreateTime int64    `json:"k,omitempty"` // in the archive's genesis
	Next       chat.Seq `json:"n,omitempty"` // NextMsgSeq when it was planned
	Last       int64    `json:"l,omitempty"` // and the time of the newest message
	Calm       bool     `json:"q,omitempty"` // the newest message was too old for others to be on their way
	Began      int64    `json:"b,omitempty"` // when its last batch began, in seconds since 1970
	At         int64    `json:"a,omitempty"` // when that ended
}

// open is a stream that waits for its turn, or is begun and not done.
type open struct {
	item

	Continuation json.RawMessage `json:"r,omitempty"` // of package export, as it came
	Attempts     int             `json:"x,omitempty"` // how often it failed
	Rank         int             `json:"p,omitempty"` // its place in the plan of its kind, from 1
	Stuck        int             `json:"w,omitempty"` // batches in a row in which it got nowhere: others go first
}

// resultLine is any other line of a result.
type resultLine struct {
	Done *outcome `json:"done,omitempty"`
	Open *open    `json:"open,omitempty"`
}

// readResult reads the header of a result, and returns its lines.
func readResult(ctx context.Context, s shelf, id string, batch int, h *resultHeader) (iter.Seq2[resultLine, error], error) {
	return readLines[resultLine](ctx, s, layout.SweepResult(id, batch), h)
}
