package change_test

import (
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/trail/change"
)

func TestDue_IsWhenTheOldestMessageIsOldEnoughButNotRightAfterTheRun(t *testing.T) {
	t.Parallel()
	listed := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		after time.Duration
		sent  time.Time     // zero: no message has a time
		want  time.Duration // since the chunk was listed
	}{
		"sent just before":                   {5 * day, listed.Add(-time.Hour), 5*day - time.Hour},
		"sent when it was listed":            {5 * day, listed, 5 * day},
		"old, and rests for a day":           {5 * day, listed.Add(-30 * day), day},
		"nearly due when it was listed":      {5 * day, listed.Add(-5*day + time.Hour), day},
		"old, and rests no longer than that": {time.Hour, listed.Add(-30 * day), time.Hour},
		"a clock that is ahead":              {5 * day, listed.Add(day), 5 * day},
		"no time":                            {5 * day, time.Time{}, day},
		"no time, soon":                      {time.Hour, time.Time{}, time.Hour},
	} {
		chunk := archive.ChunkEntry{ChunkMeta: archive.ChunkMeta{Lo: 1, Hi: 10, Counts: archive.Counts{Messages: 1, Expired: 9}}}
		if !c.sent.IsZero() {
			chunk.TsMin = c.sent.Unix()
		}
		kind := change.Kind{After: c.after}
		due, needed := kind.Due(&archive.Manifest{FinishedAt: listed}, &chunk)
		if got := due.Sub(listed); got != c.want || !needed {
			t.Errorf("%s: due after %v (%t), want %v", name, got, needed, c.want)
		}
	}
	all := archive.ChunkEntry{ChunkMeta: archive.ChunkMeta{Lo: 1, Hi: 10, Counts: archive.Counts{Expired: 10}}}
	if _, needed := (&change.Kind{After: day}).Due(&archive.Manifest{FinishedAt: listed}, &all); needed {
		t.Error("a chunk of which all had expired is looked at")
	}
}
