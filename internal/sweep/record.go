package sweep

import (
	"cmp"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
)

const (
	// Standing outcomes are tried again after an hour, then at half the rate each time, down to every longPause. All pauses
	// are at most pauseShare of the retention: who mends the cause in time must not lose what came meanwhile.
	firstPause = time.Hour
	longPause  = 6 * time.Hour
	pauseShare = 8
	// forgetAfter tries a group that is neither listed nor there is not remembered any more. Its archive stays.
	forgetAfter = 8

	// settling is how long a message may have its seq before it can be read (package export): what is newer may be missing.
	settling = 2 * time.Minute
	// knownRecords is how many records a piece of what is known holds: one piece is in memory at a time.
	knownRecords = 20_000
)

// record is what is remembered of a stream from sweep to sweep. All of it is a hint: the engine checks what matters.
type record struct {
	chat.Stream

	Type     string   `json:"type,omitempty"`
	Frontier chat.Seq `json:"frontier,omitempty"` // 0: nothing is archived, as far as is known
	Since    int64    `json:"since,omitempty"`    // no message from the frontier on is older, in seconds since 1970; 0 is unknown
	// CreateTime is the group's as the archive's genesis has it.
	CreateTime int64 `json:"create_time,omitempty"`
	// Next is NextMsgSeq when a try found less than it promised, and nothing was under way; or at a standing outcome.
	Next    chat.Seq `json:"next,omitempty"`
	Last    int64    `json:"last,omitempty"`    // time of the newest message at a standing outcome
	Outcome string   `json:"outcome,omitempty"` // of the last try; empty if that was complete
	Code    string   `json:"code,omitempty"`
	Tries   int      `json:"tries,omitempty"` // how often in a row that was the outcome
	Tried   int64    `json:"tried,omitempty"` // when last

	Trail int64 `json:"trail,omitempty"` // when what follows the stream's chunks is next due; 0 if nothing is open
	Files int64 `json:"files,omitempty"` // when the oldest message was sent whose files are not archived; 0 if there is none, or it is not known
}

// standing reports whether an outcome stays until a person, or a change in the app, makes another of it.
func standing(outcome string) bool {
	switch outcome {
	case string(export.Unknown), archive.StatusGone, archive.StatusUnsupported, archive.StatusDamaged, archive.StatusMismatch,
		archive.StatusRecreated, archive.StatusNoMetadata:
		return true
	default:
		return false
	}
}

// again returns when a sweep looks again at a stream that did not come to its head: in the past, and so in the next sweep,
// unless the same is to be expected of it. What has something new may be looked at earlier (see revived and planner).
func (r *record) again(retention time.Duration) time.Time {
	pause := retention / pauseShare
	switch {
	case standing(r.Outcome):
		pause = min(pause, longPause)
	case r.Outcome == "" && r.Next > 0: // complete, though the service promises more: the newest were deleted
	default: // a failure that may pass
		return time.Time{}
	}
	return time.Unix(r.Tried, 0).Add(min(pause, firstPause<<min(max(r.Tries-1, 0), 20)))
}

// revived reports whether the list shows life in a stream that the service refused. What is wrong with an archive is not
// mended by new messages.
func (r *record) revived(s news) bool {
	if r.Outcome != string(export.Unknown) && r.Outcome != archive.StatusGone && r.Outcome != archive.StatusUnsupported {
		return false
	}
	return s.Next > 0 && s.Next != r.Next || s.Last > 0 && s.Last != r.Last
}

// learn takes what became of a try that began and ended at these times, of a stream as it was seen before.
func (r *record) learn(seen news, got export.Result, began, ended time.Time) {
	was := *r
	r.Frontier, r.CreateTime = cmp.Or(got.Frontier, was.Frontier), cmp.Or(got.CreateTime, was.CreateTime)
	r.Outcome, r.Code, r.Next, r.Last = string(got.Outcome), got.Code, 0, 0
	switch {
	case got.Outcome == export.Complete:
		r.Outcome, r.Code = "", ""
		r.Since = began.Add(-settling).Unix()
		if seen.Next > r.Frontier && seen.Last < r.Since {
			r.Next = seen.Next // the newest were deleted, or never stored; else they may have been settling
		}
	case standing(r.Outcome):
		r.Next, r.Last = seen.Next, seen.Last
	}
	r.learnTrails(got, ended)
	switch {
	case r.Outcome == "" && r.Next == 0:
		r.Tries, r.Tried = 0, 0 // nothing to remember of a success
	case r.Outcome == was.Outcome && (r.Outcome != "" || was.Next == r.Next):
		r.Tries, r.Tried = was.Tries+1, ended.Unix()
	default:
		r.Tries, r.Tried = 1, ended.Unix()
	}
}

// learnTrails takes how the trails of a stream stand. Other outcomes than these say nothing of them.
func (r *record) learnTrails(got export.Result, ended time.Time) {
	if got.Outcome != export.Complete && got.Outcome != export.Continued && got.Outcome != archive.StatusGone {
		return
	}
	r.Trail, r.Files = 0, 0
	switch {
	case got.Left:
		r.Trail = ended.Unix()
	case !got.Due.IsZero():
		r.Trail = got.Due.Unix()
	}
	if !got.Since.IsZero() {
		r.Files = got.Since.Unix()
	}
}

// follows reports whether the trails of a stream are due.
func (r *record) follows(now time.Time) bool { return r.Trail > 0 && r.Trail <= now.Unix() }
