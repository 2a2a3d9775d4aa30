package demo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
)

// logLine is what the demo reads of the function's log: the summary line of a batch, and warnings.
type logLine struct {
	Level     string   `json:"level"`
	Message   string   `json:"message"`
	Error     string   `json:"error"`
	GroupID   string   `json:"group_id"`
	TopicID   string   `json:"topic_id"`
	Run       string   `json:"run"`
	Hop       int      `json:"hop"`
	Lo        chat.Seq `json:"lo"`
	Hi        chat.Seq `json:"hi"`
	Head      chat.Seq `json:"head"`
	Messages  int64    `json:"messages"`
	Chunks    int      `json:"chunks"`
	Bytes     int64    `json:"bytes"`
	Files     int64    `json:"files"`
	FileBytes int64    `json:"file_bytes"`
	Looked    int64    `json:"looked"`
	Changed   int64    `json:"changed"`
	FilesGone int64    `json:"files_gone"` // of the warning that files could not be had
	Retries   int64    `json:"retries"`
	ElapsedMS int64    `json:"elapsed_ms"`
	Outcome   string   `json:"outcome"`

	Sweep string `json:"sweep"`
	Batch int    `json:"batch"`
	Due   int    `json:"due"`
	Idle  int    `json:"idle"`
	Empty int    `json:"empty"`
}

func (l logLine) stream() chat.Stream { return chat.Stream{GroupID: l.GroupID, TopicID: l.TopicID} }

// isBatch tells the one summary line of a stream and batch.
func (l logLine) isBatch() bool { return l.Outcome != "" && l.GroupID != "" && l.Run != "" }

// logs is where the function logs to. It shows each batch as it ends, and what went wrong; all lines if asked to.
type logs struct {
	console *cli.Console
	all     bool
	many    bool // a line for each lane's batch will do
	tracker *tracker
	width   int         // of the longest name
	stopped func() bool // the command was interrupted: what fails now fails for that reason

	mu       sync.Mutex
	batches  int
	messages int64 // archived by the batches
	retries  int64
}

// Write takes one line.
func (l *logs) Write(p []byte) (int, error) {
	if l.all {
		if n, err := l.console.Write(p); err != nil {
			return n, err
		}
	}
	var line logLine
	if err := json.Unmarshal(bytes.TrimSpace(p), &line); err != nil {
		return len(p), nil //nolint:nilerr // a line that is not the function's form is nothing to count
	}
	switch {
	case l.stopped() && line.Level != "info":
	case line.FilesGone > 0: // as some are: the end tells of them
	case line.isBatch():
		l.batch(line)
	case line.Sweep != "" && line.Message == "sweep":
		l.console.Line("sweep: %s due, %s idle, %s empty, %s", cli.Count(line.Due), cli.Count(line.Idle), cli.Count(line.Empty), line.Outcome)
	case line.Sweep != "" && line.Message == "lane":
		l.console.Line("lane batch %d: %s in %s, %s", line.Batch, cli.Plural(line.Messages, "message"),
			cli.Seconds(time.Duration(line.ElapsedMS)*time.Millisecond), line.Outcome)
	case !l.all && (line.Level == "warn" || line.Level == "error"):
		l.console.Line("%s: %s", line.Level, said(line))
	}
	return len(p), nil
}

func said(line logLine) string {
	if line.Error == "" {
		return line.Message
	}
	return line.Message + ": " + line.Error
}

func (l *logs) batch(line logLine) {
	l.mu.Lock()
	l.batches++
	n := l.batches
	l.messages += line.Messages
	l.retries += line.Retries
	l.mu.Unlock()
	l.tracker.add(line.stream(), 1, line.Hi)
	if !l.many || line.Level == "error" {
		l.console.Line("batch %-3d %-*s  %s", n, l.width, cli.StreamName(line.stream()), result(line))
	}
	if line.Level == "error" && !l.all {
		l.console.Line("error: %s", said(line))
	}
}

// result says on one line what a batch did.
func result(line logLine) string {
	var parts []string
	if line.Hi >= line.Lo && line.Chunks > 0 {
		parts = append(parts, fmt.Sprintf("%s..%s of %s in %s, %s", cli.Count(line.Lo), cli.Count(line.Hi), cli.Count(line.Head),
			cli.Plural(line.Chunks, "chunk"), cli.Bytes(line.Bytes)))
	}
	if line.Files > 0 {
		parts = append(parts, fmt.Sprintf("%s, %s", cli.Plural(line.Files, "file"), cli.Bytes(line.FileBytes)))
	}
	if line.Looked > 0 {
		parts = append(parts, fmt.Sprintf("%s looked at again, %s changed", cli.Count(line.Looked), cli.Count(line.Changed)))
	}
	what := cmp.Or(strings.Join(parts, ", "), "nothing new")
	if len(parts) == 0 && (line.Level == "error" || line.Outcome != "complete") {
		what = "nothing archived"
	}
	elapsed := cli.Seconds(time.Duration(line.ElapsedMS) * time.Millisecond)
	return fmt.Sprintf("%s, %s, %s", what, elapsed, line.Outcome)
}
