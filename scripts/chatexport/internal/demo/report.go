package demo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"chatexport/internal/archive"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/cli"
)

// outcome is the result as --json prints it. Members are only ever added.
type outcome struct {
	Sound       bool             `json:"sound"`
	Messages    int64            `json:"messages"` // in the archive
	Exported    int64            `json:"exported"` // of them by this run
	Resumed     bool             `json:"resumed"`  // an earlier run had not come to its end
	Archive     string           `json:"archive"`  // folder
	Files       fileTally        `json:"files"`
	Looks       lookTally        `json:"looks"`
	Groups      []groupOutcome   `json:"groups"`
	Findings    []verify.Finding `json:"findings,omitempty"` // that belong to no group
	Error       string           `json:"error,omitempty"`
	ElapsedMS   int64            `json:"elapsed_ms"` // from the timer to the last invocation's end
	PerSecond   float64          `json:"messages_per_second"`
	Invocations int              `json:"invocations"`
	Batches     int              `json:"batches"`
	Redelivered int              `json:"redelivered"`
	ChatCalls   int              `json:"chat_calls"`
	Throttled   int              `json:"throttled"`
	COSRequests int              `json:"cos_requests"`
}

type groupOutcome struct {
	GroupID   string           `json:"group_id"`
	TopicID   string           `json:"topic_id,omitempty"`
	Expected  int              `json:"expected"` // messages that the emulated service holds
	Messages  int64            `json:"messages"` // lines in the archive
	Chunks    int              `json:"chunks"`
	Bytes     int64            `json:"bytes"`
	Batches   int64            `json:"batches"` // of all runs, as far as the stream's state knows
	Manifests int              `json:"manifests"`
	Files     fileTally        `json:"files"`
	Sound     bool             `json:"sound"`
	Verdict   string           `json:"verdict"`
	Compared  verify.Diff      `json:"compared"`
	Findings  []verify.Finding `json:"findings,omitempty"`
}

func (d *demo) outcome() outcome {
	o := outcome{
		Sound: d.sound() && d.failure == nil, Exported: d.logs.messages, Resumed: d.resumed, Archive: d.options.archive(),
		Files: fileTally{States: map[string]int{}}, Looks: lookTally{Counts: map[string]int64{}}, Findings: d.summary.Findings, ElapsedMS: d.exported.Milliseconds(),
		Invocations: d.took.invocations, Batches: d.took.batches, Redelivered: d.took.redelivered,
		ChatCalls: d.took.calls, Throttled: d.took.throttled, COSRequests: d.took.requests,
	}
	if seconds := d.exported.Seconds(); seconds > 0 {
		o.PerSecond = float64(int64(10*float64(o.Exported)/seconds)) / 10
	}
	if d.failure != nil {
		o.Error = d.failure.Error()
	}
	for i := range d.results {
		r := &d.results[i]
		g := groupOutcome{
			GroupID: r.stream.GroupID, TopicID: r.stream.TopicID, Expected: r.expected,
			Messages: r.report.Totals.Lines(), Chunks: r.report.Totals.Chunks, Bytes: r.report.Totals.Bytes,
			Batches: r.state.Counters.Batches, Manifests: r.report.Manifests, Files: r.files.fileTally,
			Sound: r.sound(), Verdict: r.verdict(), Compared: r.diff, Findings: r.report.Findings,
		}
		o.Messages += g.Messages
		o.Files.add(g.Files)
		o.Looks.add(r.looks.lookTally)
		o.Groups = append(o.Groups, g)
	}
	return o
}

// use is what exporting took.
type use struct{ invocations, batches, redelivered, calls, throttled, requests int }

func (d *demo) use() use {
	chat := d.world.Chat.Counters()
	return use{
		invocations: d.drain.invocations, batches: d.logs.batches, redelivered: d.drain.retries,
		calls: chat.Calls, throttled: chat.Throttled, requests: requests(d.world.COS.Counts()),
	}
}

