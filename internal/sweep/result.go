package sweep

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"
	"unique"

	"chatexport/internal/chat"
)

// resultHeader is the first line of result-<batch>.ndjson.gz: where the next batch begins, and everything that the lane
// did so far.
type resultHeader struct {
	envelope

	Batch  int       `json:"batch"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`  // a lane that has shown nothing more by then is lost
	Piece  int       `json:"piece"`  // of the plan, where the next batch reads on,
	Offset int       `json:"offset"` // from this stream of it
	Last   bool      `json:"last,omitempty"`

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

// open is a stream that is begun, or passed over, and not done.
type open struct {
	item

	Continuation json.RawMessage `json:"r,omitempty"` // of package export, as it came
	Attempts     int             `json:"x,omitempty"` // how often it failed
	Rank         int             `json:"p,omitempty"` // its place in the lane's plan, from 1
	Stuck        int             `json:"w,omitempty"` // batches in a row in which it got nowhere: others go first
}

// resultLine is any other line of a result.
type resultLine struct {
	Done *outcome `json:"done,omitempty"`
	Open *open    `json:"open,omitempty"`
}

// resultLines are the lines of a result, but for those with an id that no stream can have: one line is not to cost all
// the others.
type resultLines = iter.Seq2[resultLine, error]

// openResult reads the header of a result, and returns its other lines.
func openResult(body []byte, h *resultHeader) (resultLines, error) {
	rest, err := openLines(body, h)
	if err != nil {
		return nil, err
	}
	return func(yield func(resultLine, error) bool) {
		for raw, err := range rest {
			var line resultLine
			if err == nil {
				err = readJSON(raw, &line)
			}
			switch {
			case err != nil:
			case line.Done != nil && possible(line.Done.stream()):
				// There are few outcomes and codes, and very many streams.
				line.Done.Outcome, line.Done.Code = unique.Make(line.Done.Outcome).Value(), unique.Make(line.Done.Code).Value()
			case line.Open != nil && possible(line.Open.stream()):
			case line.Done == nil && line.Open == nil:
				err = fmt.Errorf("%w: a line that is neither done nor open", errObject)
			default:
				continue
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}, nil
}
