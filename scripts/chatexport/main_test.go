package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/testdata"
)

// result is what the tests read of demo --json.
type result struct {
	Sound     bool   `json:"sound"`
	Messages  int    `json:"messages"`
	Exported  int    `json:"exported"`
	Resumed   bool   `json:"resumed"`
	Batches   int    `json:"batches"`
	ChatCalls int    `json:"chat_calls"`
	Archive   string `json:"archive"`
	Groups    []struct {
		GroupID  string `json:"group_id"`
		TopicID  string `json:"topic_id"`
		Messages int    `json:"messages"`
		Chunks   int    `json:"chunks"`
		Sound    bool   `json:"sound"`
	} `json:"groups"`
}

// invocation is one command line and what came of it.
type invocation struct {
	code           int
	stdout, stderr string
}

func command(ctx context.Context, args ...string) invocation {
	var stdout, stderr bytes.Buffer
	code := execute(ctx, args, &stdout, &stderr)
	return invocation{code, stdout.String(), stderr.String()}
}

// runDemo runs the demo quickly in a folder and expects a sound archive.
func runDemo(t *testing.T, out string, more ...string) result {
	t.Helper()
	got := command(t.Context(), append([]string{"demo", "--json", "--out", out, "--latency", "1ms", "--qps", "200", "--time-limit", "10s"}, more...)...)
	if got.code != 0 {
		t.Fatalf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	return decode(t, got.stdout)
}

func decode(t *testing.T, stdout string) result {
	t.Helper()
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	return r
}

// archived reads the chunks of a folder as any reader would, without a word of ours, and returns all texts in the
// order of groups and seqs.
func archived(t *testing.T, archive string) []string {
	t.Helper()
	var texts []string
	for _, stream := range []string{"gid=ubuntu/tid=-", "gid=.40TGS.23_ubuntu/*", "gid=lobby/tid=-"} {
		chunks, err := filepath.Glob(filepath.Join(archive, "data", filepath.FromSlash(stream), "*.ndjson.gz"))
		if err != nil {
			t.Fatal(err)
		}
		for _, chunk := range chunks {
			texts = append(texts, textsOf(t, chunk)...)
		}
	}
	return texts
}

func textsOf(t *testing.T, chunk string) []string {
	t.Helper()
	packed, err := os.ReadFile(chunk)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for lines := json.NewDecoder(unpacked); lines.More(); {
		var line struct {
			IsSystemMsg int
			MsgBody     json.RawMessage
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("%s: %v", chunk, err)
		}
		var elements []struct{ MsgContent struct{ Text string } }
		var tip struct{ MsgMemberExtraText string }
		if line.IsSystemMsg == 1 {
			err = json.Unmarshal(line.MsgBody, &tip)
			texts = append(texts, tip.MsgMemberExtraText)
		} else if err = json.Unmarshal(line.MsgBody, &elements); err == nil {
			texts = append(texts, elements[0].MsgContent.Text)
		}
		if err != nil {
			t.Fatalf("%s: %v", chunk, err)
		}
	}
	return texts
}

// source returns the texts of the excerpt's first n lines.
func source(t *testing.T, n int) []string {
	t.Helper()
	var texts []string
	for line := range bytes.Lines(testdata.ChatLog()) {
		var l struct{ Text, System string }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, l.Text+l.System)
		if len(texts) == n {
			break
		}
	}
	return texts
}

// tree returns the files of a folder with their contents, but for what every start touches.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(folder, name))
		files[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCommandLinesThatCannotBeUsedExitWith2(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.ndjson")
	if err := os.WriteFile(bad, []byte("{\"time\":1,\"from\":\"a\",\"text\":\"b\"}\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.ndjson")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, tc := range []struct {
		args []string
		text string // in what is said
	}{
		{[]string{"nonsense"}, `unknown command "nonsense"`},
		{[]string{"completion"}, `unknown command "completion"`},
		{[]string{"demo", "x"}, `unknown command "x"`},
		{[]string{"demo", "--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"demo", "--qps", "many"}, `invalid argument "many"`},
		{[]string{"demo", "--out", out, "--qps", "0"}, "--qps is not an integer from 1 to "},
		{[]string{"demo", "--out", out, "--qps", "0", "--span", "-1"}, "--span is not an integer"},
		{[]string{"demo", "--out", out, "--chunk-bytes", "5"}, "--chunk-bytes is not"},
		{[]string{"demo", "--out", out, "--latency", "-1s"}, "--latency -1s is not between"},
		{[]string{"demo", "--out", out, "--latency", "1m"}, "--latency 1m0s is not between"},
		{[]string{"demo", "--out", out, "--time-limit", "10ms"}, "--time-limit 10ms is not between"},
		{[]string{"demo", "--out", out, "--messages", "-1"}, "--messages -1 is negative"},
		{[]string{"demo", "--out", ""}, "--out is empty"},
		{[]string{"demo", "--out", full}, "is not empty and no demo's folder"},
		{[]string{"demo", "--out", out, "--data", filepath.Join(full, "none")}, "no such file"},
		{[]string{"demo", "--out", out, "--data", bad}, "line 2"},
		{[]string{"demo", "--out", out, "--data", empty}, "has no messages"},
	} {
		got := command(t.Context(), tc.args...)
		if got.code != 2 || !strings.Contains(got.stderr, tc.text) || got.stdout != "" {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q, want code 2 and %q", tc.args, got.code, got.stdout, got.stderr, tc.text)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a refused command line left something in --out: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"mine": ""}, tree(t, full)); diff != "" {
		t.Errorf("a foreign folder was touched:\n%s", diff)
	}
}

func TestHelpShowsAnExample(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--help"}, {"demo", "--help"}} {
		got := command(t.Context(), args...)
		if got.code != 0 || !strings.Contains(got.stdout, "Examples:") || !strings.Contains(got.stdout, "Exit codes: 0 good") {
			t.Errorf("%q: exit code %d\n%s%s", args, got.code, got.stdout, got.stderr)
		}
		if strings.Contains(got.stdout, "completion") {
			t.Errorf("%q speaks of completion:\n%s", args, got.stdout)
		}
	}
}
