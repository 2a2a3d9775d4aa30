package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/status"
)

//go:embed page.html
var pageText string

// page is what the template draws.
type page struct {
	status.Result

	Where   string
	Streams []drawn

	Messages, Expired, Absent, Malformed, Pending, Bytes int64
	Chunks                                               int
	Links, Files, FileBytes, WithoutFile, Waiting        int64
	Looked, Changed                                      int64 // seqs that were looked at again; and of these, those that differ

	from, to int64 // of all messages, in seconds since 1970
	growth   []listed
}

func (p *page) total(d *drawn) {
	p.Messages += d.Messages
	p.Expired += d.Expired
	p.Absent += d.Absent
	p.Malformed += d.Malformed
	p.Pending += d.Pending
	p.Bytes += d.Bytes
	p.Chunks += len(d.chunks)
	if d.Media != nil {
		p.Links += d.Media.Links
		p.Waiting += d.Media.Waiting
	}
	for state, n := range d.files.States {
		if state == archive.MediaStored {
			p.Files += n
		} else {
			p.WithoutFile += n
		}
	}
	p.FileBytes += d.files.Bytes
	for kind, n := range d.looks.Counts {
		p.Looked += n
		switch kind {
		case archive.ChangeSame, archive.ChangeExpired, archive.ChangeUnread:
		default:
			p.Changed += n
		}
	}
	for _, c := range d.chunks {
		if c.tsMin != 0 && (p.from == 0 || c.tsMin < p.from) {
			p.from = c.tsMin
		}
		p.to = max(p.to, c.tsMax)
	}
}

func (p *page) write(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"count":   cli.Count[int64],
		"bytes":   cli.Bytes,
		"name":    func(d drawn) string { return cli.StreamName(d.Stream.Stream) },
		"seqs":    func(d drawn) template.HTML { return seqStrip(d.bySeq()) },
		"times":   func(d drawn) template.HTML { return timeStrip(d.byTime(p.from, p.to)) },
		"runs":    func(d drawn) template.HTML { return runBars(d.runs) },
		"lastSeq": func(d drawn) string { return cli.Count(int64(d.end())) },
		"age":     func(s int64) string { return status.Age(time.Duration(s) * time.Second) },
		"date":    date,
		"int64":   func(n int) int64 { return int64(n) },
		"note":    func(d drawn) string { return d.note },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("parse the page's template: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("draw the page: %w", err)
	}
	return nil
}

// Hidden is how many streams are not drawn.
func (p *page) Hidden() int { return len(p.Result.Streams) - len(p.Streams) }

// From and To are the dates of the oldest and the newest message.
func (p *page) From() string { return date(time.Unix(p.from, 0)) }

// To is the date of the newest message.
func (p *page) To() string { return date(time.Unix(p.to, 0)) }

func date(t time.Time) string {
	if t.Unix() <= 0 {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// Growth draws how many messages the archive held after each run.
func (p *page) Growth() template.HTML {
	const width, height = 720.0, 140.0
	if len(p.growth) == 0 {
		return `<p class="quiet">No run has finished yet.</p>`
	}
	first, last := p.growth[0].at, p.growth[len(p.growth)-1].at
	total := int64(0)
	for _, r := range p.growth {
		total += r.messages
	}
	if !last.After(first) {
		return template.HTML(fmt.Sprintf(`<p class="quiet">%s, all since %s.</p>`, cli.Plural(total, "message"), date(first))) //nolint:gosec // numbers and dates only
	}
	x := func(t time.Time) float64 {
		return width * float64(t.Sub(first)) / float64(last.Sub(first))
	}
	var line strings.Builder
	line.WriteString("M0 140")
	sum := int64(0)
	for _, r := range p.growth {
		sum += r.messages
		fmt.Fprintf(&line, "H%.1fV%.1f", x(r.at), height-height*float64(sum)/float64(max(total, 1)))
	}
	fmt.Fprintf(&line, "H%.0f", width)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 -4 720 168" role="img" aria-label="messages in the archive over time"><path class="area" d="%sV140H0Z"/><path class="line" d="%s"/>`,
		line.String(), line.String())
	fmt.Fprintf(&b, `<text x="0" y="160">%s</text><text x="720" y="160" text-anchor="end">%s</text><text x="4" y="10">%s messages</text></svg>`,
		date(first), date(last), cli.Count(total))
	return template.HTML(b.String()) //nolint:gosec // numbers and dates only
}
