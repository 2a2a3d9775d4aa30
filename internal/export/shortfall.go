package export

import (
	"fmt"
	"strings"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/pull"
)

// mostTold bounds what a warning names one by one.
const mostTold = 20

// product is a chunk that is to be stored.
type product struct {
	archive.Chunk
	short shortfall
}

// shortfall is where messages did not come, or came and cannot be read: the first of both, for a person to look at.
type shortfall struct {
	absent    []pull.Range
	malformed []malformed
}

type malformed struct {
	seq   chat.Seq
	shape string
}

// note looks at the next segment.
func (s *shortfall) note(part pull.Segment) {
	next := part.Lo
	for i := range part.Elements {
		e := &part.Elements[i]
		s.gap(next, e.Seq-1)
		next = e.Seq + 1
		if e.Malformed && len(s.malformed) < mostTold {
			s.malformed = append(s.malformed, malformed{e.Seq, e.Shape})
		}
	}
	s.gap(next, part.Hi)
}

func (s *shortfall) gap(lo, hi chat.Seq) {
	n := len(s.absent)
	switch {
	case lo > hi:
	case n > 0 && s.absent[n-1].Last == lo-1:
		s.absent[n-1].Last = hi
	case n < mostTold:
		s.absent = append(s.absent, pull.Range{First: lo, Last: hi})
	}
}

func (s *shortfall) add(behind shortfall) {
	for _, r := range behind.absent {
		s.gap(r.First, r.Last)
	}
	s.malformed = append(s.malformed, behind.malformed...)
	s.malformed = s.malformed[:min(len(s.malformed), mostTold)]
}

// warn tells what of the batch's range did not come, or cannot be read.
func (h *haul) warn(log zerolog.Logger) {
	if absent := h.short.absent; len(absent) > 0 {
		ranges := make([]string, len(absent))
		for i, r := range absent {
			ranges[i] = fmt.Sprintf("%d-%d", r.First, r.Last)
		}
		log.Warn().Int64("absent", h.counts.Absent).Int64("lo", int64(absent[0].First)).Int64("hi", int64(absent[0].Last)).
			Str("ranges", strings.Join(ranges, " ")).Msg("messages did not come")
	}
	if bad := h.short.malformed; len(bad) > 0 {
		seqs, shapes := make([]string, len(bad)), make([]string, len(bad))
		for i, m := range bad {
			seqs[i], shapes[i] = fmt.Sprint(m.seq), m.shape
		}
		log.Warn().Int64("malformed", h.counts.Malformed).Int64("seq", int64(bad[0].seq)).
			Str("seqs", strings.Join(seqs, " ")).Str("shapes", strings.Join(shapes, " ")).Msg("messages cannot be read")
	}
}
