package conversation

import (
	"iter"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// GapKind is why there is no message.
type GapKind string

// The kinds of gaps.
const (
	GapExpired     GapKind = "expired"     // before it could be archived
	GapAbsent      GapKind = "absent"      // asked for twice, and not returned
	GapPlaceholder GapKind = "placeholder" // the service had a placeholder there: expired, deleted or never stored
	GapDamaged     GapKind = "damaged"     // archived, but the chunk is damaged or missing
	GapBroken      GapKind = "broken"      // the chain cannot be followed: what is behind is not known
)

// Gap is a range of seqs without messages, and why there are none. Where a chunk is damaged there may have been some.
type Gap struct {
	Lo, Hi   chat.Seq // Hi is 0 where the end is not known
	Kind     GapKind
	Evidence string // of an expired range: archive.EvidenceFinished or archive.EvidenceProbe, if it is recorded
	Why      string // of a damaged or broken one
}

// Seqs returns how many seqs it has.
func (g Gap) Seqs() int64 { return max(int64(g.Hi-g.Lo+1), 0) }

// Row is a message, or a gap in its place.
type Row struct {
	Message *Message // nil for a gap
	Gap     *Gap
}

// Seq returns the first seq of the row.
func (r Row) Seq() chat.Seq {
	if r.Message != nil {
		return r.Message.Seq
	}
	return r.Gap.Lo
}

// item is a row before it is read.
type item struct {
	entry         // of a line; the time is a gap's, too
	gap   GapKind // empty for a line
	hi    chat.Seq
}

// items yields the rows of a chunk in order: every seq of it is in exactly one.
func (u *unpacked) items() iter.Seq[item] {
	return func(yield func(item) bool) {
		k := &u.chunk
		first := k.anchor
		if lo, _, ok := k.times(); ok {
			first = lo
		}
		if u.failure != "" {
			yield(item{entry: entry{seq: k.Lo, time: first}, gap: GapDamaged, hi: k.Hi})
			return
		}
		if len(u.entries) > 0 {
			first = u.entries[0].time
		}
		m := merger{expired: k.Expired, time: first, yield: yield}
		next := k.Lo
		for _, e := range u.entries {
			if !m.missing(next, e.seq-1) || !m.line(e, u.changes[e.seq]) {
				return
			}
			next = e.seq + 1
		}
		if m.missing(next, k.Hi) {
			m.flush()
		}
	}
}

// merger makes one gap of neighbours of the same kind and time.
type merger struct {
	expired int64 // missing seqs yet to come that had expired: they are the first ones, below the floor
	time    int64 // of the line before
	held    item  // a gap that may grow; gap is empty if there is none
	yield   func(item) bool
}

func (m *merger) missing(lo, hi chat.Seq) bool {
	if n := min(m.expired, int64(hi-lo+1)); n > 0 {
		m.expired -= n
		if !m.gap(GapExpired, lo, lo+chat.Seq(n)-1, m.time) {
			return false
		}
		lo += chat.Seq(n)
	}
	return lo > hi || m.gap(GapAbsent, lo, hi, m.time)
}

func (m *merger) line(e entry, change *archive.ChangeLine) bool {
	m.time = e.time
	if e.class == chat.ClassPlaceholder && (change == nil || len(change.Now) == 0 || change.Kind == archive.ChangeDeleted) {
		return m.gap(GapPlaceholder, e.seq, e.seq, e.time)
	}
	return m.flush() && m.yield(item{entry: e, hi: e.seq})
}

func (m *merger) gap(kind GapKind, lo, hi chat.Seq, time int64) bool {
	if m.held.gap == kind && m.held.hi+1 == lo && m.held.time == time {
		m.held.hi = hi
		return true
	}
	if !m.flush() {
		return false
	}
	m.held = item{entry: entry{seq: lo, time: time}, gap: kind, hi: hi}
	return true
}

func (m *merger) flush() bool {
	held := m.held
	m.held = item{}
	return held.gap == "" || m.yield(held)
}
