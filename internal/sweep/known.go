package sweep

import (
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/objstore"
)

const (
	// Standing outcomes are tried again after an hour, then at half the rate each time, down to every longRest. All rests
	// are at most restShare of the retention: who mends the cause in time must not lose what came meanwhile.
	firstRest = time.Hour
	longRest  = 6 * time.Hour
	restShare = 8
	// forgetAfter tries a group that is neither listed nor there is not remembered any more. Its archive stays.
	forgetAfter = 8
)

// record is what is remembered of a stream from sweep to sweep. All of it is a hint: the engine checks what matters.
type record struct {
	Group    string   `json:"g"`
	Topic    string   `json:"t,omitempty"`
	Type     string   `json:"y,omitempty"`
	Frontier chat.Seq `json:"f,omitempty"` // 0: nothing is archived, as far as is known
	// CreateTime is the group's as the archive's genesis has it.
	CreateTime int64 `json:"k,omitempty"`
	Since      int64 `json:"s,omitempty"` // no message from the frontier on is older, in seconds since 1970; 0 is unknown
	// Next is NextMsgSeq when a try found less than it promised, and nothing was under way; or at a standing outcome.
	Next    chat.Seq `json:"n,omitempty"`
	Last    int64    `json:"l,omitempty"` // time of the newest message at a standing outcome
	Outcome string   `json:"o,omitempty"` // of the last try; empty if that was complete
	Code    string   `json:"e,omitempty"`
	Tries   int      `json:"x,omitempty"` // how often in a row that was the outcome
	Tried   int64    `json:"a,omitempty"` // when last
}

func (r *record) stream() chat.Stream { return chat.Stream{GroupID: r.Group, TopicID: r.Topic} }

// standing reports whether an outcome stays until a person, or a change in the app, makes another of it.
func standing(outcome string) bool {
	switch outcome {
	case archive.StatusGone, archive.StatusUnsupported, archive.StatusDamaged, archive.StatusMismatch, archive.StatusRecreated:
		return true
	default:
		return false
	}
}

// rests reports whether a stream need not be tried now.
func (p *planner) rests(r *record, s *sight) bool {
	longest := p.retention / restShare
	switch {
	case standing(r.Outcome):
		if r.contradicted(s) {
			return false
		}
		longest = min(longest, longRest)
	case r.Outcome != "" || r.Next == 0:
		return false
	}
	return p.now.Before(time.Unix(r.Tried, 0).Add(rest(r.Tries-1, longest)))
}

// contradicted reports whether the list shows life in a stream that the service refused. What is wrong with an archive
// is not mended by new messages.
func (r *record) contradicted(s *sight) bool {
	if r.Outcome != archive.StatusGone && r.Outcome != archive.StatusUnsupported {
		return false
	}
	return s.NextSeq > 0 && s.NextSeq != r.Next || s.LastTime > 0 && s.LastTime != r.Last
}

func rest(n int, longest time.Duration) time.Duration {
	if n < 0 || n > 20 {
		n = 20
	}
	return min(longest, firstRest<<n)
}

// learn takes what became of a try.
func (r *record) learn(o outcome) {
	if o.Frontier > 0 {
		r.Frontier = o.Frontier
	}
	if o.CreateTime > 0 {
		r.CreateTime = o.CreateTime
	}
	var same bool
	switch {
	case o.Outcome == string(export.Complete):
		r.Since = o.Began - int64(settling/time.Second)
		same = r.Outcome == "" && r.Next > 0 && r.Next == o.Next
		r.Outcome, r.Code, r.Next, r.Last = "", "", 0, 0
		if o.Next > r.Frontier && o.Calm {
			r.Next = o.Next // the newest were deleted, or never stored; else they may have been settling
		}
	default:
		same = r.Outcome == o.Outcome
		r.Outcome, r.Code, r.Next, r.Last = o.Outcome, o.Code, 0, 0
		if standing(o.Outcome) {
			r.Next, r.Last = o.Next, o.Last
		}
	}
	if !same {
		r.Tries = 0
	}
	r.Tries++
	r.Tried = o.At
	if r.Outcome == "" && r.Next == 0 {
		r.Tries, r.Tried = 0, 0 // nothing to remember of a success
	}
}

// settling is how long a message may have its seq before it can be read (package export): what is newer may be missing.
const settling = 2 * time.Minute

// knownHeader is the first line of known-<piece>.ndjson.gz.
type knownHeader struct {
	envelope

	At int64 `json:"at"` // seconds since 1970; Since of records that have a frontier, but no Since
}

// unknownSince is written where something is archived, but not when nothing was missing: a first export that failed
// part-way. It is read back as 0; older versions took it for very long ago, which comes to the same.
const unknownSince = -1

// encodeKnown builds the object that the next sweep begins with.
func encodeKnown(id string, at time.Time, records []*record) (objstore.Write, error) {
	l := newLines(knownHeader{envelope{format, id}, at.Unix()})
	for _, r := range records {
		line := *r
		switch {
		case line.Since == at.Unix():
			line.Since = 0 // most are idle: their lines differ in the id and the frontier only
		case line.Since == 0 && line.Frontier > 0:
			line.Since = unknownSince
		}
		l.add(line)
	}
	return l.close()
}

func decodeKnown(body []byte) (map[chat.Stream]*record, error) {
	known := make(map[chat.Stream]*record)
	var header knownHeader
	err := readLines(body, &header, func(line []byte) error {
		r := new(record)
		if err := readJSON(line, r); err != nil {
			return err
		}
		if !possible(r.stream()) {
			return nil // one line is not to cost all the others
		}
		switch {
		case r.Since == unknownSince:
			r.Since = 0
		case r.Since == 0 && r.Frontier > 0:
			r.Since = header.At
		}
		known[r.stream()] = r
		return nil
	})
	return known, err
}
