package sweep

import (
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"unique"

	"chatexport/internal/chat"
	"chatexport/internal/logging"
)

// listed is what the header of info-<part>.ndjson.gz tells: what a batch of a sweep saw, and where the next part goes on, so
// that the parts alone tell how far a sweep is.
type listed struct {
	Next     place   `json:"next"`
	Unlisted []Named `json:"unlisted,omitempty"` // lists that were given up in this part
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

// lineOf is what a part has of a group or a topic that was described, or cannot be.
func lineOf(f chat.Facts) sightLine {
	line := sightLine{Facts: f}
	if f.Err != nil {
		line.Gone, line.Code, line.Text = errors.Is(f.Err, chat.ErrGone), codeOf(f.Err), logging.Line(f.Err.Error(), maxText)
	}
	return line
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
	streams []sighting

	groups *looked         // until the snapshot is complete
	blind  map[string]bool // groups whose topics could not be listed

	counts   groupCounts
	unlisted []Named  // types whose list was given up
	failures nameList // that are no stream's, or of streams that could not be looked at
	skipped  nameList // of types without history
}

// news is what the app tells of a stream; what it does not tell is zero.
type news struct {
	Next   chat.Seq `json:"next,omitempty"`        // NextMsgSeq
	Last   int64    `json:"last,omitempty"`        // time of the newest message, in seconds since 1970
	Create int64    `json:"create_time,omitempty"` // of the group, now
}

// sighting is what a sweep saw of one stream, in little memory: there may be very many.
type sighting struct {
	ids          string // of the group, and behind between of the topic
	kind         unique.Handle[string]
	next         chat.Seq
	last, create uint32 // as in news: until the year 2106
	gone         bool   // the directory says so
	unseen       bool   // it could not be looked at: the engine finds out what is new without a list
}

func (s *sighting) news() news { return news{s.next, int64(s.last), int64(s.create)} }

// between is in no id, which are UTF-8.
const between = "\xff"

func (s *sighting) stream() chat.Stream {
	group, topic, _ := strings.Cut(s.ids, between)
	return chat.Stream{GroupID: group, TopicID: topic}
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
		s.failures.add(Named{Stream: chat.Stream{GroupID: logging.Line(g.GroupID, maxText)}, Type: g.Type, Outcome: codeInvalidID, Code: codeInvalidID, Text: g.Text})
		return
	}
	if g.TopicsCode != "" {
		s.failures.add(Named{Stream: g.Stream, Type: g.Type, Outcome: "topics_not_listed", Code: g.TopicsCode, Text: g.TopicsText})
	}
	if !hasHistory(g.Type) {
		s.skipped.add(Named{Stream: g.Stream, Type: g.Type})
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
		s.failures.add(Named{Stream: g.Stream, Type: g.Type, Outcome: "not_looked_at", Code: g.Code, Text: g.Text})
	}
	ids := g.GroupID
	if g.TopicID != "" {
		ids += between + g.TopicID
	}
	s.streams = append(s.streams, sighting{ids, unique.Make(g.Type), g.NextSeq, seconds(g.LastTime), seconds(g.CreateTime), g.Gone, g.unseen()})
}

func seconds(t int64) uint32 { return uint32(min(max(t, 0), math.MaxUint32)) }

// complete puts the streams in order: nothing more is taken.
func (s *snapshot) complete() {
	s.groups = nil
	slices.SortFunc(s.streams, func(a, b sighting) int { return compare(a.stream(), b.stream()) })
}

// read adds a part that was written.
func (s *snapshot) read(h header, groups iter.Seq2[sightLine, error]) error {
	s.unlisted = append(s.unlisted, h.Listed.Unlisted...)
	for g, err := range groups {
		if err != nil {
			return err
		}
		if s.groups.fresh(g.GroupID) {
			s.groups.note(&g)
			s.take(&g)
		}
	}
	return nil
}
