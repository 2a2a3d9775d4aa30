package archive

import (
	"errors"
	"strings"
	"time"

	"chatexport/internal/chat"
)

// State is a stream's only overwritten object. It holds hints, never truth: it may be lost, stale or low at any moment
// without harm to what is archived, so whoever reads it checks it against the chunks.
type State struct {
	Format        int         `json:"format"`
	Frontier      chat.Seq    `json:"frontier"`                 // smallest seq that no chunk covers; 0 if unknown
	After         chat.Seq    `json:"after"`                    // lo of the last chunk; 0 if there is none
	ManifestAfter *Pin        `json:"manifest_after,omitempty"` // the last manifest
	Media         *TrailHint  `json:"media,omitempty"`          // where the trail of that name stands; nil if unknown
	Look          *TrailHint  `json:"look,omitempty"`           // the same of the trail "change"
	Head          chat.Seq    `json:"head"`                     // of the run; 0 if unknown
	Status        string      `json:"status"`
	Error         *StateError `json:"error,omitempty"`
	Lease         *Lease      `json:"lease,omitempty"`
	Seen          *Seen       `json:"seen,omitempty"` // nil if unknown
	Counters      Counters    `json:"counters"`
	UpdatedAt     time.Time   `json:"updated_at"`
}

// Pin names an object of a chain by its first seq, and what it must hash to.
type Pin struct {
	Lo     chat.Seq `json:"lo"`
	SHA256 string   `json:"sha256"`
}

// validate accepts nil, too.
func (p *Pin) validate(what string) error {
	if p != nil && (p.Lo < 1 || p.Lo > chat.MaxSeq || !isSHA256(p.SHA256)) {
		return invalid("%s names no object", what)
	}
	return nil
}

// TrailHint is how far a trail has come. Like the frontier it may be low at any moment.
type TrailHint struct {
	Frontier chat.Seq  `json:"frontier"`           // smallest seq for which the trail has neither a receipt nor a reason to have none
	After    *Pin      `json:"after,omitempty"`    // the last receipt; nil if there is none
	Manifest chat.Seq  `json:"manifest,omitempty"` // lo of the manifest that lists the chunk at the frontier; 0 if unknown
	Due      time.Time `json:"due,omitzero"`       // when what waits is worth another try; zero if nothing waits
	Code     string    `json:"code,omitempty"`     // why the trail stands still
	At       time.Time `json:"at,omitzero"`        // since when
}

// Of returns the hint of a trail, to be read or set.
func (s *State) Of(t Trail) **TrailHint {
	if t.Name == Media().Name {
		return &s.Media
	}
	return &s.Look
}

func (h *TrailHint) normal() *TrailHint {
	if h == nil {
		return nil
	}
	n := *h
	n.Due, n.At, n.Code = utc(n.Due), utc(n.At), cut(n.Code, maxValue)
	return &n
}

func (h *TrailHint) validate(name string) error {
	switch {
	case h == nil:
		return nil
	case !isFrontier(h.Frontier), !isFrontier(h.Manifest), h.Manifest > h.Frontier:
		return invalid("%s.frontier is %d, its manifest %d", name, h.Frontier, h.Manifest)
	case h.Due.Year() > 9999 || h.At.Year() > 9999:
		return invalid("%s.due or %s.at is out of range", name, name)
	}
	return h.After.validate(name + ".after")
}

// CodeChunkCorrupt is the code of a StateError: a chunk holds other bytes than were written, until somebody mends that.
const CodeChunkCorrupt = "chunk_corrupt"

// maxText bounds what a state says of a failure, in bytes: a state must not grow beyond what is read back.
const maxText = 4 << 10

// StateError is why the stream stands still. Text never contains message content.
type StateError struct {
	Code     string    `json:"code"`
	Text     string    `json:"text"` // cut at 4 KB
	At       time.Time `json:"at"`
	Frontier chat.Seq  `json:"frontier"`
	CRC64    string    `json:"crc64,omitempty"` // that the chunk at Frontier should have, of CodeChunkCorrupt; in decimal
}

// Seen is a newest seq, and when it was read: it and all below it were allotted by then.
type Seen struct {
	Seq chat.Seq  `json:"seq"`
	At  time.Time `json:"at"`
}

// Lease says who works on the stream and until when others keep away.
type Lease struct {
	Owner string    `json:"owner"`
	Until time.Time `json:"until"`
}

