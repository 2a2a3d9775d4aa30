package status

import (
	"fmt"
	"slices"
	"time"

	"chatexport/scripts/chatexport/internal/cli"
)

func text(r Result) string {
	rows := [][]string{{"group", "verdict", "status", "archived to", "pending", "messages", "expired", "absent", "links", "waiting", "complete", "last run"}}
	withFiles := false
	for i := range r.Streams {
		s := &r.Streams[i]
		name := string(s.Verdict)
		switch {
		case s.AtRisk:
			name += ", at risk"
		case s.FilesAtRisk():
			name += ", files at risk"
		}
		files := Media{}
		if s.Media != nil {
			withFiles, files = true, *s.Media
		}
		rows = append(rows, []string{
			cli.StreamName(s.Stream), name, s.Status, cli.Count(int64(max(s.Frontier-1, 0))), cli.Count(s.Pending), cli.Count(s.Messages),
			cli.Count(s.Expired), cli.Count(s.Absent), cli.Count(files.Links), cli.Count(files.Waiting), completeText(s), runText(s),
		})
	}
	if !withFiles {
		for i := range rows {
			rows[i] = slices.Delete(rows[i], 8, 10) // links and waiting
		}
	}
	var b cli.Lines
	b.Table(rows, 0, 1, 2, -1)
	for i := range r.Streams {
		notes(&b, &r.Streams[i], r.At)
	}
	b.Line("%s in %s: %d done, %d running, %d failing, %d late, %d stuck; %d at risk",
		cli.Plural(len(r.Streams), "stream"), r.Where, r.Done, r.Running, r.Failing, r.Late, r.Stuck, r.AtRisk)
	return b.String()
}

func completeText(s *Stream) string {
	if s.CompleteAt.IsZero() {
		return "never"
	}
	return Age(time.Duration(s.AgeSeconds)*time.Second) + " ago"
}

func runText(s *Stream) string {
	if s.LastRun == nil {
		return "-"
	}
	return fmt.Sprintf("%s, %s", s.LastRun.StartedAt.Format("2006-01-02 15:04:05Z"), cli.Seconds(s.LastRun.FinishedAt.Sub(s.LastRun.StartedAt)))
}

func notes(b *cli.Lines, s *Stream, now time.Time) {
	name := cli.StreamName(s.Stream)
	if s.Lease != nil && now.Before(s.Lease.Until) {
		b.Line("%s: leased until %s", name, s.Lease.Until.Format("15:04:05Z"))
	}
	if s.Malformed > 0 {
		b.Line("%s: %s malformed: what came could not be read and is kept as it came", name, cli.Count(s.Malformed))
	}
	if m := s.Media; m != nil && (m.AtRisk || m.Code != "" || m.States != nil) {
		b.Line("%s: %s", name, m.Text())
	}
	if l := s.Looks; l != nil && (l.changed() || l.Code != "") {
		b.Line("%s: %s", name, l.Text())
	}
	if s.Error != nil {
		b.Line("%s: error %s: %s", name, s.Error.Code, s.Error.Text)
	}
	if s.Advice != "" {
		b.Line("%s: %s", name, s.Advice)
	}
}

// Age writes a duration as people say it: 40 s, 12 min, 26 h, 9 days.
func Age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	default:
		return fmt.Sprintf("%d days", d/day)
	}
}
