package sweep

import (
	"fmt"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// infoHeader is the first line of info-<n>.ndjson.gz: what one batch of a sweep saw. It ends with where the next goes on,
// so that the parts alone tell how far a sweep is.
type infoHeader struct {
	envelope

	Part  int       `json:"part"`
	Began time.Time `json:"began,omitzero"` // before anything was looked at; older parts do not have it
	At    time.Time `json:"at"`
	Next  place     `json:"next"`
	// Unlisted are the lists that were given up by this batch.
	Unlisted []listFailure `json:"unlisted,omitempty"`
}

// looked returns a time, in seconds since 1970, from which on there may be messages that the batch did not see: what has
// its seq may be missing for as long as messages settle.
func (h *infoHeader) looked() int64 {
	began := h.Began
	if began.IsZero() {
		began = h.At.Add(-maxBatch)
	}
	return began.Add(-settling).Unix()
}

// listFailure is a list of groups that the app does not give.
type listFailure struct {
	Type string `json:"type"`
	Code string `json:"code"`
	Text string `json:"text,omitempty"`
}

// codeInvalidID stands for ids that no stream can have.
const codeInvalidID = "invalid_id"

// place is a place in the lists of groups: the list's number, and the cursor of the page that is not wholly looked at.
type place struct {
	List int    `json:"list"`
	Next uint64 `json:"next"`
	Done bool   `json:"done,omitempty"` // everything is listed
}

// infoLine is a group of the snapshot. Names and members are gone once a group is dissolved: this is what is left.
type infoLine struct {
	chat.Facts

	Gone       bool       `json:"gone,omitempty"`
	Code       string     `json:"code,omitempty"` // why nothing is known of it
	Text       string     `json:"text,omitempty"`
	Topics     []infoLine `json:"topics,omitempty"`
	TopicsCode string     `json:"topics_code,omitempty"` // why its topics are not known
	TopicsText string     `json:"topics_text,omitempty"`

	looked int64 // the part's
}

// possible reports whether a stream may have these ids.
func possible(s chat.Stream) bool { return s.Validate() == nil }

func encodeInfo(h infoHeader, groups []infoLine) (objstore.Write, error) {
	l := newLines(h)
	for i := range groups {
		l.add(&groups[i])
	}
	return l.close()
}

func decodeInfo(body []byte) (h infoHeader, groups []infoLine, err error) {
	err = readLines(body, &h, func(line []byte) error {
		var g infoLine
		if err := readJSON(line, &g); err != nil {
			return err
		}
		if g.GroupID == "" {
			return fmt.Errorf("%w: a group without id", errObject)
		}
		g.looked = h.looked()
		groups = append(groups, g)
		return nil
	})
	return h, groups, err
}

// sights returns the streams of a group: its topics, and the group itself unless it is a community that has topics and
// is known to have no messages of its own.
func (g *infoLine) sights() []sight {
	sights := make([]sight, 0, 1+len(g.Topics))
	if len(g.Topics) == 0 || g.NextSeq != 1 || g.LastTime > 0 {
		sights = append(sights, sight{Facts: g.Facts, gone: g.Gone, code: g.Code, text: g.Text, looked: g.looked})
	}
	for _, t := range g.Topics {
		t.Type = g.Type
		sights = append(sights, sight{Facts: t.Facts, gone: t.Gone, code: t.Code, looked: g.looked})
	}
	return sights
}
