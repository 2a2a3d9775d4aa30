package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// benchRow is what the tests read of a measurement.
type benchRow struct {
	Name      string         `json:"name"`
	Messages  int64          `json:"messages"`
	Rate      float64        `json:"messages_per_second"`
	Calls     float64        `json:"calls_against_least"`
	Throttled float64        `json:"throttled_share"`
	Peak      float64        `json:"peak_resident_mib"`
	Bytes     float64        `json:"bytes_per_message"`
	Files     int            `json:"files"`
	Size      int            `json:"file_bytes"`
	Asked     int            `json:"file_requests"`
	Temporary float64        `json:"peak_temporary_mib"`
	Left      int            `json:"temporary_bytes_left"`
	All       int            `json:"chat_calls"`
	Requests  map[string]int `json:"cos_requests"`
}

// TestBench_MeasuresTheFunctionBesideTheReference runs the smallest benchmark in a process of its own, since the
// reference is that same program, started once more.
func TestBench_MeasuresTheFunctionBesideTheReference(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "chatexport")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	var complaint strings.Builder
	command := exec.CommandContext(t.Context(), binary, "bench", "--only", "network,files,ticks", "--files", "40", "--messages", "4000", "--latency", "20ms", "--quota", "1000", "--json")
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		t.Fatalf("bench: %v\n%s", err, complaint.String())
	}
	var result map[string][]benchRow
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	checkFiles(t, result["files"])
	checkTicks(t, result["ticks"])
	rows := result["network"]
	if len(rows) != 2 {
		t.Fatalf("%d rows, want the function and the reference: %s", len(rows), out)
	}
	f, r := rows[0], rows[1]
	if f.Messages != 4000 || r.Messages != 400 {
		t.Errorf("the function pulled %d messages, the reference %d; want 4000 and 400", f.Messages, r.Messages)
	}
	if f.Rate < 2*r.Rate {
		t.Errorf("the function pulled %.0f messages/s, one page after the other %.0f", f.Rate, r.Rate)
	}
	if least := 1.02 + 5.0/200; f.Calls > least {
		t.Errorf("%.3f calls for each that is needed, want at most %.3f", f.Calls, least)
	}
	if f.Throttled > 0 {
		t.Errorf("%.3f of the calls were refused", f.Throttled)
	}
	if f.Peak > 0 && f.Peak > 48 {
		t.Errorf("the function had %.1f MiB resident, want at most 48", f.Peak)
	}
	if f.Bytes > 1.1*r.Bytes {
		t.Errorf("%.1f bytes a message, the standard library at level 6 %.1f", f.Bytes, r.Bytes)
	}
}

func checkFiles(t *testing.T, rows []benchRow) {
	t.Helper()
	if len(rows) != 2 || rows[0].Files != 40 || rows[1].Files != 40 || rows[0].Size != rows[1].Size || rows[0].Asked != 40 {
		t.Fatalf("files: %+v, want 40 by the function and 40 by the reference", rows)
	}
	const most = 4 * 200_000.0 / (1 << 20) // what is side by side
	if f := rows[0]; f.Peak > 100 || f.Temporary > most || f.Left > 0 {
		t.Errorf("the function had %.1f MiB resident, %.2f MiB in its temporary folder and %d bytes at the end", f.Peak, f.Temporary, f.Left)
	}
}

// checkTicks compares the requests of runs and of idle ticks after them, with files and without.
func checkTicks(t *testing.T, rows []benchRow) {
	t.Helper()
	const off, on, tick, files = 0, 2, 1, 4 // in the order of the rows
	if len(rows) != 8 {
		t.Fatalf("ticks: %d rows", len(rows))
	}
	requests := func(at int) benchRow {
		return benchRow{All: rows[at].All, Asked: rows[at].Asked, Requests: rows[at].Requests}
	}
	for name, pair := range map[string][2]int{
		"a run without files": {off, on}, "an idle tick without files": {off + tick, on + tick}, "an idle tick after files": {files + off + tick, files + on + tick},
	} {
		if diff := cmp.Diff(requests(pair[0]), requests(pair[1])); diff != "" {
			t.Errorf("%s (-without media +with):\n%s", name, diff)
		}
	}
	if got := rows[files+on]; got.Files != 100 || got.Asked != 100 {
		t.Errorf("the run with files: %+v", got)
	}
}

func TestBench_RefusesWhatItCannotMeasure(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"--messages 10", "--latency 1m", "--quota 0", "--only speed", "--files 0", "--data /nowhere.ndjson"} {
		var stdout, stderr strings.Builder
		code := execute(t.Context(), append([]string{"bench"}, strings.Fields(args)...), &stdout, &stderr)
		if code != 2 || stderr.Len() == 0 {
			t.Errorf("bench %s: exit code %d, %q", args, code, stderr.String())
		}
	}
}
