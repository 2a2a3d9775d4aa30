// Package chat is the vocabulary of Tencent Chat group history: streams, seqs, messages and pages.
//
// It owns the reading of one page (the answer of group_msg_get_simple) into elements whose JSON stays as it came.
// It is pure: it must never do I/O, keep state, decide what to ask next, or import anything of this project.
package chat

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Seq is a position in a stream. On the wire it is a uint32, consecutive from 1, and a smaller seq is an older
// message. It has 64 bits here because the frontier behind the last possible message is 4294967296.
type Seq int64

const (
	// MaxSeq is the largest seq that a message can have: MsgSeq is a uint32 (Chat documentation, 1047/34971).
	MaxSeq Seq = math.MaxUint32

	// PageSize is the most messages that group_msg_get_simple returns in one page (Chat documentation, 1047/34971).
	PageSize = 20

	// maxIDBytes is far above what the service accepts (a group id has at most 48 bytes, a topic id about twice that)
	// and keeps an object key with both ids, escaped, below the 850 bytes that COS allows.
	maxIDBytes = 128
)

// ErrInvalidStream is wrapped by the errors of Stream.Validate.
var ErrInvalidStream = errors.New("invalid group or topic id")

// Conditions that a source reports about a stream or the whole app. A source's errors match them with errors.Is.
var (
	// ErrGone means that the group or topic no longer exists; its history is gone with it.
	ErrGone = errors.New("group or topic does not exist or was dissolved")
	// ErrUnsupported means that the service keeps no history for this kind of group, or does not let this app read it.
	ErrUnsupported = errors.New("group history is not available for this group")
	// ErrTooLarge means that the answer would exceed what the service sends (10018): the page must be asked in
	// smaller pieces.
	ErrTooLarge = errors.New("answer exceeds the service's size limit")
	// ErrMalformed means that an answer is not what the documentation allows: not JSON, or an element without MsgSeq. The
	// error of one that is of the API all the same is a *MalformedError with the answer in it.
	ErrMalformed = errors.New("malformed answer")
)

// Stream names one seq space: a group, or one topic of a community.
type Stream struct {
	GroupID string `json:"group_id"`
	TopicID string `json:"topic_id,omitempty"` // empty for a plain group
}

// String returns the ids as a person would write them. It is for messages, never for object keys: those are
// escaped by package layout.
func (s Stream) String() string {
	if s.TopicID == "" {
		return s.GroupID
	}
	return s.GroupID + " topic " + s.TopicID
}

// Validate reports ids that no stream can have. The error wraps ErrInvalidStream and does not repeat an overlong id.
func (s Stream) Validate() error {
	switch {
	case s.GroupID == "":
		return fmt.Errorf("%w: group_id is empty", ErrInvalidStream)
	case len(s.GroupID) > maxIDBytes:
		return fmt.Errorf("%w: group_id has %d bytes, at most %d are allowed", ErrInvalidStream, len(s.GroupID), maxIDBytes)
	case len(s.TopicID) > maxIDBytes:
		return fmt.Errorf("%w: topic_id has %d bytes, at most %d are allowed", ErrInvalidStream, len(s.TopicID), maxIDBytes)
	case s.TopicID == "-":
		return fmt.Errorf("%w: topic_id \"-\" is reserved for plain groups", ErrInvalidStream)
	case !utf8.ValidString(s.GroupID), !utf8.ValidString(s.TopicID):
		return fmt.Errorf("%w: not UTF-8", ErrInvalidStream)
	}
	return nil
}

// Values of IsPlaceMsg (Chat documentation, 1047/34971).
const (
	PlaceNone     = 0 // an ordinary element
	PlaceHole     = 1 // expired, not stored or deleted: the seq is there, the message is not
	PlaceRecalled = 2 // recalled
)

