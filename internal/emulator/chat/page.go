package chatemu

import (
	"slices"
	"strings"

	"chatexport/internal/chat"
)

// shown is an element of a page.
type shown struct {
	seq     chat.Seq
	element []byte
}

// window is what a call asks for: the seqs lo to hi, both included; empty when lo > hi.
type window struct {
	lo, hi    chat.Seq
	truncated bool
}

// page answers group_msg_get_simple.
func (s *Server) page(x *exchange) reply {
	g, st, code := s.find(x)
	if code != 0 {
		return refuse(code)
	}
	number, seq, code := pageParameters(x)
	if code != 0 {
		return refuse(code)
	}
	q := &x.quirks
	if g.noHistory() {
		switch q.AVChatRoom {
		case AVChatRoomPermission:
			return refuse(codePermission)
		case AVChatRoomEmpty:
			return s.pageReply(x, nil, chat.FinishedInterval, 0)
		case AVChatRoomParameter:
			return refuse(codeParameter)
		}
	}
	st.pages++
	w := window{truncated: number > chat.PageSize}
	number = min(number, chat.PageSize)
	w.hi = st.top(seq, x.call.Query.HasSeq, q)
	v := view{quirks: q, withRecalled: x.call.Query.WithRecalled, now: s.opts.Now()}
	found := st.collect(&w, number, v)
	asked := w
	found = cut(found, &w, q)
	finished := st.finished(w, asked, q)
	found = st.violate(found, x, asked, v)
	if every(q.EmptyOnceEvery, uint64(asked.hi)) && !st.emptied[asked.hi] {
		if st.emptied == nil {
			st.emptied = make(map[chat.Seq]bool)
		}
		st.emptied[asked.hi] = true
		found, finished = nil, chat.FinishedInterval
	}
	found = st.withhold(found)
	st.poisoned(found)
	return s.pageReply(x, found, finished, w.lo)
}

// pageParameters checks ReqMsgNumber and ReqMsgSeq (rules 8 and 9).
func pageParameters(x *exchange) (num int, seq chat.Seq, code int) {
	n, present, ok := readInteger(x.members, "ReqMsgNumber")
	if !present || !ok || n <= 0 || n > int64(chat.MaxSeq) || (n > chat.PageSize && x.quirks.LargeNumber == LargeIsRefused) {
		return 0, 0, codeParameter
	}
	top, present, ok := readInteger(x.members, "ReqMsgSeq")
	switch {
	case !ok, top < 0, top > int64(chat.MaxSeq), present && top == 0 && x.quirks.SeqZero == ZeroIsRefused:
		return 0, 0, codeParameter
	}
	if _, _, ok := readInteger(x.members, "WithRecalledMsg"); !ok {
		return 0, 0, codeParameter
	}
	return int(n), chat.Seq(top), 0
}

// top returns the newest seq of the window.
func (st *stream) top(seq chat.Seq, present bool, q *Quirks) chat.Seq {
	newest := st.newest()
	switch {
	case !present, q.IgnoreSeq, seq == 0 && q.SeqZero == ZeroIsNewest:
		return newest
	case seq > newest && q.AboveNewest == AboveIsClamped:
		return newest
	default:
		return seq
	}
}

// collect finds the elements of a window, newest first, and sets its lower end.
func (st *stream) collect(w *window, number int, v view) []shown {
	var found []shown
	byMessages := v.quirks.Counting == CountMessages
	w.lo = max(1, w.hi-chat.Seq(number)+1)
	if byMessages {
		w.lo = 1
	}
	for seq := min(w.hi, st.newest()); seq >= w.lo; seq-- {
		if byMessages && len(found) >= number {
			w.lo = seq + 1
			break
		}
		if byMessages && seq < st.floor && v.quirks.Expired == HoleIsOmitted {
			break // nothing will be found below, however far down
		}
		if element, ok := st.element(seq, v); ok {
			found = append(found, shown{seq, element})
		}
	}
	return found
}

// cut applies the byte limit of a page (rule 13).
func cut(found []shown, w *window, q *Quirks) []shown {
	if q.PageBytes <= 0 || len(found) == 0 {
		return found
	}
	size, kept := 0, 0
	for i := range found {
		at := i
		if q.Cut == CutNewest {
			at = len(found) - 1 - i
		}
		size += len(found[at].element)
		if i > 0 && size > q.PageBytes {
			break
		}
		kept++
	}
	if kept == len(found) {
		return found
	}
	w.truncated = true
	if q.Cut == CutNewest {
		return found[len(found)-kept:]
	}
	w.lo = found[kept-1].seq
	return found[:kept]
}