// Counters count what was done for the stream since its genesis. Like all of the state they may be low.
type Counters struct {
	Batches int64 `json:"batches"`
	Pages   int64 `json:"pages"`
	Calls   int64 `json:"calls"`
	Chunks  int64 `json:"chunks"`
	Counts
	RawBytes int64 `json:"raw_bytes"`
	Bytes    int64 `json:"bytes"`
	Unlisted int64 `json:"unlisted"` // chunks that no manifest lists yet
}

// Encode returns the object. Times are stored in UTC, to the millisecond. The error wraps ErrInvalid.
func (s State) Encode() ([]byte, error) {
	s = s.normal()
	if err := s.validate(); err != nil {
		return nil, err
	}
	return encode(s)
}

// ParseState reads a state back. Members that format 1 does not have are ignored. The error wraps ErrFormat for a
// state of another format, ErrInvalid for anything else.
func ParseState(body []byte) (State, error) { return parse(body, State.validate) }

func (s State) normal() State {
	s.UpdatedAt = utc(s.UpdatedAt)
	s.Media, s.Look = s.Media.normal(), s.Look.normal()
	if s.Error != nil {
		e := *s.Error
		e.At, e.Code, e.Text = utc(e.At), cut(e.Code, maxValue), cut(e.Text, maxText)
		s.Error = &e
	}
	if s.Lease != nil {
		l := *s.Lease
		l.Until = utc(l.Until)
		s.Lease = &l
	}
	if s.Seen != nil {
		seen := *s.Seen
		seen.At = utc(seen.At)
		s.Seen = &seen
	}
	return s
}

// cut shortens a text between two characters.
func cut(text string, most int) string { return strings.ToValidUTF8(text[:min(len(text), most)], "") }

func (s State) validate() error {
	if err := validateFormat(s.Format); err != nil {
		return err
	}
	switch {
	case !isFrontier(s.Frontier):
		return invalid("frontier is %d", s.Frontier)
	case s.After < 0 || s.After > chat.MaxSeq || s.After != 0 && s.After >= s.Frontier:
		return invalid("after is %d, frontier %d", s.After, s.Frontier)
	case s.Head < 0 || s.Head > chat.MaxSeq:
		return invalid("head is %d", s.Head)
	case !isStatus(s.Status):
		return invalid("status is %q", s.Status)
	}
	err := errors.Join(
		s.ManifestAfter.validate("manifest_after"), s.Media.validate("media"), s.Look.validate("look"), validateTime("updated_at", s.UpdatedAt),
	)
	if err != nil {
		return err
	}
	if s.Error != nil {
		if err := validateTime("error.at", s.Error.At); err != nil {
			return err
		}
		if !isFrontier(s.Error.Frontier) || len(s.Error.CRC64) > maxValue {
			return invalid("error.frontier is %d, or error.crc64 none", s.Error.Frontier)
		}
	}
	if s.Lease != nil {
		if s.Lease.Owner == "" || len(s.Lease.Owner) > maxValue {
			return invalid("lease without an owner, or one of more than %d bytes", maxValue)
		}
		if err := validateTime("lease.until", s.Lease.Until); err != nil {
			return err
		}
	}
	if s.Seen != nil {
		if s.Seen.Seq < 1 || s.Seen.Seq > chat.MaxSeq {
			return invalid("seen.seq is %d", s.Seen.Seq)
		}
		if err := validateTime("seen.at", s.Seen.At); err != nil {
			return err
		}
	}
	return s.Counters.validate()
}

func (c Counters) validate() error {
	for _, n := range []int64{c.Batches, c.Pages, c.Calls, c.Chunks, c.RawBytes, c.Bytes, c.Unlisted} {
		if n < 0 || n > maxTotal {
			return invalid("a counter is %d", n)
		}
	}
	return c.Counts.validate()
}

// isFrontier accepts 0 (unknown) to 4294967296 (behind the last possible message).
func isFrontier(seq chat.Seq) bool { return 0 <= seq && seq <= chat.MaxSeq+1 }

func isStatus(status string) bool {
	switch status {
	case StatusRunning, StatusComplete, StatusPartial, StatusGone, StatusUnsupported, StatusDamaged, StatusMismatch,
		StatusRecreated, StatusNoMetadata, StatusFailed:
		return true
	default:
		return false
	}
}
