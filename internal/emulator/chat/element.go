package chatemu

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"chatexport/internal/chat"
)

const systemAccount = "@TIM#SYSTEM"

// newEntry builds a message's element with its members in the order of the documentation's samples.
func newEntry(m *Message, seq chat.Seq) entry {
	e := entry{time: m.Time, kind: m.Kind}
	switch {
	case m.Kind == KindStoreFail:
		return e
	case m.Element != nil:
		e.element = m.Element
		return e
	}
	from, priority, random, body := m.From, m.Priority, m.Random, []byte(m.Body)
	system := m.Kind == KindSystem
	if from == "" {
		from = "user1"
		if system {
			from = systemAccount
		}
	}
	if priority == 0 {
		priority = 2
		if system {
			priority = 3
		}
	}
	if random == 0 {
		random = uint32(mixed(uint64(seq)))
	}
	if body == nil {
		body = []byte("[]")
	}
	members := []member{text("From_Account", from), number("IsPlaceMsg", 0)}
	if system {
		members = append(members, number("IsSystemMsg", 1))
	}
	members = append(members, member{"MsgBody", body}, number("MsgPriority", priority), number("MsgRandom", int64(random)),
		number("MsgSeq", seq), number("MsgTimeStamp", m.Time))
	if m.CloudCustomData != "" {
		members = append(members, text("CloudCustomData", m.CloudCustomData))
	}
	if extra, ok := splitObject(m.Extra); ok {
		members = append(members, extra...)
	}
	e.element = object(members)
	return e
}

// view is how elements look in one call.
type view struct {
	quirks       *Quirks
	withRecalled bool
	now          time.Time // zero: late messages are shown
}

// element returns the element of a seq as a page has it; false if the page leaves it out.
func (st *stream) element(seq chat.Seq, v view) ([]byte, bool) {
	q := v.quirks
	if seq < st.floor {
		if q.Expired == HoleIsOmitted {
			return nil, false
		}
		return st.placeholder(seq, q), true
	}
	if !v.now.IsZero() && st.hidden(seq, v.now) {
		if q.Late == HoleIsOmitted {
			return nil, false
		}
		return st.placeholder(seq, q), true
	}
	e := st.at(seq)
	switch e.kind {
	case KindDeleted, KindStoreFail:
		if q.Holes == HoleIsOmitted {
			return nil, false
		}
		return st.placeholder(seq, q), true
	case KindRecalled:
		if !v.withRecalled || q.RecalledIgnored {
			switch q.RecalledDefault {
			case RecalledIsHole:
				return st.placeholder(seq, q), true
			case RecalledIsOmitted:
				return nil, false
			case RecalledIsMarked:
			}
		}
		return shaped(recalled(e.element, q), seq, q, true), true
	default:
		return shaped(e.element, seq, q, true), true
	}
}

// placeholder builds the element of a message that cannot be had.
func (st *stream) placeholder(seq chat.Seq, q *Quirks) []byte {
	var members []member
	if q.PlaceFrom == PlaceFromEmpty {
		members = append(members, text("From_Account", ""))
	}
	members = append(members, number("IsPlaceMsg", chat.PlaceHole))
	switch q.PlaceBody {
	case PlaceBodyEmpty:
		members = append(members, member{"MsgBody", []byte("[]")})
	case PlaceBodyNull:
		members = append(members, member{"MsgBody", []byte("null")})
	case PlaceBodyAbsent:
	}
	members = append(members, number("MsgPriority", 2), number("MsgRandom", 0), number("MsgSeq", seq))
	switch q.PlaceTime {
	case PlaceTimeZero:
		members = append(members, number("MsgTimeStamp", 0))
	case PlaceTimeOriginal:
		members = append(members, number("MsgTimeStamp", st.at(seq).time))
	case PlaceTimeAbsent:
	}
	return shaped(object(members), seq, q, false)
}

// recalled turns a message's element into that of a recalled one.
func recalled(element []byte, q *Quirks) []byte {
	members, ok := splitObject(element)
	if !ok {
		return element
	}
	for i := range members {
		switch {
		case members[i].key == "IsPlaceMsg":
			members[i].value = []byte(strconv.Itoa(chat.PlaceRecalled))
		case members[i].key == "MsgBody" && q.Recalled == RecalledBodyEmpty:
			members[i].value = []byte("[]")
		}
	}
	return object(members)
}

// shaped applies the quirks that change every element. It depends on the seq alone, so that a message looks the same
// in every page.
func shaped(element []byte, seq chat.Seq, q *Quirks, message bool) []byte {
	broken := message && every(q.InvalidUTF8Every, uint64(seq))
	if !q.ShuffleKeys && !q.SeqAsString && !broken {
		return element
	}
	members, ok := splitObject(element)
	if !ok {
		return element
	}
	if broken {
		members = append(members, member{"InvalidText", []byte("\"a\xffb\"")})
	}
	if q.SeqAsString {
		for i := range members {
			if members[i].key == "MsgSeq" {
				members[i].value = slices.Concat([]byte{'"'}, members[i].value, []byte{'"'})
			}
		}
	}
	if q.ShuffleKeys {
		shuffle(members, mixed(uint64(seq)))
	}
	return object(members)
}

// withoutSeq takes MsgSeq out of an element.
func withoutSeq(element []byte) []byte {
	members, ok := splitObject(element)
	if !ok {
		return bytes.ReplaceAll(element, []byte(`"MsgSeq"`), []byte(`"MsgNoSeq"`))
	}
	return object(slices.DeleteFunc(members, func(m member) bool { return m.key == "MsgSeq" }))
}
