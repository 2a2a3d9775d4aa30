package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// Outcome is what became of several streams; it is what --json prints.
type Outcome struct {
	Where    string   `json:"where"`
	Complete bool     `json:"complete"` // all of them
	Streams  []Result `json:"streams"`
}

// All exports the streams one after the other, and shows how it goes.
func (r *Runner) All(ctx context.Context, t *target.Target, infos []chat.Facts, console *cli.Console) (Outcome, error) {
	out := Outcome{Where: t.Where, Complete: true, Streams: []Result{}}
	if t.COS != nil {
		if err := t.COS.Preflight(ctx); err != nil {
			return out, cli.Failed(ctx, err)
		}
	}
	for _, info := range infos {
		if ctx.Err() != nil {
			break
		}
		state, err := catalog.State(ctx, t.Store, info.Stream)
		if err != nil && !errors.Is(err, archive.ErrInvalid) {
			return out, cli.Failed(ctx, err)
		}
		before := r.Pulled()
		stop := console.Follow(cli.StreamName(info.Stream), "messages", Missing(state, info.NextSeq), func() int64 { return r.Pulled() - before })
		result := r.Run(ctx, info.Stream)
		stop()
		console.Line("%s", result.line())
		out.Streams = append(out.Streams, result)
	}
	return out, out.end(ctx, len(infos))
}

// end decides the exit code.
func (o *Outcome) end(ctx context.Context, wanted int) error {
	var failed, wrong []string
	for i := range o.Streams {
		r := &o.Streams[i]
		switch {
		case r.Err != nil:
			failed = append(failed, cli.StreamName(r.Stream))
		case !r.Complete():
			wrong = append(wrong, cli.StreamName(r.Stream))
		}
	}
	o.Complete = len(failed)+len(wrong) == 0 && len(o.Streams) == wanted
	switch {
	case ctx.Err() != nil:
		return cli.Interrupted(errInterrupted)
	case len(failed) > 0:
		return cli.Service(fmt.Errorf("not exported, start the command again: %s", strings.Join(failed, ", ")))
	case len(wrong) > 0:
		return cli.Wrong(fmt.Errorf("not complete: %s", strings.Join(wrong, ", ")))
	default:
		return nil
	}
}

// Files says what became of files, nothing where there are none.
func (o *Outcome) Files() string {
	var sum Result
	for i := range o.Streams {
		r := &o.Streams[i]
		sum.Files, sum.FileBytes, sum.Waiting = sum.Files+r.Files, sum.FileBytes+r.FileBytes, sum.Waiting+r.Waiting
	}
	return sum.filesText()
}

// Looks says what looks found, and from when on they are due, nothing where neither is known.
func (o *Outcome) Looks() string {
	var sum Result
	for i := range o.Streams {
		r := &o.Streams[i]
		sum.Looked, sum.Changed = sum.Looked+r.Looked, sum.Changed+r.Changed
		if sum.LookDue.IsZero() || !r.LookDue.IsZero() && r.LookDue.Before(sum.LookDue) {
			sum.LookDue = r.LookDue
		}
	}
	var parts []string
	if text := sum.looksText(); text != "" {
		parts = append(parts, text)
	}
	if !sum.LookDue.IsZero() {
		parts = append(parts, "what is edited, recalled or deleted later is found by ticks from "+sum.LookDue.UTC().Format("2006-01-02 15:04Z")+" on")
	}
	return strings.Join(parts, "; ")
}

func (r *Result) looksText() string {
	if r.Looked == 0 {
		return ""
	}
	return cli.Count(r.Looked) + " looked at again, " + cli.Count(r.Changed) + " changed"
}

func (r *Result) filesText() string {
	var parts []string
	if r.Files > 0 {
		parts = append(parts, cli.Plural(r.Files, "file")+" stored, "+cli.Bytes(r.FileBytes))
	}
	switch {
	case r.Waiting == 1:
		parts = append(parts, "1 link waits for its file; it needs later ticks")
	case r.Waiting > 1:
		parts = append(parts, cli.Count(r.Waiting)+" links wait for their files; they need later ticks")
	}
	return strings.Join(parts, "; ")
}

// line says what became of a stream.
func (r *Result) line() string {
	name := cli.StreamName(r.Stream)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", name, strings.ReplaceAll(r.Outcome, "_", " "))
	if r.Hi >= r.Lo && r.Lo > 0 {
		fmt.Fprintf(&b, ", %s to %s of %s: %s in %s, %s, %s", cli.Count(int64(r.Lo)), cli.Count(int64(r.Hi)), cli.Count(int64(r.Head)),
			cli.Plural(r.Messages, "message"), cli.Plural(r.Chunks, "chunk"), cli.Bytes(r.Bytes), cli.Plural(r.Batches, "batch"))
	} else if r.Outcome == string(export.Complete) {
		b.WriteString(", nothing new")
	}
	if files := r.filesText(); files != "" {
		b.WriteString("; " + files)
	}
	if looks := r.looksText(); looks != "" {
		b.WriteString("; " + looks)
	}
	if r.Text != "" {
		b.WriteString(": " + r.Text)
	}
	return b.String()
}
