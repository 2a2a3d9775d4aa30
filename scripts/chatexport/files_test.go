package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/media/mix"
	"chatexport/internal/emulator/world"
)

// filesArchive makes an archive of two streams with files, the second of which is a topic, and returns its folder and the
// links of both.
func filesArchive(t *testing.T) (folder string, links map[string][]mix.Link) {
	t.Helper()
	root := t.TempDir()
	w := world.New(t, world.Options{COS: cosemu.Options{Root: root}, Env: map[string]string{"EXPORT_MEDIA": "on"}})
	streams := []chat.Stream{w.Group("12345", 0), w.Topic("@TGS#_c", "@TGS#_c@TOPIC#_1", 0)}
	old := time.Now().Add(-5 * 24 * time.Hour).Unix() // nothing is waited for
	links = map[string][]mix.Link{}
	for i, s := range streams {
		filled, err := mix.Fill(w.Chat, w.Media, s, mix.Options{Seed: uint64(i), Messages: 40, Share: 0.5, Time: old})
		if err != nil {
			t.Fatal(err)
		}
		links[s.GroupID] = filled
	}
	w.Tick(streams...)
	return filepath.Join(root, world.Bucket), links
}

func TestReading_FilesAreFoundByOtherTools(t *testing.T) {
	t.Parallel()
	folder, links := filesArchive(t)
	t.Run("duckdb", func(t *testing.T) {
		t.Parallel()
		joinWithFiles(t, folder, links)
	})
	t.Run("zgrep", func(t *testing.T) {
		t.Parallel()
		findReceipts(t, folder)
	})
}

// joinWithFiles puts the documented queries.
func joinWithFiles(t *testing.T, folder string, links map[string][]mix.Link) {
	t.Helper()
	var queries []string
	for _, query := range documented(t, "files.sql") {
		queries = append(queries, strings.ReplaceAll(query, demoFolder, folder))
	}
	got := duck(t, queries...)
	states := map[string]int{}
	var want [][]string
	for _, stream := range []struct{ id, gid string }{{"@TGS#_c", ".40TGS.23_c"}, {"12345", "12345"}} {
		for _, l := range links[stream.id] {
			want = append(want, []string{stream.gid, strconv.FormatUint(uint64(l.Seq), 10), l.Kind, l.Name})
		}
	}
	var rows [][]string
	for _, row := range got[0] {
		rows = append(rows, []string{row[0], row[1], row[3], row[4]})
		states[row[5]]++
		if row[5] != "stored" {
			continue
		}
		if st, err := os.Stat(filepath.Join(folder, row[7])); err != nil || strconv.FormatInt(st.Size(), 10) != cmp.Or(row[6], "0") {
			t.Errorf("%v: %v", row, err)
		}
	}
	if diff := gocmp.Diff(want, rows); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if len(got[1]) != len(states) || states["stored"] == 0 {
		t.Errorf("states %v, want %v", got[1], states)
	}
	for _, row := range got[1] {
		if row[1] != strconv.Itoa(states[row[0]]) {
			t.Errorf("%s: DuckDB counts %s links, there are %d", row[0], row[1], states[row[0]])
		}
	}
}

// findReceipts runs the line that the README shows for who else names a file.
func findReceipts(t *testing.T, folder string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "change"), 0o700); err != nil { // as a mirror has it
		t.Fatal(err)
	}
	const line = "find media change -name '*.gz' -exec zgrep -l $sha256 {} +"
	if !strings.Contains(string(readme), "\n  "+line+"\n") {
		t.Errorf("the README does not show %s", line)
	}
	shell := tool(t, "sh")
	tool(t, "zgrep")
	receipts, err := filepath.Glob(filepath.Join(folder, "media", "*", "*", "*.gz"))
	if err != nil || len(receipts) < 2 {
		t.Fatalf("receipts: %q, %v", receipts, err)
	}
	blobs, err := filepath.Glob(filepath.Join(folder, "blob", "*", "*"))
	if err != nil || len(blobs) < 2 {
		t.Fatalf("files: %q, %v", blobs, err)
	}
	for _, blob := range blobs[:2] {
		sum := filepath.Base(blob)
		found := output(t, "", shell, "-c", "cd '"+folder+"'; sha256="+sum+"; "+line)
		for _, receipt := range receipts {
			name, err := filepath.Rel(folder, receipt)
			if names := strings.Contains(inflated(t, receipt), sum); err != nil || names != strings.Contains(found, name+"\n") {
				t.Errorf("%s names it: %v; found: %s (%v)", name, names, found, err)
			}
		}
	}
}