func requests(counts map[cosemu.Op]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// report prints the result.
func (d *demo) report(out io.Writer) error {
	o := d.outcome()
	if d.options.json {
		return cli.JSON(out, o)
	}
	return cli.Print(out, d.text(o))
}

func (d *demo) text(o outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", table(o))
	elapsed := cli.Seconds(time.Duration(o.ElapsedMS) * time.Millisecond)
	if o.Exported > 0 {
		fmt.Fprintf(&b, "%s in %s (%s/s)", cli.Plural(o.Exported, "message"), elapsed, cli.Count(int64(o.PerSecond)))
	} else {
		fmt.Fprintf(&b, "nothing new in %s", elapsed)
	}
	fmt.Fprintf(&b, " by %s: %s, %s throttled, %s, %s\n", cli.Plural(o.Invocations, "invocation"), cli.Plural(o.ChatCalls, "Chat call"),
		cli.Count(o.Throttled), cli.Plural(o.COSRequests, "COS request"), redelivered(o.Redelivered))
	for _, f := range o.Findings {
		fmt.Fprintf(&b, "%s\n", cli.OneLine(f.String()))
	}
	for _, g := range o.Groups {
		for _, f := range g.Findings {
			fmt.Fprintf(&b, "%s\n", cli.OneLine(f.String()))
		}
	}
	if !o.Sound {
		fmt.Fprintf(&b, "NOT SOUND, see above. The archive is in %s\n", o.Archive)
		return b.String()
	}
	fmt.Fprintf(&b, "sound: %s, compared with the source one by one\n%s%s\n%s", cli.Plural(o.Messages, "message"), o.Files.text(), o.Looks.text(), d.howToLook(o))
	return b.String()
}

// text says on one line what became of the files; nothing where there are none.
func (f fileTally) text() string {
	if f.Links == 0 {
		return ""
	}
	parts := []string{
		"files: " + cli.Plural(f.Links, "link"), fmt.Sprintf("%s stored with %s", cli.Count(f.States[archive.MediaStored]), cli.Bytes(f.Bytes)),
	}
	for _, state := range slices.Sorted(maps.Keys(f.States)) {
		if state != archive.MediaStored {
			parts = append(parts, cli.Count(f.States[state])+" "+state)
		}
	}
	if f.Waiting > 0 {
		parts = append(parts, cli.Count(f.Waiting)+" for a later tick")
	}
	return strings.Join(parts, ", ") + ", compared with what their host serves\n"
}

func redelivered(n int) string {
	if n == 0 {
		return "no event delivered twice"
	}
	return cli.Plural(n, "event") + " delivered again after an error"
}

// maxRows is how many groups the table shows.
const maxRows = 20

func table(o outcome) string {
	rows := [][]string{{"group", "messages", "chunks", "bytes", "batches", "verdict"}}
	var chunks int
	var bytes, batches int64
	row := func(name string, messages int64, chunks int, bytes, batches int64, verdict string) {
		rows = append(rows, []string{name, cli.Count(messages), cli.Count(chunks), cli.Bytes(bytes), cli.Count(batches), verdict})
	}
	for n, g := range o.Groups {
		chunks, bytes, batches = chunks+g.Chunks, bytes+g.Bytes, batches+g.Batches
		if n >= maxRows && g.Sound {
			continue
		}
		row(cmp.Or(g.TopicID, g.GroupID), g.Messages, g.Chunks, g.Bytes, g.Batches, g.Verdict)
	}
	if n := len(o.Groups) - (len(rows) - 1); n > 0 {
		rows = append(rows, []string{fmt.Sprintf("and %s, all sound", cli.Plural(n, "group")), "", "", "", "", ""})
	}
	row("all", o.Messages, chunks, bytes, batches, "")
	var b cli.Lines
	b.Table(rows, 0, -1)
	return b.String()
}

// howToLook says where the files lie and what to try with them.
func (d *demo) howToLook(o outcome) string {
	first := d.results[0]
	chunk := filepath.Join(o.Archive, filepath.FromSlash(layout.Chunk(first.stream, first.report.Lo)))
	manifest := filepath.Join(o.Archive, filepath.FromSlash(layout.Manifest(first.stream, first.report.Lo)))
	glob := path.Join(filepath.ToSlash(o.Archive), "data/*/*/*.ndjson.gz")
	// Named columns, since messages differ in form; ignore_errors, since some have half of an emoji. internal/archive/README.md says more.
	query := "SELECT From_Account, count(*) AS messages FROM read_json('" + strings.ReplaceAll(glob, "'", "''") +
		"', format='newline_delimited', ignore_errors=true, columns={From_Account: 'VARCHAR', IsPlaceMsg: 'INTEGER', IsSystemMsg: 'INTEGER'})" +
		" WHERE IsPlaceMsg = 0 AND coalesce(IsSystemMsg, 0) = 0 GROUP BY ALL ORDER BY messages DESC LIMIT 5"
	var b strings.Builder
	fmt.Fprintf(&b, "The archive is in %s, as it would be in a bucket:\n", o.Archive)
	fmt.Fprintf(&b, "  data/      chunks: every message as the service sent it, gzipped NDJSON, never changed once written\n")
	fmt.Fprintf(&b, "  manifest/  per group the genesis, and the lists that say what is complete\n")
	if o.Files.Links > 0 {
		fmt.Fprintf(&b, "  media/     what became of each link to a file, in order, gzipped NDJSON, never changed once written\n")
		fmt.Fprintf(&b, "  blob/      the files, each named by its SHA-256\n")
	}
	if o.Looks.Looked > 0 {
		fmt.Fprintf(&b, "  change/    what was edited, recalled, deleted or found after it was archived, gzipped NDJSON, never changed once written\n")
	}
	fmt.Fprintf(&b, "  state/     hints for the next run\n")
	fmt.Fprintf(&b, "Look at it:\n")
	fmt.Fprintf(&b, "  zcat %s | head -n 3\n", cli.ShellQuote(chunk))
	fmt.Fprintf(&b, "  cat %s\n", cli.ShellQuote(manifest))
	if shown := first.files.shown; shown.SHA256 != "" {
		receipt, blob := layout.MediaPrefix(first.stream), layout.Blob(shown.SHA256)
		fmt.Fprintf(&b, "  zcat %s*.gz | head -n 3\n", cli.ShellQuote(filepath.Join(o.Archive, filepath.FromSlash(receipt))+string(filepath.Separator)))
		fmt.Fprintf(&b, "  file %s\n", cli.ShellQuote(filepath.Join(o.Archive, filepath.FromSlash(blob))))
	}
	if o.Looks.Looked > 0 {
		changed := d.content.groups[0].changes
		fmt.Fprintf(&b, "  %s cat %s --dir %s --text --history --from-seq %d --to-seq %d\n", program(), cli.ShellQuote(first.stream.GroupID),
			cli.ShellQuote(o.Archive), changed[0].seq, changed[0].seq)
	}
	fmt.Fprintf(&b, "  duckdb -c %s\n", doubleQuote(query))
	for _, words := range []string{"view", "verify --read", "report --out " + cli.ShellQuote(d.options.out+".html")} {
		fmt.Fprintf(&b, "  %s %s --dir %s\n", program(), words, cli.ShellQuote(o.Archive))
	}
	fmt.Fprintf(&b, "Run the same command again for a second tick, which finds nothing new; remove %s to begin afresh.\n", d.options.out)
	return b.String()
}

// doubleQuote quotes a query for a shell in the readable way where that is enough.
func doubleQuote(query string) string {
	if strings.ContainsAny(query, "\"$`\\!") {
		return cli.ShellQuote(query)
	}
	return `"` + query + `"`
}
