package plan

import (
	"fmt"

	"chatexport/scripts/chatexport/internal/cli"
)

func text(r result) string {
	rows := [][]string{{"group", "from", "to", "messages", "calls", "minutes", "GB-seconds", "COS requests", "bytes", "expires"}}
	for i := range r.Streams {
		s := &r.Streams[i]
		if s.Error != "" {
			continue
		}
		expires := "-"
		if !s.ExpiresAt.IsZero() {
			expires = "from " + s.ExpiresAt.Format("2006-01-02 15:04Z")
		}
		if s.AtRisk {
			expires += ", AT RISK"
		}
		rows = append(rows, append([]string{cli.StreamName(s.Stream), cli.Count(int64(s.From)), cli.Count(int64(s.To))}, append(s.cells(), expires)...))
	}
	rows = append(rows, append([]string{"all", "", ""}, append(r.Total.cells(), "")...))
	var b cli.Lines
	b.Table(rows, 0, -1)
	for i := range r.Streams {
		if s := &r.Streams[i]; s.Error != "" {
			b.Line("%s: %s", cli.StreamName(s.Stream), s.Error)
		}
	}
	if r.Total.Links > 0 {
		b.Line("%s", r.Total.filesText())
	}
	if n := r.Total.LookCalls; n > 0 {
		seconds := float64(n) / float64(r.QPS)
		b.Line("looks, before messages expire: about %s more, %.1f minutes, %.1f GB-seconds (EXPORT_LOOK=off leaves them out); what a message was between two edits, and what changes after its look, they cannot see",
			cli.Plural(n, "call"), seconds/60, seconds*float64(r.MemoryMB)/1024)
	}
	b.Line("at %d calls a second, with %d MB; %s, %s", r.QPS, r.MemoryMB, cli.Plural(r.Total.Chunks, "chunk"), cli.Plural(r.Total.Batches, "batch"))
	return b.String()
}

func (f *figures) cells() []string {
	return []string{
		cli.Count(f.Messages), cli.Count(f.Calls), fmt.Sprintf("%.1f", f.Minutes), fmt.Sprintf("%.1f", f.GBSeconds), cli.Count(f.COSRequests), cli.Bytes(f.Bytes),
	}
}
