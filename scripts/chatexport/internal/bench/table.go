package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"chatexport/internal/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/scripts/chatexport/internal/cli"
)

// million is what costs are given for.
const million = 1_000_000

// row is one line of a table, for people and for --json.
type row struct {
	Name             string    `json:"name"`
	Messages         int64     `json:"messages"`
	Seconds          float64   `json:"seconds"`
	Rate             float64   `json:"messages_per_second"`
	SteadyRate       float64   `json:"steady_messages_per_second,omitempty"` // calls served in full seconds, times 20
	QuotaShare       float64   `json:"quota_share,omitempty"`                // of steady calls; 0 without a quota
	CallsRatio       float64   `json:"calls_against_least"`
	Throttled        float64   `json:"throttled_share"`
	CPUMicros        float64   `json:"cpu_microseconds_per_message"`
	PeakMiB          float64   `json:"peak_resident_mib"`
	BytesPerMessage  float64   `json:"bytes_per_message"`
	Batches          int       `json:"batches,omitempty"`
	COSWrites        float64   `json:"cos_writes_per_million,omitempty"`
	COSReads         float64   `json:"cos_reads_per_million,omitempty"`
	GBSeconds        float64   `json:"gb_seconds_per_million,omitempty"`
	StartMillis      float64   `json:"start_milliseconds,omitempty"`
	StreamsPerSecond []float64 `json:"messages_per_second_of_each_stream,omitempty"`

	Files        int64          `json:"files,omitempty"`
	FileBytes    int64          `json:"file_bytes,omitempty"`
	FileRequests int            `json:"file_requests,omitempty"`
	TemporaryMiB float64        `json:"peak_temporary_mib,omitempty"`
	LeftBytes    int64          `json:"temporary_bytes_left,omitempty"`
	Calls        int64          `json:"chat_calls"`
	Requests     map[string]int `json:"cos_requests,omitempty"` // by operation
}

func newRow(f figures, quota int) row {
	perMillion := func(n float64) float64 { return n * million / max(1, float64(f.Messages)) }
	r := row{
		Name: f.Name, Messages: f.Messages, Seconds: f.Elapsed.Seconds(), Rate: f.rate(), CallsRatio: f.excess(),
		CPUMicros: f.cpuPerMessage(), PeakMiB: float64(f.PeakMemory) / (1 << 20), Batches: f.Batches,
		BytesPerMessage: float64(f.Bytes) / max(1, float64(f.Messages)), GBSeconds: perMillion(f.GBSeconds),
		StartMillis: float64(f.Start.Microseconds()) / 1000, StreamsPerSecond: f.Shares,
		SteadyRate: f.Steady * chat.PageSize, Throttled: float64(f.Throttled) / max(1, float64(f.Calls)),
		Files: f.Files, FileBytes: f.FileBytes, FileRequests: f.FileRequests, TemporaryMiB: float64(f.Temporary) / (1 << 20), LeftBytes: f.Left,
		Calls: f.Calls, Requests: make(map[string]int),
	}
	if quota > 0 {
		r.QuotaShare = f.Steady / float64(quota)
	}
	for op, n := range f.Requests {
		r.Requests[string(op)] = n
		if op == cosemu.OpPut {
			r.COSWrites += perMillion(float64(n))
		} else {
			r.COSReads += perMillion(float64(n))
		}
	}
	return r
}

// printMessages writes a section as a table, one measurement a column would be too wide: one a row.
func (s *section) printMessages(w io.Writer, quota int) {
	rows := [][]string{{
		"", "messages", "msg/s", "quota", "calls/least", "throttled", "CPU us/msg", "peak MiB", "bytes/msg", "COS writes/M", "COS reads/M", "GB-s/M", "start ms",
	}}
	for _, f := range s.Rows {
		r := newRow(f, quota)
		share := "-"
		if r.QuotaShare > 0 {
			share = percent(r.QuotaShare)
		}
		rows = append(rows, []string{
			r.Name, cli.Count(r.Messages), cli.Count(int64(r.Rate)), share, decimal(r.CallsRatio, 3), percent(r.Throttled),
			decimal(r.CPUMicros, 1), decimal(r.PeakMiB, 1), decimal(r.BytesPerMessage, 1), decimal(r.COSWrites, 0),
			decimal(r.COSReads, 0), decimal(r.GBSeconds, 1), decimal(r.StartMillis, 1),
		})
	}
	_, _ = fmt.Fprintf(w, "\n%s: %s\n%s", s.Name, s.Title, cli.Table(rows, 0))
	s.compare(w)
	for _, f := range s.Rows {
		if len(f.Shares) == 3 {
			_, _ = fmt.Fprintf(w, "%s: the streams got %s messages/s\n", f.Name, join(f.Shares))
		}
	}
}

// compare says how the function does against the reference of the same run.
func (s *section) compare(w io.Writer) {
	if len(s.Rows) != 2 || s.Rows[1].Name != "reference" {
		return
	}
	f, r := &s.Rows[0], &s.Rows[1]
	_, _ = fmt.Fprintf(w, "against the reference: %.1f x messages/s, %.2f x CPU a message, %.2f x bytes a message\n",
		f.rate()/r.rate(), f.cpuPerMessage()/r.cpuPerMessage(),
		(float64(f.Bytes)/float64(f.Messages))/(float64(r.Bytes)/float64(r.Messages)))
}

// project writes what larger groups would take, at the measured pace and cost.
func project(w io.Writer, f figures) {
	r := newRow(f, 0)
	rate := max(r.SteadyRate, r.Rate)
	rows := [][]string{{"messages", "hours", "Chat calls", "GB-s", "COS writes", "GB in COS"}}
	for _, millions := range []float64{1, 10, 100} {
		n := millions * million
		rows = append(rows, []string{
			cli.Count(int64(n)), decimal(n/rate/3600, 2), cli.Count(int64(n / chat.PageSize * r.CallsRatio)),
			decimal(millions*r.GBSeconds, 0), cli.Count(int64(millions * r.COSWrites)), decimal(n*r.BytesPerMessage/1e9, 2),
		})
	}
	_, _ = fmt.Fprintf(w, "\nprojected from the first row; multiply by your region's prices\n%s", cli.Table(rows))
}

func decimal(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }

func percent(v float64) string { return decimal(100*v, 1) + " %" }

func join(values []float64) string {
	var words []string
	for _, v := range values {
		words = append(words, cli.Count(int64(v)))
	}
	return strings.Join(words, ", ")
}
