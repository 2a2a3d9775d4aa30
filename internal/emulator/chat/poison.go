package chatemu

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"chatexport/internal/chat"
)

// Poison is a way in which a message makes every answer unreadable that it is in.
type Poison string

// The kinds of poison.
const (
	PoisonControl     Poison = "control"      // a raw control character in a string
	PoisonEscape      Poison = "escape"       // a bad escape in a string
	PoisonSyntax      Poison = "syntax"       // a comma is missing
	PoisonNull        Poison = "null"         // no object at all
	PoisonNoSeq       Poison = "no-seq"       // MsgSeq is missing
	PoisonSeqNull     Poison = "seq-null"     // MsgSeq is null
	PoisonSeqFraction Poison = "seq-fraction" // MsgSeq is 7.5
	PoisonSeqExponent Poison = "seq-exponent" // MsgSeq is 7e0
	PoisonSeqText     Poison = "seq-text"     // MsgSeq is no number
	PoisonSeqZero     Poison = "seq-zero"     // MsgSeq is 0
	PoisonSeqLarge    Poison = "seq-large"    // MsgSeq has more than 32 bits
	PoisonDeep        Poison = "deep"         // nested beyond any bound
	PoisonCut         Poison = "cut"          // the answer ends in the middle of the message
)

// Poisons returns every kind.
func Poisons() []Poison {
	return []Poison{
		PoisonControl, PoisonEscape, PoisonSyntax, PoisonNull, PoisonNoSeq, PoisonSeqNull, PoisonSeqFraction, PoisonSeqExponent,
		PoisonSeqText, PoisonSeqZero, PoisonSeqLarge, PoisonDeep, PoisonCut,
	}
}

// Poison makes messages unreadable, until they get the empty Poison. For Truth they have no JSON and are of class
// malformed.
func (s *Server) Poison(id chat.Stream, p Poison, seqs ...chat.Seq) error {
	return s.with(id, func(st *stream) error {
		for _, seq := range seqs {
			if seq < st.base || seq > st.newest() {
				return fmt.Errorf("message %d: %w", seq, ErrRange)
			}
			if st.poison == nil {
				st.poison = make(map[chat.Seq]Poison)
			}
			st.poison[seq] = p
		}
		return nil
	})
}

// Withhold leaves messages out of the next answers that they would be in, so many for each, as if they had not been sent.
func (s *Server) Withhold(id chat.Stream, answers int, seqs ...chat.Seq) error {
	return s.with(id, func(st *stream) error {
		if st.withheld == nil {
			st.withheld = make(map[chat.Seq]int)
		}
		for _, seq := range seqs {
			st.withheld[seq] = answers
		}
		return nil
	})
}

// withhold takes out of a page what is not to come yet.
func (st *stream) withhold(found []shown) []shown {
	return slices.DeleteFunc(found, func(f shown) bool {
		left := st.withheld[f.seq]
		if left > 0 {
			st.withheld[f.seq]--
		}
		return left > 0
	})
}

// poisoned makes a page unreadable where messages of it are.
func (st *stream) poisoned(found []shown) {
	for i := range found {
		if p := st.poison[found[i].seq]; p != "" && found[i].seq >= st.floor {
			found[i].element = p.apply(found[i].element)
		}
	}
}

// cutHere is where PoisonCut ends an answer: it stands in no JSON.
const cutHere = "\x00cut\x00"

// cutBody ends an answer where it is to end.
func cutBody(body []byte) []byte {
	before, _, _ := bytes.Cut(body, []byte(cutHere))
	return before
}

func (p Poison) apply(element []byte) []byte {
	extra := func(json string) []byte { return append(append(element[:len(element)-1:len(element)-1], json...), '}') }
	seq := func(json string) []byte {
		members, ok := splitObject(element)
		if !ok {
			return nil
		}
		for i := range members {
			if members[i].key == "MsgSeq" {
				members[i].value = []byte(json)
			}
		}
		return object(members)
	}
	switch p {
	case PoisonControl:
		return extra(",\"Poison\":\"a\x01b\"")
	case PoisonEscape:
		return extra(`,"Poison":"\x"`)
	case PoisonSyntax:
		return extra(`"Poison":1`)
	case PoisonNull:
		return []byte("null")
	case PoisonNoSeq:
		return withoutSeq(element)
	case PoisonSeqNull:
		return seq("null")
	case PoisonSeqFraction:
		return seq("7.5")
	case PoisonSeqExponent:
		return seq("7e0")
	case PoisonSeqText:
		return seq(`"seven"`)
	case PoisonSeqZero:
		return seq("0")
	case PoisonSeqLarge:
		return seq("4294967296")
	case PoisonDeep:
		const levels = 600
		return extra(`,"Poison":` + strings.Repeat(`[`, levels) + strings.Repeat(`]`, levels))
	case PoisonCut:
		return append(element[:len(element)/2:len(element)/2], cutHere...)
	default:
		return element
	}
}
