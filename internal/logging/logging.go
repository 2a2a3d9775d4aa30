// Package logging makes the one logger of a process.
//
// It owns the form of a log line: one JSON object on one line, in UTC, with members of the first level only, because
// the platform's log service parses a line's first level into searchable fields and nothing below it (SCF
// documentation, log structure). So callers add plain fields (Str, Int64, Dur, ...) and never Dict, Object, Interface
// or Array. The logger must never be given message content, a UserSig or a secret: errors that could carry one are
// rebuilt by the adapter that makes them. It keeps no state and changes none of zerolog's global settings.
package logging

import (
	"io"
	"time"

	"github.com/rs/zerolog"
)

// timeFormat is RFC 3339 with milliseconds, always as long, so that lines sort as text.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// New returns a logger that writes to w the events of level (debug, info, warn, error) and above; any other level
// means info. Each event is one call of w.Write.
func New(w io.Writer, level string) zerolog.Logger {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil || parsed < zerolog.DebugLevel || parsed > zerolog.ErrorLevel {
		parsed = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(parsed).Hook(clock{})
}

// clock stamps events itself: the format of zerolog's own time stamp is a global setting.
type clock struct{}

// Run implements zerolog.Hook.
func (clock) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(timeFormat))
}
