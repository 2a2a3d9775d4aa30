package chat

import "unicode/utf8"

// Status is the envelope of an answer. Whether it means success is not judged here.
type Status struct {
	ActionStatus    string // "OK" or "FAIL"
	ErrorCode       int
	ErrorInfo       string
	HasActionStatus bool // ActionStatus is a string
	HasErrorCode    bool // ErrorCode is a number, or a string that is one
	HasErrorInfo    bool // ErrorInfo is a string
}

// Members that are read. All others are passed on unread.
const (
	memberActionStatus = "ActionStatus"
	memberErrorCode    = "ErrorCode"
	memberErrorInfo    = "ErrorInfo"
	memberIsFinished   = "IsFinished"
	memberRspMsgList   = "RspMsgList"
	memberMsgSeq       = "MsgSeq"
	memberMsgTimeStamp = "MsgTimeStamp"
	memberIsPlaceMsg   = "IsPlaceMsg"
	memberIsSystemMsg  = "IsSystemMsg"
	memberGroupID      = "GroupId"
	memberTopicID      = "TopicId"
	memberMsgBody      = "MsgBody"
	memberMalformed    = "_malformed"
)

// ScanPage reads an answer of group_msg_get_simple in one pass, without decoding what is only passed on. The elements'
// JSON is part of body wherever it can be: body must not be changed as long as they are used.
//
// Member names are matched exactly, escapes in them resolved; of a member that comes twice the last one counts. An
// RspMsgList that is absent or null is an empty page, an IsFinished that is no number FinishedAbsent. What is not JSON,
// an envelope of other types than documented, or an element without a usable MsgSeq makes the whole answer malformed:
// the error is then a *MalformedError, which wraps ErrMalformed. The Status is valid only without an error.
func ScanPage(body []byte) (Page, Status, error) {
	s := scanner{body: body, valid: utf8.Valid(body)}
	p := pageScanner{scanner: &s, page: Page{Finished: FinishedAbsent}}
	i := s.space(0)
	if s.at(i) != '{' {
		s.fail(i)
	} else if i = s.object(i+1, 1, p.member); i >= 0 {
		if i = s.space(i); i != len(body) {
			s.fail(i)
		}
	}
	for _, err := range []*MalformedError{s.err, p.wrong.action, p.wrong.code, p.wrong.list} {
		if err != nil {
			if p.ofAPI() {
				err.Answer, err.After = body, p.after
			}
			return Page{}, Status{}, err
		}
	}
	return p.page, p.status, nil
}

// ScanElement reads one element of RspMsgList, such as a line of a chunk. White space around it is allowed. The rest is
// as for ScanPage.
func ScanElement(raw []byte) (Element, error) {
	s := scanner{body: raw, valid: utf8.Valid(raw)}
	e, i := s.element(s.space(0), 1)
	if i >= 0 {
		if i = s.space(i); i != len(raw) {
			s.fail(i)
		}
	}
	if s.err != nil {
		return Element{}, s.err
	}
	return e, nil
}

// pageScanner takes the members of the envelope.
type pageScanner struct {
	*scanner
	page   Page
	status Status
	after  Seq                                          // of the last element
	listed bool                                         // a list of messages has begun
	wrong  struct{ action, code, list *MalformedError } // shapes that are malformed unless the member comes again
}

// ofAPI reports whether an answer of which something cannot be read is one of the API, and not a refusal, as far as it was
// read.
func (p *pageScanner) ofAPI() bool {
	s := &p.status
	refused := p.wrong.action != nil || p.wrong.code != nil || s.ErrorCode != 0 || s.HasActionStatus && s.ActionStatus != "OK"
	return !refused && (p.listed || s.HasActionStatus)
}

// member takes the member whose value begins at i and returns the index behind it, or -1.
func (p *pageScanner) member(name []byte, i, depth int) int {
	switch string(name) {
	case memberActionStatus:
		p.within = memberActionStatus
		i = p.actionStatus(i, depth)
	case memberErrorCode:
		p.within = memberErrorCode
		i = p.errorCode(i, depth)
	case memberErrorInfo:
		p.within = memberErrorInfo
		start := i
		if i = p.value(i, depth); i >= 0 {
			p.status.ErrorInfo, p.status.HasErrorInfo = stringOf(p.body[start:i])
		}
	case memberIsFinished:
		p.within = memberIsFinished
		start := i
		if i = p.value(i, depth); i >= 0 {
			n, ok := integer(p.body[start:i])
			p.page.Finished = FinishedAbsent
			if ok {
				p.page.Finished = int(n)
			}
		}
	case memberRspMsgList:
		p.within = memberRspMsgList
		i = p.lastList(i, depth)
	default:
		i = p.value(i, depth)
	}
	p.within = ""
	return i
}

