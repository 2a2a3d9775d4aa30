package status

import (
	"time"

	"chatexport/internal/archive"
)

// Verdict is how a stream is doing. The names are stable.
type Verdict string

// The verdicts, worst first.
const (
	Stuck   Verdict = "stuck"
	Failing Verdict = "failing"
	Late    Verdict = "late"
	Running Verdict = "running"
	Done    Verdict = "done"
)

const (
	// abandonedAfter is how long a run without a lease, or with one that has ended, may be silent: a continuation waits in
	// the queue for minutes, and an event is delivered again for hours at most.
	abandonedAfter = time.Hour
	// riskShare of the retention: what is older may expire before somebody has found out why nothing moves.
	riskShare = 0.5
)

// judge decides how a stream is doing. maxAge is 0 for none.
func judge(s *Stream, now time.Time, maxAge, retention time.Duration) {
	s.Pending = max(0, int64(s.Head-s.Frontier+1))
	since := s.CompleteAt
	if since.IsZero() {
		since = s.UpdatedAt // it has never been complete, or nobody knows when
		if s.LastRun != nil {
			since = s.LastRun.StartedAt
		}
	}
	if s.Media != nil {
		s.Media.judge(now, retention)
	}
	age := max(0, now.Sub(since))
	s.AgeSeconds = int64(age / time.Second)
	final := s.Status == archive.StatusGone || s.Status == archive.StatusUnsupported
	switch {
	case final && !s.filesFail():
		s.Verdict = Done
	case s.Status == archive.StatusDamaged, s.Status == archive.StatusNoMetadata, s.Status == archive.StatusMismatch, s.Status == archive.StatusRecreated,
		s.Status == archive.StatusFailed, s.abandoned(now):
		s.Verdict = Stuck
	case s.Error != nil, s.filesFail(), s.looksFail():
		s.Verdict = Failing
	case maxAge > 0 && age > maxAge:
		s.Verdict = Late
	case s.Status == archive.StatusRunning, s.Status == "", s.Lease != nil && now.Before(s.Lease.Until):
		s.Verdict = Running
	default:
		s.Verdict = Done
	}
	s.AtRisk = !final && age > time.Duration(riskShare*float64(retention))
	s.Advice = advice(s)
}

// abandoned reports whether a run is under way that nobody has worked on for long.
func (s *Stream) abandoned(now time.Time) bool {
	if s.Status != archive.StatusRunning || now.Sub(s.UpdatedAt) < abandonedAfter {
		return false
	}
	return s.Lease == nil || now.After(s.Lease.Until)
}

// Rank orders streams, trouble first.
func (s *Stream) Rank() int {
	rank := 2
	switch s.Verdict {
	case Stuck:
		rank = 0
	case Failing, Late:
		rank = 2
	case Running:
		rank = 4
	case Done:
		rank = 6
	}
	if s.AtRisk || s.FilesAtRisk() {
		rank--
	}
	return rank
}

// advice says what a person can do. What helps where an archive is damaged is said in one place: damage.
func advice(s *Stream) string {
	switch s.Status {
	case archive.StatusDamaged:
		return damage(s.Error)
	case archive.StatusNoMetadata:
		return "this is a copy without the metadata that the function needs: whoever may removes it, and chatexport restore puts it back with them"
	case archive.StatusMismatch:
		return "the archive is another app's: use another COS_PREFIX for each app"
	case archive.StatusRecreated:
		return "a new group has the old one's id: archive it below another COS_PREFIX"
	case archive.StatusFailed:
		return "see the error; when its cause is mended: chatexport resume"
	case archive.StatusGone:
		if s.Media != nil && s.Media.Waiting > 0 && !s.Media.Off {
			return "leave it on the timers until its files are archived: they may outlive the group"
		}
		return "take it off the timers; what is archived is kept"
	case archive.StatusUnsupported:
		return "take it off the timers"
	}
	switch {
	case s.Verdict == Stuck:
		return "nobody works on this run any more: chatexport resume, and look whether the timer is on"
	case s.Error == nil && s.filesFail():
		return "messages are archived, files are not: the next tick tries again; look at the code, and at verify where something is missing or damaged"
	case s.Error == nil && s.looksFail():
		return "messages are archived, what changes later is not seen: the next tick tries again; look at the code, and at verify where something is damaged"
	case s.Verdict == Failing:
		return "the next tick tries again; see the error"
	case s.Verdict == Late:
		return "look whether the timer is on, or: chatexport resume"
	case s.AtRisk:
		return "messages may expire before they are archived: chatexport resume, or chatexport export"
	case s.FilesAtRisk():
		return "files may expire before they are archived: look whether the timer is on, or: chatexport resume"
	default:
		return ""
	}
}

// damage says what helps against each kind of damage: what the function does by itself, what repair can, and what only a copy
// has. Nothing was overwritten, whatever it is.
func damage(e *archive.StateError) string {
	code := ""
	if e != nil {
		code = e.Code
	}
	switch code {
	case "genesis_missing", "genesis_invalid":
		return "only a copy has what stands in a genesis: chatexport restore puts it back, once a damaged one was removed"
	case archive.CodeChunkCorrupt, "foreign_object":
		return "chatexport repair says what must be removed; the next run then pulls its messages again, as far as they are still stored"
	case "chunk_missing":
		return "chatexport repair pulls it again, as long as its messages are stored unchanged; or chatexport restore, from a copy"
	case "manifest_missing", "manifest_invalid", "manifest_chain":
		return "chatexport repair makes the newest manifest from its chunks, and says what else only a copy has"
	case "frontier_ahead":
		return "something wrote what was never sent: see who holds the function's role, and go on below another COS_PREFIX"
	default:
		return "chatexport repair makes again what can be, and says what must be removed first"
	}
}
