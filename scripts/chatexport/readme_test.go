package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The README's console blocks tell the truth. Those commands that need nothing but this clone are run as they stand, one
// after the other in one folder, and print what the README shows, but for what lasting leaves out.
func TestReadme_ShowsWhatCommandsPrint(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	folder, ran := t.TempDir(), 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		for _, step := range strings.Split("\n"+block[1], "\n$ ")[1:] {
			line, want, _ := strings.Cut(step, "\n")
			args, ours := strings.CutPrefix(line, "go run ./scripts/chatexport ")
			if !ours {
				continue // go test ./..., which runs this
			}
			ran++
			cmd := exec.CommandContext(t.Context(), "chatexport", strings.Fields(args)...)
			cmd.Dir = folder
			got, err := cmd.CombinedOutput()
			shown, printed := lasting(want), lasting(string(got))
			if last := len(shown) - 1; shown[last] == "..." { // and more
				shown, printed = shown[:last], printed[:min(last, len(printed))]
			}
			if diff := cmp.Diff(shown, printed); diff != "" || err != nil {
				t.Errorf("%s: %v (-README +got):\n%s", line, err, diff)
			}
		}
	}
	if ran < 4 {
		t.Errorf("only %d commands", ran)
	}
}

// lasting returns the lines of an output without what another run, another machine and another hour change: lines of
// progress, ports, hashes, times, sizes and rates, numbers of chunks, batches and requests (which follow from how much
// fits into a batch), and in tables the columns of these.
func lasting(output string) []string {
	progress := regexp.MustCompile(`^(batch \d|pulled: |looked at again: |verifying: \d)`)
	varying := regexp.MustCompile(`:\d{5}\b|\b[0-9a-f]{64}\b|\b[\d.,]+ (s|B|kB|chunks?|batch(es)?|invocations?|Chat calls|throttled|COS requests)\b|\([\d.,]+/s\)|\b(seen|from|on) [\d-]+[ T][\d:]+Z`)
	varies := []string{"chunks", "bytes", "batches", "read", "manifests"}
	gap := regexp.MustCompile(` {2,}`)
	var lines, header []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line == "" || progress.MatchString(line) {
			continue
		}
		cells := gap.Split(line, -1)
		if cells[0] == "group" {
			header = slices.Clone(cells)
		}
		for i := range cells {
			if len(cells) >= len(header)-1 && i < len(header) && slices.Contains(varies, header[i]) {
				cells[i] = "-"
			}
		}
		lines = append(lines, varying.ReplaceAllString(strings.Join(cells, "  "), "-"))
	}
	return lines
}
