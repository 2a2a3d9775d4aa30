package sweep

import (
	"math"
	"time"
	"unique"

	"chatexport/internal/chat"
	"chatexport/internal/logging"
)

// partHeader is the first line of info-<part>.ndjson.gz: what a batch of a sweep saw. It tells where the next part goes
// on, so that the parts alone tell how far a sweep is.
type partHeader struct {
	envelope

	Part     int       `json:"part"`
	At       time.Time `json:"at"`
	Next     place     `json:"next"`
	Unlisted []Named   `json:"unlisted,omitempty"` // lists that were given up in this part
}

// place is a place in the lists of groups: the list's number, and the cursor of the page that is not wholly looked at.
type place struct {
	List int    `json:"list"`
	Next uint64 `json:"next"`
	Done bool   `json:"done,omitempty"` // everything is listed
}

// sightLine is a group, or a topic of one. Names and members are gone once a group is dissolved: this is what is left.
type sightLine struct {
	chat.Facts

	Gone       bool        `json:"gone,omitempty"`
	Code       string      `json:"code,omitempty"` // why nothing is known of it
	Text       string      `json:"text,omitempty"`
	Topics     []sightLine `json:"topics,omitempty"`
	TopicsCode string      `json:"topics_code,omitempty"` // why its topics are not known
	TopicsText string      `json:"topics_text,omitempty"`
}

// unseen reports whether the line names a stream that could not be looked at.
func (g *sightLine) unseen() bool { return g.Code != "" && !g.Gone }

// streams returns a group's streams that may have history: the group, unless it is a community that has topics and is
// known to have no messages of its own, and its topics.
func (g *sightLine) streams() []sightLine {
	if !hasHistory(g.Type) {
		return nil
	}
	streams := make([]sightLine, 0, 1+len(g.Topics))
	if len(g.Topics) == 0 || g.NextSeq != 1 || g.LastTime > 0 {
		streams = append(streams, *g)
	}
	for _, topic := range g.Topics {
		topic.Type = g.Type
		streams = append(streams, topic)
	}
	return streams
}

// codeInvalidID stands for ids that no stream can have.
const codeInvalidID = "invalid_id"

// possible reports whether a stream may have these ids.
func possible(s chat.Stream) bool { return s.Validate() == nil }

// snapshot is what all parts of a sweep saw, as much of it as the plan needs.
type snapshot struct {
	table[sighting]

	groups *looked         // until the snapshot is complete
	blind  map[string]bool // groups whose topics could not be listed

	counts   groupCounts
	unlisted []Named  // types whose list was given up
	failures nameList // that are no stream's, or of streams that could not be looked at
	skipped  nameList // of types without history
}

// sighting is one stream of a snapshot, in little memory: there may be very many.
type sighting struct {
	groupType    unique.Handle[string]
	next         chat.Seq
	create, last uint32
	gone, unseen bool
}

func newSnapshot() *snapshot {
	return &snapshot{groups: newLooked(), blind: make(map[string]bool), counts: groupCounts{Types: make(map[string]int)}}
}

// take adds a group of the newest part.
func (s *snapshot) take(g *sightLine) {
	s.counts.Total++
	s.counts.Types[g.Type]++
	s.counts.Topics += len(g.Topics)
	if !possible(g.Stream) {
		s.failures.add(Named{GroupID: logging.Line(g.GroupID, maxText), Type: g.Type, Outcome: codeInvalidID, Code: codeInvalidID, Text: g.Text})
		return
	}
	if g.TopicsCode != "" {
		s.failures.add(Named{GroupID: g.GroupID, Type: g.Type, Outcome: "topics_not_listed", Code: g.TopicsCode, Text: g.TopicsText})
	}
	if !hasHistory(g.Type) {
		s.skipped.add(Named{GroupID: g.GroupID, Type: g.Type})
		return
	}
	if g.TopicsCode != "" || g.unseen() {
		s.blind[g.GroupID] = true
	}
	for _, stream := range g.streams() {
		s.see(&stream)
	}
}

// see files one stream.
func (s *snapshot) see(g *sightLine) {
	if g.unseen() {
		s.failures.add(Named{GroupID: g.GroupID, TopicID: g.TopicID, Type: g.Type, Outcome: "not_looked_at", Code: g.Code, Text: g.Text})
	}
	s.add(g.Stream, sighting{unique.Make(g.Type), g.NextSeq, seconds(g.CreateTime), seconds(g.LastTime), g.Gone, g.unseen()})
}

// seconds is a time in seconds since 1970, until 2106.
func seconds(t int64) uint32 { return uint32(min(max(t, 0), math.MaxUint32)) }

// complete puts the streams in order: nothing more is taken.
func (s *snapshot) complete() {
	s.groups = nil
	s.sort()
}

// sight is what one sweep saw of a stream.
type sight struct {
	chat.Facts

	gone   bool // the directory says so
	unseen bool // it could not be looked at: the engine finds out what is new without a list
}

// of returns what was seen of a stream.
func (v *sighting) of(stream chat.Stream) *sight {
	return &sight{
		Facts: chat.Facts{
			Stream: stream, Type: v.groupType.Value(), NextSeq: v.next, CreateTime: int64(v.create), LastTime: int64(v.last),
		},
		gone: v.gone, unseen: v.unseen,
	}
}

// read adds a part that was written.
func (s *snapshot) read(body []byte) (partHeader, error) {
	var h partHeader
	others, err := openLines[sightLine](body, &h)
	if err != nil {
		return h, err
	}
	s.unlisted = append(s.unlisted, h.Unlisted...)
	for g, err := range others {
		if err != nil {
			return h, err
		}
		if s.groups.fresh(g.GroupID) {
			s.groups.note(&g)
			s.take(&g)
		}
	}
	return h, nil
}