// finished finds IsFinished (rule 14). w is the window as far as the page covers it, asked the whole of it.
func (st *stream) finished(w, asked window, q *Quirks) int {
	lo := w.lo
	if q.Finished == FinishedDespiteCut {
		lo = asked.lo
	}
	expired := false
	switch q.Finished {
	case FinishedBelow, FinishedDespiteCut:
		expired = lo <= st.floor && st.floor > 1
	case FinishedWindow:
		expired = asked.hi >= asked.lo && asked.hi < st.floor
	case FinishedAtOne:
		expired = (lo <= st.floor && st.floor > 1) || (lo <= 1 && st.newest() > 0)
	case FinishedNever:
	}
	switch {
	case expired:
		return chat.FinishedExpired
	case w.truncated:
		return chat.FinishedTruncated
	default:
		return chat.FinishedInterval
	}
}

// violate applies the quirks that break the protocol.
func (st *stream) violate(found []shown, x *exchange, asked window, v view) []shown {
	q := v.quirks
	add := func(seq chat.Seq) {
		if seq < 1 || seq > st.newest() {
			return
		}
		if element, ok := st.element(seq, v); ok {
			found = append(found, shown{seq, element})
		}
	}
	empty := len(found) == 0
	if q.BelowWindow && !empty {
		add(asked.lo - 3)
	}
	if q.AboveWindow && !empty {
		add(asked.hi + 7)
	}
	for i := range q.Overlap {
		if empty {
			break // a page wholly above what was asked would be no page at all
		}
		add(asked.hi + chat.Seq(i+1))
	}
	slices.SortStableFunc(found, func(a, b shown) int { return int(b.seq - a.seq) })
	if q.Duplicate && len(found) > 0 {
		found = append(found, found[0])
	}
	if q.MissingSeq && len(found) > 0 {
		last := &found[len(found)-1]
		last.element = withoutSeq(last.element)
	}
	if q.Unsorted {
		shuffle(found, mixed(uint64(x.call.N)))
	}
	return found
}

// pageReply puts a page together.
func (s *Server) pageReply(x *exchange, found []shown, finished int, lo chat.Seq) reply {
	q := &x.quirks
	members := []member{text("GroupId", x.call.Query.Stream.GroupID)}
	if x.call.Query.Stream.TopicID != "" {
		members = append(members, text("TopicId", x.call.Query.Stream.TopicID))
	}
	if !q.FinishedOmitted {
		members = append(members, number("IsFinished", finished))
		x.call.Finished = finished
	}
	if q.NextSeq {
		members = append(members, number("NextReqMsgSeq", max(lo-1, 0)))
	}
	if len(found) > 0 {
		elements := make([][]byte, len(found))
		for i := range found {
			elements[i] = found[i].element
		}
		members = append(members, member{"RspMsgList", array(elements)})
		return reply{members: members, found: len(found)}
	}
	switch q.EmptyList {
	case EmptyListNull:
		members = append(members, member{"RspMsgList", []byte("null")})
	case EmptyListEmpty:
		members = append(members, member{"RspMsgList", []byte("[]")})
	case EmptyListAbsent:
	}
	return reply{members: members}
}

// find finds the stream of a call, or the code to answer (rule 7).
func (s *Server) find(x *exchange) (*group, *stream, int) {
	id, ok := readString(x.members, "GroupId")
	if !ok || id == "" {
		return nil, nil, codeParameter
	}
	topic, ok := readString(x.members, "TopicId")
	if !ok {
		return nil, nil, codeParameter
	}
	if !validGroupID(id) {
		return nil, nil, codeBadGroup
	}
	g, known := s.groups[id]
	switch {
	case known && g.dissolved:
		return nil, nil, codeNoGroup
	case !known && x.quirks.UnknownGroup == UnknownGroupBad:
		return nil, nil, codeBadGroup
	case !known:
		return nil, nil, codeNoGroup
	case topic == "":
		return g, g.own, 0
	}
	if st := g.topic(topic); st != nil {
		return g, st, 0
	}
	if x.quirks.UnknownTopic == UnknownTopicDeleted {
		return nil, nil, codeNoTopic
	}
	return nil, nil, codeNoGroup
}

// validGroupID accepts printable ASCII of at most 48 bytes, the service's rule for ids that users choose
// (Chat documentation, group system).
func validGroupID(id string) bool {
	return id != "" && len(id) <= 48 && !strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r > 0x7e })
}
