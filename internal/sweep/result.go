package sweep

import (
	"encoding/json"
	"fmt"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// resultHeader is the first line of result-<batch>.ndjson.gz: where the next batch begins, and everything that
// the lane did so far.
type resultHeader struct {
	envelope

	Batch  int       `json:"batch"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`  // a lane that has shown nothing more by then is lost
	Piece  int       `json:"piece"`  // of the plan, where the next batch reads on,
	Offset int       `json:"offset"` // from this stream of it
	Last   bool      `json:"last,omitempty"`

	Repeats int `json:"repeats,omitempty"` // of so many batches before, the outcomes are here once more

	Tally    Tally    `json:"tally"`
	Failures nameList `json:"failures"`
	Expired  nameList `json:"expired"`
}

// outcome is what became of one stream of the plan.
type outcome struct {
	Group      string   `json:"g"`
	Topic      string   `json:"t,omitempty"`
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

func (o *outcome) stream() chat.Stream { return chat.Stream{GroupID: o.Group, TopicID: o.Topic} }

// open is a stream that is begun, or passed over, and not done.
type open struct {
	item

	Continuation json.RawMessage `json:"r,omitempty"` // package export's
	Attempts     int             `json:"x,omitempty"` // how often it failed
	Rank         int             `json:"p,omitempty"` // its place in the lane's plan, from 1; 0 is unknown
	Idle         int             `json:"w,omitempty"` // batches in a row in which it got nowhere: others go first
}

// resultLine is any other line of a result.
type resultLine struct {
	Done *outcome `json:"done,omitempty"`
	Open *open    `json:"open,omitempty"`
}

func encodeResult(h resultHeader, done []outcome, opens []open) (objstore.Write, error) {
	l := newLines(h)
	for i := range done {
		l.add(resultLine{Done: &done[i]})
	}
	for i := range opens {
		l.add(resultLine{Open: &opens[i]})
	}
	return l.close()
}

func decodeResult(body []byte) (h resultHeader, done []outcome, opens []open, err error) {
	err = readLines(body, &h, func(raw []byte) error {
		var line resultLine
		if err := readJSON(raw, &line); err != nil {
			return err
		}
		switch {
		case line.Done != nil && possible(line.Done.stream()):
			done = append(done, *line.Done)
		case line.Open != nil && possible(line.Open.stream()):
			opens = append(opens, *line.Open)
		case line.Done == nil && line.Open == nil:
			return fmt.Errorf("%w: a line that is neither done nor open", errObject)
		default: // an id that no stream can have: one line is not to cost all the others
		}
		return nil
	})
	return h, done, opens, err
}
