package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
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

	Gone int // streams whose group was dissolved

	axis   axis
	dir    string // the archive's folder; empty for a bucket
	growth []listed
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
	if d.gone() {
		p.Gone++
	}
}

func (p *page) write(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"count":   cli.Count[int64],
		"bytes":   cli.Bytes,
		"name":    func(d drawn) string { return cli.StreamName(d.Stream.Stream) },
		"seqs":    func(d drawn) template.HTML { return seqStrip(d.bySeq()) },
		"times":   func(d drawn) template.HTML { return timeStrip(d.byTime(p.axis)) },
		"beside":  func(d drawn) []string { return d.beside.lines(p.axis) },
		"newest":  func(d drawn) string { return date(time.Unix(d.newest(), 0)) },
		"kinds":   func(d drawn) string { return d.kinds() },
		"gone":    func(d drawn) bool { return d.gone() },
		"order":   func(d drawn) order { return d.order },
		"pages":   func(d drawn) string { return d.pages },
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

// From is the date of the oldest message on the axis.
func (p *page) From() string { return date(time.Unix(p.axis.from, 0)) }

// To is the date of the newest message on the axis.
func (p *page) To() string { return date(time.Unix(p.axis.to, 0)) }

func date(t time.Time) string {
	if t.Unix() <= 0 {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04")
}
