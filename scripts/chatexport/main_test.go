package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	Files     struct {
		Links   int            `json:"links"`
		Waiting int            `json:"waiting"`
		Bytes   int64          `json:"bytes"`
		States  map[string]int `json:"states"`
	} `json:"files"`
	Looks struct {
		Looked int            `json:"looked"`
		Counts map[string]int `json:"counts"`
	} `json:"looks"`
	Groups []struct {
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
	var texts []string
	for lines := json.NewDecoder(strings.NewReader(inflated(t, chunk))); lines.More(); {
		var line struct {
			IsSystemMsg int
			MsgBody     json.RawMessage
		}
		var elements []struct{ MsgContent struct{ Text string } }
		var tip struct{ MsgMemberExtraText string }
		err := lines.Decode(&line)
		switch {
		case err != nil:
		case line.IsSystemMsg == 1:
			err = json.Unmarshal(line.MsgBody, &tip)
			texts = append(texts, tip.MsgMemberExtraText)
		default:
			if err = json.Unmarshal(line.MsgBody, &elements); err == nil {
				texts = append(texts, elements[0].MsgContent.Text)
			}
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
