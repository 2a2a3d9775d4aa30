package world

import (
	"bytes"
	"encoding/json"
	"sync"
)

// Log collects what the function logs.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns all lines so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Batches returns the summary lines of all batches so far.
func (l *Log) Batches() []map[string]any {
	var lines []map[string]any
	for line := range bytes.Lines([]byte(l.String())) {
		var fields map[string]any
		if json.Unmarshal(line, &fields) == nil && fields["message"] == "batch" {
			lines = append(lines, fields)
		}
	}
	return lines
}
