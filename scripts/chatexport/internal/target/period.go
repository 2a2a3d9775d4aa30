package target

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
)

// PeriodHelp is the part of help texts that says how a period is named.
const PeriodHelp = `--since and --until take a date (2026-11-22), a time (2026-11-22T08:30:00Z, or 2026-11-22 08:30 in UTC), seconds since
1970, or a duration before now (36h). Only chunks that overlap what is asked are read; the manifests say which.`

// Period is the part of a stream that a command reads: the flags that name it.
type Period struct {
	fromSeq, toSeq int64
	since, until   string
}

// Register adds the flags.
func (p *Period) Register(flags *pflag.FlagSet) {
	flags.Int64Var(&p.fromSeq, "from-seq", 0, "first `seq`")
	flags.Int64Var(&p.toSeq, "to-seq", 0, "last `seq`")
	flags.StringVar(&p.since, "since", "", "`time` of the first message")
	flags.StringVar(&p.until, "until", "", "`time` before which the last message was sent")
}

// String is the period as it was asked for, empty for none.
func (p *Period) String() string {
	var all []string
	add := func(is bool, name string, value any) {
		if is {
			all = append(all, fmt.Sprint(name, " ", value))
		}
	}
	add(p.fromSeq != 0, "from seq", p.fromSeq)
	add(p.toSeq != 0, "to seq", p.toSeq)
	add(p.since != "", "since", p.since)
	add(p.until != "", "until", p.until)
	return strings.Join(all, ", ")
}

// Range reads the flags.
func (p *Period) Range(now time.Time) (catalog.Range, error) {
	var problems []error
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if p.fromSeq < 0 || p.toSeq < 0 || p.toSeq != 0 && p.toSeq < p.fromSeq {
		fail("--from-seq %d and --to-seq %d are no range", p.fromSeq, p.toSeq)
	}
	r := catalog.Range{FromSeq: chat.Seq(p.fromSeq), ToSeq: chat.Seq(p.toSeq)}
	var err error
	if r.Since, err = Time(p.since, now); err != nil {
		fail("--since: %w", err)
	}
	if r.Until, err = Time(p.until, now); err != nil {
		fail("--until: %w", err)
	}
	if r.Until != 0 && r.Until <= r.Since {
		fail("--until is not after --since")
	}
	return r, errors.Join(problems...)
}

var errTime = errors.New("not a time: give a date (2026-11-22), a time (2026-11-22T08:30:00Z), seconds since 1970, or a duration before now (36h)")

// Time reads a time from the command line, as PeriodHelp has it, in seconds since 1970; 0 for none.
func Time(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(form, text); err == nil {
			return positive(t.Unix())
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return positive(now.Add(-d).Unix())
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return positive(n)
	}
	return 0, errTime
}

func positive(n int64) (int64, error) {
	if n <= 0 {
		return 0, errTime
	}
	return n, nil
}
