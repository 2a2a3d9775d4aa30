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
			args, ours := strings.CutPrefix(line, "./chatexport ")
			if !ours {
				continue // go build
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
	ignored(t, folder)
}

// ignored expects that what a folder holds would leave the tree clean, so that packages are not dirty.
func ignored(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"chatexport", "chatexport.exe", "chatexport-demo.html"} // go build, and what the demo's end shows
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	for _, name := range names {
		git := exec.CommandContext(t.Context(), "git", "check-ignore", "-q", "--no-index", name)
		git.Dir = filepath.Join("..", "..")
		if err := git.Run(); err != nil {
			t.Errorf("%s is not ignored: %v", name, err)
		}
	}
}

// Whoever reads no further has read enough to begin, and gets true exit codes.
func TestReadme_IsShortAndUsesTheBuiltBinary(t *testing.T) {
	t.Parallel()
	for path, most := range map[string]int{"README.md": 10_000, "scripts/README.md": 1 << 20} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > most || strings.Contains(string(text), "go run ./scripts/chatexport ") && path != "README.md" {
			t.Errorf("%s: %d bytes, at most %d; a command by go run has no exit codes of its own", path, len(text), most)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join("..", "..", filepath.Dir(filepath.FromSlash(path)), filepath.FromSlash(link[1]))); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// lasting returns the lines of an output without what another run, another machine and another hour change: lines of
// progress, ports, hashes, times, sizes and rates, numbers of chunks, batches and requests (which follow from how much
// fits into a batch), and in tables the columns of these.
func lasting(output string) []string {
	progress := regexp.MustCompile(`^(batch \d|pulled: |looked at again: |verifying: \d)|: [\d,]+ of [\d,]+ messages$`)
	varying := regexp.MustCompile(`:\d{5}\b|\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|\b[0-9a-f]{64}\b|\b[\d.,]+ (s|B|kB|chunks?|batch(es)?|invocations?|Chat calls|throttled|COS requests)\b|\([\d.,]+/s\)|\b(seen|from|on) [\d-]+[ T][\d:]+Z`)
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
