package pagecmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"sync/atomic"
	"time"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/internal/sweep"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pages"
	"chatexport/scripts/chatexport/internal/target"
	"chatexport/scripts/chatexport/internal/verifycmd"
)

const (
	styleName       = "style.css"
	proofName       = "verification.txt"
	certificateName = "certificate.json"

	// rowsOfPage bounds a page: some hundred kilobytes, as messages are.
	rowsOfPage = 1000
	// policy allows what lies beside the pages, wherever they are opened: a file has no origin that 'self' would be.
	policy = "default-src 'none'; style-src 'self' file:; img-src 'self' file:; media-src 'self' file:; form-action 'none'; base-uri 'none'"
)

// writer writes the pages of some streams.
type writer struct {
	options

	target *target.Target
	book   *book
	pages  *pages.Pages
	reader *conversation.Reader
	facts  map[chat.Stream]chat.Facts
	files  *files

	streams []chat.Stream
	where   string // the archive, for people who do not have this machine
	done    atomic.Int64
	summary summary
}

func newWriter(ctx context.Context, t *target.Target, o *options, ids []string, b *book) (*writer, error) {
	known, err := catalog.Streams(ctx, t.Store)
	if err != nil {
		return nil, err
	}
	if len(known) == 0 {
		return nil, cli.Usage(fmt.Errorf("there is no archive in %s", t.Where))
	}
	w := &writer{
		options: *o, target: t, book: b, reader: conversation.NewReader(t.Store, conversation.Options{Names: o.people}),
		facts: map[chat.Stream]chat.Facts{}, files: &files{ctx: ctx, store: t.Store, book: b, names: map[string]string{}}, where: t.Where,
	}
	if w.streams, err = target.Match(known, ids); err != nil {
		return nil, err
	}
	if t.COS == nil {
		w.where = filepath.Base(t.Where)
	}
	_ = sweep.Seen(ctx, t.Store, func(f chat.Facts) { w.facts[f.Stream] = f }) // hints for people: what is not there is not shown
	w.pages, err = pages.New()
	return w, err
}

// write writes everything. The streams come one after the other, and the sums last.
func (w *writer) write(ctx context.Context, ids []string, console *cli.Console) (summary, error) {
	if err := w.book.put(styleName, pages.Style()); err != nil {
		return w.summary, err
	}
	beside, err := w.prove(ctx, ids, console)
	if err != nil {
		return w.summary, err
	}
	stop := console.Follow("writing", "pages", -1, w.done.Load)
	defer stop()
	var listed []pages.Listed
	for _, s := range w.streams {
		row, err := w.stream(ctx, s, beside)
		if err != nil {
			return w.summary, fmt.Errorf("%s: %w", s, err)
		}
		listed = append(listed, row)
	}
	list := pages.List{Frame: w.frame("", "Conversations"), Links: &links{}, Rows: listed, Total: len(listed), Notes: w.notes(), Beside: beside}
	if err := w.draw(indexName, func(page *bytes.Buffer) error { return w.pages.List(page, list) }); err != nil {
		return w.summary, err
	}
	s := &w.summary
	s.Streams, s.Files, s.Missing = len(listed), len(w.files.names)-w.files.missing, w.files.missing
	err = w.book.finish(func(name string) {
		console.Line("warning: %s is not of these pages, and is not in %s", name, sumsName)
	})
	s.Bytes, s.Written, s.Kept = w.book.bytes, w.book.written, w.book.kept
	return *s, err
}

// prove writes what verify says, and returns links to it.
func (w *writer) prove(ctx context.Context, ids []string, console *cli.Console) ([]pages.Choice, error) {
	proof, err := verifycmd.Prove(ctx, w.target, ids, console)
	if err != nil {
		return nil, err
	}
	w.summary.Sound = proof.Sound
	beside := []pages.Choice{{Value: proofName, Text: "what verify says"}}
	err = w.book.put(proofName, []byte(proof.Text))
	if err == nil && proof.Certificate != nil {
		beside = append(beside, pages.Choice{Value: certificateName, Text: "certificate"})
		err = w.book.put(certificateName, proof.Certificate)
	}
	return append(beside, pages.Choice{Value: sumsName, Text: "sums of all files"}), err
}

// notes say of all pages what a reader should know first.
func (w *writer) notes() []string {
	verdict := "The archive is sound: every chunk was read, and fits its chain. The certificate lists what was proved."
	if !w.summary.Sound {
		verdict = "The archive is NOT SOUND: see what verify says."
	}
	return []string{verdict, "The names and hashes of all files are in " + sumsName + ": sha256sum -c " + sumsName + " checks them."}
}

