package chatemu

import (
	"iter"

	"chatexport/internal/chat"
)

// Retained is one seq of a stream that has not expired.
type Retained struct {
	Seq   chat.Seq
	Kind  Kind
	Class chat.Class // the class that an archive gives it
	// JSON is the element as a page asked with WithRecalledMsg 1 has it, without insignificant white space; nil where
	// such a page leaves the seq out, or it cannot be read. Bytes that are not UTF-8 are still in it.
	JSON []byte
}

// Bounds returns the floor (smallest retained seq) and the newest seq of a stream; nothing is retained when the floor
// is newest + 1.
func (s *Server) Bounds(id chat.Stream) (floor, newest chat.Seq, err error) {
	err = s.with(id, func(st *stream) error {
		floor, newest = st.floor, st.newest()
		return nil
	})
	return floor, newest, err
}

// Truth returns what an archive of a stream must hold now: every retained seq, oldest first, with the newest seq.
// Messages that cannot be seen yet are in it. A stream that disappears meanwhile ends the iteration.
func (s *Server) Truth(id chat.Stream) (iter.Seq[Retained], chat.Seq, error) {
	floor, newest, err := s.Bounds(id)
	if err != nil {
		return nil, 0, err
	}
	return func(yield func(Retained) bool) {
		for seq := floor; seq <= newest; seq++ {
			r, err := s.truthAt(id, seq)
			if err != nil || !yield(r) {
				return
			}
		}
	}, newest, nil
}

func (s *Server) truthAt(id chat.Stream, seq chat.Seq) (r Retained, err error) {
	err = s.with(id, func(st *stream) error {
		if seq > st.newest() {
			return ErrRange
		}
		e := st.at(seq)
		element, shown := st.element(seq, view{quirks: &s.quirks, withRecalled: true})
		r = Retained{Seq: seq, Kind: e.kind, JSON: element, Class: chat.ClassAbsent}
		if shown {
			r.Class = classOf(e.kind, &s.quirks)
		}
		if shown && st.poison[seq] != "" {
			r.JSON, r.Class = nil, chat.ClassMalformed
		}
		return nil
	})
	return r, err
}

func classOf(kind Kind, q *Quirks) chat.Class {
	switch kind {
	case KindDeleted, KindStoreFail:
		return chat.ClassPlaceholder
	case KindRecalled:
		if q.RecalledIgnored && q.RecalledDefault == RecalledIsHole {
			return chat.ClassPlaceholder
		}
		return chat.ClassRecalled
	case KindSystem:
		return chat.ClassSystem
	default:
		return chat.ClassMessage
	}
}