// Values of IsFinished. Only FinishedExpired ever means that nothing older can be had; none of them ends a segment.
const (
	FinishedAbsent    = -1 // the answer had no IsFinished
	FinishedTruncated = 0  // the page was cut: messages too long, or more than PageSize asked for
	FinishedInterval  = 1  // the requested interval came back whole; history may go on below it
	FinishedExpired   = 2  // every message before the page has expired
)

// Class is what became of one seq. Every seq of a chunk is in exactly one.
type Class uint8

// The classes in the order in which they are decided.
const (
	ClassMalformed   Class = iota + 1 // what came cannot be read
	ClassRecalled                     // returned with IsPlaceMsg 2
	ClassPlaceholder                  // returned with another IsPlaceMsg but 0
	ClassSystem                       // returned with IsSystemMsg 1
	ClassMessage                      // returned otherwise
	ClassExpired                      // below a floor that was found
	ClassAbsent                       // not returned though asked for again
)

// Element is one element of RspMsgList.
type Element struct {
	Seq    Seq   // MsgSeq, in [1, MaxSeq]
	Time   int64 // MsgTimeStamp in seconds since 1970; 0 where the element has none
	Place  int   // IsPlaceMsg; 0 where the element has none
	System bool  // IsSystemMsg is 1

	// Malformed means that what came to this seq cannot be read: JSON holds the answer itself (NewMalformed).
	Malformed bool
	Shape     string // of a malformed one that has just come: what is wrong, in one word, for logs; empty otherwise

	// JSON is the element's own JSON, byte for byte as received but for insignificant white space and for bytes that
	// are not UTF-8, each of which has become U+FFFD. It begins with `{"`.
	JSON     []byte
	Repaired bool // JSON had bytes that were not UTF-8

	HasGroupID bool // the element has a member "GroupId" of its own
	HasTopicID bool // the element has a member "TopicId" of its own

	Files bool // MsgBody may refer to files: Links looks closer
}

// Class returns the class of a returned element.
func (e *Element) Class() Class {
	switch {
	case e.Malformed:
		return ClassMalformed
	case e.Place == PlaceRecalled:
		return ClassRecalled
	case e.Place != PlaceNone:
		return ClassPlaceholder
	case e.System:
		return ClassSystem
	default:
		return ClassMessage
	}
}

// Retained reports whether the element proves that its place in history is still stored: anything but a hole does.
func (e *Element) Retained() bool { return e.Place != PlaceHole }

// Query asks for one page.
type Query struct {
	Stream Stream
	// Seq is ReqMsgSeq, the largest seq wanted; 0 asks for the newest page and leaves ReqMsgSeq out of the request,
	// since the service reads an explicit 0 as "newest", too.
	Seq Seq
	// Number is ReqMsgNumber, in [1, PageSize].
	Number int
}

// Page is one answer of group_msg_get_simple.
type Page struct {
	Elements []Element // as received: usually newest first, but neither order nor uniqueness can be relied upon
	Finished int       // IsFinished, or FinishedAbsent
}

// Newest returns the largest seq of the page, 0 if it is empty.
func (p *Page) Newest() Seq {
	var newest Seq
	for i := range p.Elements {
		newest = max(newest, p.Elements[i].Seq)
	}
	return newest
}

// Oldest returns the smallest seq of the page, 0 if it is empty.
func (p *Page) Oldest() Seq {
	var oldest Seq
	for i := range p.Elements {
		if seq := p.Elements[i].Seq; oldest == 0 || seq < oldest {
			oldest = seq
		}
	}
	return oldest
}

// OldestRetained returns the smallest seq in [from, to] that the page shows to be retained, 0 if there is none.
func (p *Page) OldestRetained(from, to Seq) Seq {
	var oldest Seq
	for i := range p.Elements {
		e := &p.Elements[i]
		if e.Retained() && e.Seq >= from && e.Seq <= to && (oldest == 0 || e.Seq < oldest) {
			oldest = e.Seq
		}
	}
	return oldest
}