func (w *writer) frame(up, title string) pages.Frame {
	return pages.Frame{Title: title, Style: up + styleName, Home: up + indexName, Where: w.where, Zone: w.loc, Policy: policy}
}

// draw writes a page.
func (w *writer) draw(name string, draw func(*bytes.Buffer) error) error {
	var page bytes.Buffer
	if err := draw(&page); err != nil {
		return err
	}
	if w.files.err != nil {
		return w.files.err
	}
	w.done.Add(1)
	return w.book.put(name, page.Bytes())
}

// stream writes the pages of a stream.
func (w *writer) stream(ctx context.Context, s chat.Stream, beside []pages.Choice) (pages.Listed, error) {
	facts := w.facts[s]
	row := pages.Listed{Stream: s, Name: facts.Name, Kind: facts.Type}
	talk, err := w.reader.Open(ctx, s, time.Duration(math.MaxInt64))
	if errors.Is(err, catalog.ErrNoArchive) {
		row.Why = "nothing is archived of it"
		return row, nil
	}
	if err != nil {
		return row, err
	}
	row.Talk = talk
	days, err := talk.Days(ctx, w.rng, w.loc)
	if err != nil {
		return row, err
	}
	l := &links{up: "../", days: map[conversation.Date]bool{}, files: w.files}
	for _, mark := range days {
		l.days[mark.Date] = true
	}
	for i := range days {
		if err := w.day(ctx, talk, l, days, i); err != nil {
			return row, err
		}
	}
	w.summary.Days += len(days)
	l.parts = nil
	index := pages.Index{
		Frame: w.frame("../", pages.Plain(title(row))), Links: l, Name: row.Name, Kind: row.Kind, Talk: talk, Days: days, Period: w.period.String(),
		Notes: w.notes(),
	}
	for _, c := range beside {
		index.Beside = append(index.Beside, pages.Choice{Value: "../" + c.Value, Text: c.Text})
	}
	return row, w.draw(path.Join(pages.FolderName(s), indexName), func(page *bytes.Buffer) error { return w.pages.Index(page, index) })
}

func title(r pages.Listed) string {
	if r.Name != "" {
		return r.Name
	}
	return cli.StreamName(r.Stream)
}

// day writes the pages of a day.
func (w *writer) day(ctx context.Context, talk *conversation.Conversation, l *links, days []conversation.Mark, i int) error {
	facts := w.facts[talk.Stream]
	date := days[i].Date
	d := pages.Day{
		Frame: w.frame("../", pages.Plain(title(pages.Listed{Stream: talk.Stream, Name: facts.Name}))+", "+date.String()),
		Links: l, Name: facts.Name, Kind: facts.Type, Talk: talk, Calendar: calendar(days, i), Index: indexName,
		First: days[0].Date, Last: days[len(days)-1].Date,
	}
	for page, err := range talk.Parts(ctx, conversation.Query{Date: date, Zone: w.loc, Most: rowsOfPage, Within: w.rng}) {
		if err != nil {
			return err
		}
		page.Older, page.Newer = around(days, i)
		l.parts, d.Page = page.Parts, page
		name := path.Join(pages.FolderName(talk.Stream), dayName(date, page.Part))
		if err := w.draw(name, func(b *bytes.Buffer) error { return w.pages.Day(b, d) }); err != nil {
			return err
		}
		w.summary.Pages++
	}
	return nil
}

// around returns the days before and after one, zero where there is none.
func around(days []conversation.Mark, i int) (older, newer conversation.Date) {
	if i > 0 {
		older = days[i-1].Date
	}
	if i+1 < len(days) {
		newer = days[i+1].Date
	}
	return older, newer
}

// calendar is the month of a day, with the nearest months that have days.
func calendar(days []conversation.Mark, i int) *pages.Calendar {
	same := func(j int) bool {
		return days[j].Date.Year == days[i].Date.Year && days[j].Date.Month == days[i].Date.Month
	}
	from, to := i, i
	for from > 0 && same(from-1) {
		from--
	}
	for to+1 < len(days) && same(to+1) {
		to++
	}
	c := &pages.Calendar{Year: days[i].Date.Year, Month: days[i].Date.Month, Marks: days[from : to+1]}
	c.Older, _ = around(days, from)
	_, c.Newer = around(days, to)
	return c
}
