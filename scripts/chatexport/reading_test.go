package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/emulator/world"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/exportcmd"
)

// The archive is for other tools to read: these tests read it with some. They are skipped where a tool cannot be had.

// demoFolder is the archive that the documented queries read.
const demoFolder = "chatexport-demo/chat-archive-1250000000"

// chunks returns the chunks below a folder.
func chunks(t *testing.T, archive string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(archive, "data", "*", "*", "*.ndjson.gz"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no chunks in %s: %v", archive, err)
	}
	return found
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

func output(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	text, err := try(t.Context(), stdin, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func try(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", errors.Join(err, errors.New(stderr.String()))
	}
	return stdout.String(), nil
}

func inflated(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// demoArchive makes the demo's whole archive.
func demoArchive(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "demo")
	runDemo(t, folder)
	return filepath.Join(folder, "chat-archive-1250000000")
}

func TestReading_ZcatAndPythonReadAChunkWhole(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	runDemo(t, folder, "--messages", "400")
	archive := filepath.Join(folder, "chat-archive-1250000000")
	t.Run("zcat", func(t *testing.T) {
		t.Parallel()
		zcat := tool(t, "zcat")
		for _, path := range chunks(t, archive) {
			if output(t, "", zcat, path) != inflated(t, path) {
				t.Errorf("zcat reads another content of %s", path)
			}
		}
	})
	t.Run("python", func(t *testing.T) {
		t.Parallel()
		python := tool(t, "python3")
		const program = `
import gzip, json, sys
for line in gzip.open(sys.argv[1], "rt", encoding="utf-8", newline="\n"):
    assert json.loads(line)["GroupId"], line
    sys.stdout.buffer.write(line.encode())
`
		for _, path := range chunks(t, archive) {
			if output(t, "", python, "-c", program, path) != inflated(t, path) {
				t.Errorf("python reads another content of %s", path)
			}
		}
	})
}

// duck answers queries with DuckDB's package for Node.js.
func duck(t *testing.T, queries ...string) [][][]string {
	t.Helper()
	node := tool(t, "node")
	for i := range queries {
		queries[i] = strings.Join(strings.Fields(queries[i]), " ")
	}
	script := filepath.Join("..", "duckdb", "query.mjs")
	text, err := try(t.Context(), strings.Join(queries, "\n"), node, script)
	if err != nil && strings.Contains(err.Error(), "ERR_MODULE_NOT_FOUND") {
		t.Skip("DuckDB is not installed: npm ci in scripts/duckdb")
	}
	if err != nil {
		t.Fatal(err)
	}
	var answers [][][]string
	for line := range strings.Lines(text) {
		var rows [][]string
		if err := json.Unmarshal([]byte(line), &rows); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		answers = append(answers, rows)
	}
	return answers
}

// documented returns the queries of a file of scripts/duckdb.
func documented(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "duckdb", file))
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "--") {
			code.WriteString(line)
		}
	}
	var queries []string
	for query := range strings.SplitSeq(code.String(), ";") {
		if query = strings.TrimSpace(query); query != "" {
			queries = append(queries, query)
		}
	}
	return queries
}

func TestReading_QueriesStandInTheReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "internal", "archive", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range slices.Concat(documented(t, "queries.sql"), documented(t, "files.sql"), documented(t, "changes.sql")) {
		if !strings.Contains(string(readme), query) {
			t.Errorf("the README does not show\n%s", query)
		}
	}
}