// actionStatus takes a string or null.
func (p *pageScanner) actionStatus(i, depth int) int {
	end := p.value(i, depth)
	if end < 0 {
		return end
	}
	raw := p.body[i:end]
	p.status.ActionStatus, p.status.HasActionStatus = stringOf(raw)
	p.wrong.action = nil
	if !p.status.HasActionStatus && raw[0] != 'n' {
		p.wrong.action = p.unexpected(i)
	}
	return end
}

// errorCode takes a number, a string that is one, or null. Reading an odd code as 0 would turn a failure into an empty
// page.
func (p *pageScanner) errorCode(i, depth int) int {
	end := p.value(i, depth)
	if end < 0 {
		return end
	}
	raw := p.body[i:end]
	n, ok := integer(raw)
	p.status.ErrorCode, p.status.HasErrorCode = int(n), ok
	p.wrong.code = nil
	if !ok && raw[0] != 'n' {
		p.wrong.code = p.unexpected(i)
	}
	return end
}

// lastList takes a list and sets aside what is wrong with its shape: should another list follow, that one counts.
func (p *pageScanner) lastList(start, depth int) int {
	p.page.Elements, p.after, p.wrong.list = nil, 0, nil
	end := p.list(start, depth)
	if end < 0 {
		p.wrong.list, p.err = p.err, nil
		p.within = memberRspMsgList
		end = p.value(start, depth)
	}
	return end
}

func (p *pageScanner) list(i, depth int) int {
	if p.at(i) != '[' {
		if p.at(i) != 'n' {
			return p.fail(i)
		}
		return p.value(i, depth)
	}
	p.listed = true
	if i = p.space(i + 1); p.at(i) == ']' {
		return i + 1
	}
	elements := make([]Element, 0, PageSize)
	for {
		var e Element
		if e, i = p.element(i, depth+2); i < 0 {
			return i
		}
		elements, p.after = append(elements, e), e.Seq
		i = p.space(i)
		switch p.at(i) {
		case ',':
			i = p.space(i + 1)
		case ']':
			p.page.Elements = elements
			return i + 1
		default:
			return p.fail(i)
		}
	}
}

// element reads the element that begins at start; depth is its own. It returns the index behind it, or -1.
func (s *scanner) element(start, depth int) (Element, int) {
	if s.at(start) != '{' {
		return Element{}, s.fail(start)
	}
	within := s.within
	spaces := s.spaces
	var e Element
	end := s.elementMembers(&e, start+1, depth)
	if end < 0 {
		return Element{}, end
	}
	s.within = within
	if e.Seq < 1 || e.Seq > MaxSeq {
		s.within = memberMsgSeq
		return Element{}, s.failAs(start, noSeq)
	}
	e.JSON = s.body[start:end:end]
	if s.spaces != spaces {
		e.JSON = s.compact(e.JSON)
	}
	if !s.valid && !utf8.Valid(e.JSON) {
		e.JSON = s.repair(e.JSON)
		e.Repaired = true
	}
	if e.Malformed {
		e.Malformed = isMalformed(&e)
	}
	return e, end
}

// elementMembers is scanner.object, spelled out since it is where the time goes.
func (s *scanner) elementMembers(e *Element, i, depth int) int {
	if i = s.space(i); s.at(i) == '}' {
		return i + 1
	}
	for {
		name, next := s.name(i)
		if next < 0 {
			return next
		}
		end := s.value(next, depth)
		if end < 0 {
			return end
		}
		switch string(name) {
		case memberMsgSeq:
			e.Seq = Seq(intOf(s.body[next:end]))
		case memberMsgTimeStamp:
			e.Time = max(intOf(s.body[next:end]), 0)
		case memberIsPlaceMsg:
			e.Place = int(intOf(s.body[next:end]))
		case memberIsSystemMsg:
			e.System = intOf(s.body[next:end]) == 1
		case memberGroupID:
			e.HasGroupID = true
		case memberTopicID:
			e.HasTopicID = true
		case memberMsgBody:
			e.Files = mayHaveLinks(s.body[next:end])
		case memberMalformed:
			e.Malformed = true // element looks closer
		}
		i = s.space(end)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.fail(i)
		}
	}
}
