package policy_test

import (
	"cmp"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"chatexport/scripts/internal/rights"
)

var (
	row      = regexp.MustCompile(`(?m)^\| .* \|$`)
	named    = regexp.MustCompile("`(Test\\w+|\\w+\\.json)`")
	question = regexp.MustCompile(`"([^"]+\?)"`)
	number   = regexp.MustCompile(`\d+`)
)

// scripts/README.md's table of what cannot be deleted or replaced names what holds each claim: all of that must be there.
func TestClaims_AreHeldByWhatTheReadmeSays(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "## What is proved, against whom?\n")
	section, _, _ = strings.Cut(section, "\n## ")
	tests := source(t, "../..", "_test.go")
	asked := source(t, "../firstrun", ".go")
	for _, trial := range rights.Trials() {
		asked += "May these keys " + trial.What + "?"
	}
	rows := row.FindAllString(section, -1)
	if len(rows) < 8 {
		t.Errorf("only %d rows", len(rows))
	}
	for _, claim := range rows[1:] {
		held := named.FindAllStringSubmatch(claim, -1)
		if len(held) == 0 {
			t.Errorf("nothing holds: %s", claim)
		}
		for _, m := range held {
			if _, err := os.Stat(m[1]); err != nil && !strings.Contains(tests, "\nfunc "+m[1]+"(") {
				t.Errorf("there is no %s: %s", m[1], claim)
			}
		}
		for _, m := range question.FindAllStringSubmatch(claim, -1) {
			if !strings.Contains(asked, m[1]) && !strings.Contains(asked, number.ReplaceAllString(m[1], "%d")) {
				t.Errorf("firstrun does not ask %q", m[1])
			}
		}
	}
}

// source returns the text of all files below a folder whose names end so.
func source(t *testing.T, folder, suffix string) string {
	t.Helper()
	var text strings.Builder
	files := os.DirFS(folder)
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return cmp.Or(err, fs.SkipDir)
		}
		if d.IsDir() || !strings.HasSuffix(path, suffix) {
			return nil
		}
		content, err := fs.ReadFile(files, path)
		text.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}