func TestReading_DuckDBReadsTheArchive(t *testing.T) {
	t.Parallel()
	archive := demoArchive(t)
	var queries []string
	for _, query := range documented(t, "queries.sql") {
		queries = append(queries, strings.ReplaceAll(query, demoFolder, archive))
	}
	got := duck(t, queries...)
	want := [][][]string{
		got[0],
		got[1],
		got[2],
		{}, // the demo's service answers nothing that cannot be read
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages a day (-want +got):\n%s", diff)
	}
	senders, days := map[string]int{}, map[string]int{}
	var found int
	for _, path := range chunks(t, archive) {
		for line := range strings.Lines(inflated(t, path)) {
			var m struct {
				From   string `json:"From_Account"`
				System int    `json:"IsSystemMsg"`
				Sent   int64  `json:"MsgTimeStamp"`
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			days[time.Unix(m.Sent, 0).UTC().Format(time.DateOnly)]++
			if m.System == 0 {
				senders[m.From]++
			}
			if strings.Contains(line, "ssh_config") {
				found++
			}
		}
	}
	for _, row := range got[0] {
		if row[1] != strconv.Itoa(days[row[0]]) {
			t.Errorf("%d messages are of %s, DuckDB says %s", days[row[0]], row[0], row[1])
		}
		delete(days, row[0])
	}
	if len(days) > 0 {
		t.Errorf("DuckDB does not know of %v", days)
	}
	for _, row := range got[1] {
		if row[1] != strconv.Itoa(senders[row[0]]) {
			t.Errorf("%s sent %d messages, DuckDB says %s", row[0], senders[row[0]], row[1])
		}
	}
	if len(got[1]) != 3 || len(got[2]) != found || found == 0 {
		t.Errorf("%d senders, %d messages found of %d", len(got[1]), len(got[2]), found)
	}
}

// A seq whose answer could not be read has a line of its own, without sender and time: no query takes it for a message.
func TestReading_DuckDBTellsMalformedSeqsFromMessages(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, chat.Stream{GroupID: "g"})
	b.Messages(3, 1)
	b.Chunk(5, chat.NewMalformed(4, []byte("{\"MsgSeq\":4,\xff")), chat.NewMalformed(5, nil))
	var queries []string
	for _, query := range documented(t, "queries.sql") {
		queries = append(queries, strings.NewReplacer(demoFolder, dir, "ssh_config", "message").Replace(query))
	}
	want := [][][]string{
		{{"2024-01-02", "3"}},
		{{"u1", "1"}, {"u2", "1"}, {"u3", "1"}},
		{{"1", "u1", "message 1"}, {"2", "u2", "message 2"}, {"3", "u3", "message 3"}},
		{{"g", "4", "13", `{\x22MsgSeq\x22:4,\xFF`}, {"g", "5", "0", ""}},
	}
	if diff := cmp.Diff(want, duck(t, queries...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// As cat --as-of 0s shows it.
func TestReading_DuckDBTellsThePresentState(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Changed(t, store, chat.Stream{GroupID: "g"})
	b.Chunk(21, chat.NewMalformed(21, []byte("{")))
	query := strings.ReplaceAll(documented(t, "changes.sql")[0], demoFolder, dir)
	row := func(seq, state, sender, text string) []string {
		return []string{"g", "-", seq, state, sender, "2024-01-02 08:" + map[bool]string{true: "3"}[len(seq) == 1] + seq + ":00", text}
	}
	want := [][]string{
		row("1", "same", "u1", "message 1"), row("2", "edited", "u2", "other words"), row("3", "recalled", "u3", "message 3"),
		row("4", "deleted", "u0", "message 4"), row("5", "missing", "u1", "message 5"), row("6", "same", "u2", "message 6"),
		row("7", "found", "u3", "late"), row("8", "same", "u0", "message 8"),
	}
	rows := duck(t, query)[0]
	if diff := cmp.Diff(want, rows[:8]); diff != "" || len(rows) != 21 {
		t.Errorf("%d rows (-want +got):\n%s", len(rows), diff)
	}
	if last := rows[20]; last[2] != "21" || last[4] != "" || last[6] != "" {
		t.Errorf("the malformed one: %q", last)
	}
}

func TestReading_DuckDBMakesParquetByDay(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, chat.Stream{GroupID: "g"})
	b.Messages(1500, 1) // a minute apart
	b.Chunk(1501, chat.NewMalformed(1501, []byte("{")))
	out := filepath.Join(t.TempDir(), "parquet")
	query := strings.NewReplacer(demoFolder, dir, "chat-parquet", out).Replace(documented(t, "changes.sql")[1])
	got := duck(t, query, query, "SELECT day, count(*), min(MsgSeq), max(GroupId) FROM read_parquet('"+out+
		"/*/*.parquet', hive_partitioning=true, hive_types_autocast=false) GROUP BY day ORDER BY day")
	want := [][]string{{"2024-01-02", "929", "1", "g"}, {"2024-01-03", "571", "930", "g"}, {"undated", "1", "1501", "g"}}
	if diff := cmp.Diff(want, got[2]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Messages have several elements, and what is no message any more has a sender and a text of its own.
func TestReading_DuckDBFindsTextInAnyElementAndCountsNoPlaceholder(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, chat.Stream{GroupID: "g"})
	var elements []chat.Element
	for i, line := range []string{
		`{"From_Account":"user_a","IsPlaceMsg":0,"MsgBody":[{"MsgType":"TIMCustomElem","MsgContent":{"Data":"{}","Desc":"d","Ext":""}},{"MsgType":"TIMTextElem","MsgContent":{"Text":"needle in the second element"}}],"MsgSeq":1,"MsgTimeStamp":1764000001}`,
		`{"From_Account":"user_a","IsPlaceMsg":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"needle in the first"}}],"MsgSeq":2,"MsgTimeStamp":1764000002}`,
		`{"From_Account":"user_a","IsPlaceMsg":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"said twice"}}],"MsgSeq":3,"MsgTimeStamp":1764000003,"IsSystemMsg":0}`,
		`{"From_Account":"","IsPlaceMsg":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"needle that is gone"}}],"MsgSeq":4,"MsgTimeStamp":0}`,
	} {
		place := 0
		if i == 3 {
			place = chat.PlaceHole
		}
		elements = append(elements, chat.Element{Seq: chat.Seq(i + 1), Place: place, JSON: []byte(line)})
	}
	b.Chunk(4, elements...)
	var queries []string
	for _, query := range documented(t, "queries.sql") {
		queries = append(queries, strings.NewReplacer(demoFolder, dir, "ssh_config", "needle").Replace(query))
	}
	want := [][][]string{
		{{"user_a", "3"}},
		{{"1", "user_a", "needle in the second element"}, {"2", "user_a", "needle in the first"}},
	}
	if diff := cmp.Diff(want, duck(t, queries...)[1:3]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReading_DuckDBAnswersTheQueryThatTheDemoPrints(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	got := command(t.Context(), "demo", "--out", folder, "--latency", "1ms", "--qps", "200", "--time-limit", "10s", "--messages", "400")
	_, query, found := strings.Cut(got.stdout, `duckdb -c "`)
	query, _, closed := strings.Cut(query, `"`)
	if got.code != 0 || !found || !closed {
		t.Fatalf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	if rows := duck(t, query)[0]; len(rows) != 5 || len(rows[0]) != 2 {
		t.Errorf("%s: %v", query, rows)
	}
}

// Whatever the service may send, DuckDB reads every line but those with half of a surrogate pair in them, as a client
// leaves that cuts an emoji: such an escape is kept as it came, and DuckDB makes NULLs of its line.
func TestReading_DuckDBReadsEveryKindOfMessage(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	w.Group("g", 500)
	out := filepath.Join(t.TempDir(), "out")
	if r := clitest.Run(t, exportcmd.Command(clitest.Env(w.Env)), "g", "--out", out); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	got := duck(t, "SELECT count(*), count(DISTINCT MsgSeq), min(GroupId), max(GroupId) FROM read_json('"+out+
		"/data/**/*.ndjson.gz', format='newline_delimited', ignore_errors=true, columns={GroupId: 'VARCHAR', MsgSeq: 'BIGINT', MsgBody: 'JSON'})")
	halves := 0
	for _, path := range chunks(t, out) {
		halves += strings.Count(inflated(t, path), `"Desc":"someone \uD83D"`)
	}
	if halves == 0 {
		t.Error("no message has half of a surrogate pair")
	}
	if diff := cmp.Diff([][][]string{{{"500", strconv.Itoa(500 - halves), "g", "g"}}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
