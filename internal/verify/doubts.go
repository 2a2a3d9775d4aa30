package verify

import (
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// What an export hardly leaves behind. Whoever holds the function's role can write chunks that are as sound as real ones,
// so nothing of this is a fault, and its absence proves nothing.
const (
	// maxSpan is the largest EXPORT_SPAN that a configuration may have.
	maxSpan = 10_000_000
	// A chunk may have a page of absent seqs, or one in a hundred: what is deleted, recalled or expired comes as a
	// placeholder, and what does not come is asked for twice, so that they are few where nothing is hidden.
	fewAbsent, absentShare = chat.PageSize, 100
	// minRetention is how long every plan of the service stores messages.
	minRetention = 7 * 24 * time.Hour
	// maxAhead is how far the service's clock may be ahead of the function's.
	maxAhead = time.Hour
)

// doubts are what is implausible of a stream, by its sort: the first of each, and how many there are.
type doubts struct{ end, absent, long, expired, late, unread, unlike doubt }

type doubt struct {
	Finding

	count int
}

func (d *doubt) note(key, format string, args ...any) {
	if d.count++; d.count == 1 {
		d.Finding = Finding{KindImplausible, key, fmt.Sprintf(format, args...)}
	}
}

// weigh looks at a chunk as it is described. Those before it have been counted, it has not.
func (d *doubts) weigh(key string, m *archive.ChunkMeta, before *archive.Totals) {
	d.end = doubt{} // of the newest chunk alone
	if m.Absent > fewAbsent && m.Absent*absentShare > m.Sum() {
		d.absent.note(key, "%d of its %d seqs are absent, more than one in %d: real messages may have been called so", m.Absent, m.Sum(), absentShare)
	}
	if m.Expired == 0 && m.Sum() > maxSpan {
		d.long.note(key, "covers %d seqs that have not expired, more than the largest EXPORT_SPAN, %d", m.Sum(), maxSpan)
	}
	began, ok := archive.RunStart(m.Run)
	if m.Expired > 0 && ok && before.TsMax > began.Add(-minRetention).Unix() {
		d.expired.note(key, "is called expired, but a message before it was less than 7 days old then, and every plan stores messages that long")
	}
	if m.Absent == m.Sum() {
		d.ends(key, m.Lo, m.Hi)
	}
}

// ends notes that a chunk has no line from lo on.
func (d *doubts) ends(key string, lo, hi chat.Seq) {
	d.end = doubt{}
	d.end.note(key, "the archive ends with absent seqs, %d to %d, where a run ends with a message that came: this end may have been invented", lo, hi)
}

// date looks at the times that a manifest lists.
func (d *doubts) date(key string, m *archive.Manifest) {
	if m.Totals.TsMax > m.FinishedAt.Add(maxAhead).Unix() {
		d.late.note(key, "lists messages from after the end of its run")
	}
}

// tell returns the doubts as warnings.
func (d *doubts) tell() []Finding {
	var told []Finding
	for _, one := range []doubt{d.end, d.absent, d.long, d.expired, d.late, d.unread, d.unlike} {
		if one.count > 1 {
			one.Text += fmt.Sprintf("; the first of %d", one.count)
		}
		if one.count > 0 {
			told = append(told, one.Finding)
		}
	}
	return told
}
