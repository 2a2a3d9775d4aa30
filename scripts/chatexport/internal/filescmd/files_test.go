package filescmd_test

import (
	"encoding/csv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/filescmd"
)

func group() chat.Stream { return chat.Stream{GroupID: "@TGS#1"} }

func run(t *testing.T, dir, out string, args ...string) clitest.Result {
	t.Helper()
	return clitest.Run(t, filescmd.Command(clitest.Env(nil)), append(args, group().GroupID, "--dir", dir, "--out", out)...)
}

// written returns the files of a folder but for the index, with their content.
func written(t *testing.T, out string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "index.") || strings.HasPrefix(d.Name(), ".chatexport") {
			return err
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v, %v", path, info.Mode(), err)
		}
		content, err := os.ReadFile(path)
		found[d.Name()] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func all() map[string]string {
	return map[string]string{
		"20240102T083200Z_0000000002_00_image.png":        "picture",
		"20240102T083300Z_0000000003_00_image.png":        "picture",
		"20240102T083400Z_0000000004_00_file_=1+1fdp.exe": "pdf",
		"20240102T083500Z_0000000005_01_thumb.jpg":        "thumb",
		"20240102T083500Z_0000000005_02_file_=1+1fdp.exe": "pdf",
	}
}

func index(t *testing.T, out string) [][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(out, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestFiles_AreWrittenUnderNamesOfTheirMessages(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Files(t, store, group())
	out := filepath.Join(t.TempDir(), "out")
	for _, kept := range []string{"0 were", "5 were"} {
		r := run(t, dir, out)
		want := "5 files, 25 B, of 9 links in " + out + "; " + kept + " there already\nlinks without a file: 1 gone, 2 no-url, 1 not yet\n"
		if diff := cmp.Diff(want, r.Stdout); diff != "" || r.Code != 0 {
			t.Errorf("exit code %d (-want +got):\n%s%s", r.Code, diff, r.Stderr)
		}
		if diff := cmp.Diff(all(), written(t, out)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	var told []string
	for _, row := range index(t, out)[1:] {
		told = append(told, strings.Join(append(row[:3:3], row[3], row[4], row[5], row[8]), "|"))
	}
	want := []string{
		"20240102T083200Z_0000000002_00_image.png|stored||2024-01-02T08:32:00Z|2|0|",
		"20240102T083300Z_0000000003_00_image.png|stored||2024-01-02T08:33:00Z|3|0|",
		"20240102T083400Z_0000000004_00_file_=1+1fdp.exe|stored||2024-01-02T08:34:00Z|4|0|../=1+1fdp.exe",
		"|gone||2024-01-02T08:35:00Z|5|0|",
		"20240102T083500Z_0000000005_01_thumb.jpg|stored||2024-01-02T08:35:00Z|5|1|",
		"20240102T083500Z_0000000005_02_file_=1+1fdp.exe|stored||2024-01-02T08:35:00Z|5|2|../=1+1fdp.exe",
		"|no-url||2024-01-02T08:37:00Z|7|0|no-link.pdf",
		"|no-url||2024-01-02T08:38:00Z|8|0|",
		"|not yet||2024-01-02T08:51:00Z|21|0|",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
	lines, err := os.ReadFile(filepath.Join(out, "index.ndjson"))
	if err != nil || strings.Count(string(lines), "\n") != 9 || !strings.Contains(string(lines), `"file":"20240102T083200Z_0000000002_00_image.png"`) {
		t.Errorf("%v:\n%s", err, lines)
	}
}

func TestFiles_OnlyWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Files(t, store, group())
	for args, links := range map[string]int{"--kind image": 3, "--kind image,thumb": 4, "--from-seq 5 --to-seq 7": 4, "--since 2024-01-02T08:50": 1, "--kind sound": 0} {
		out := filepath.Join(t.TempDir(), "out")
		if r := run(t, dir, out, strings.Fields(args)...); r.Code != 0 || len(index(t, out)) != links+1 {
			t.Errorf("%s: exit code %d, %d rows\n%s", args, r.Code, len(index(t, out)), r.Stderr)
		}
	}
}

// What the archive has lost, or has other bytes of, is told and not written; all else is.
func TestFiles_OnlyTheBytesThatReceiptsName(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Files(t, store, group())
	key := func(content string) string { return layout.Blob(archivetest.Hash([]byte(content))) }
	clitest.Damage(t, dir, key("picture"), "PICTURE")
	clitest.Damage(t, dir, key("pdf"), "longer")
	if err := os.RemoveAll(filepath.Join(dir, ".chatexport")); err != nil { // a copy: nothing else knows the right bytes
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(key("thumb")))); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	r := run(t, dir, out)
	if got := written(t, out); r.Code != 1 || len(got) != 0 {
		t.Errorf("exit code %d, %v\n%s%s", r.Code, got, r.Stdout, r.Stderr)
	}
	if got := strings.Join(index(t, out)[5], "|"); !strings.HasPrefix(got, "|stored|the archive has lost it") {
		t.Errorf("the missing one: %s", got)
	}
	if got := strings.Join(index(t, out)[1], "|"); !strings.HasPrefix(got, "|stored|the archive has other bytes") {
		t.Errorf("the damaged one: %s", got)
	}
}

func TestFiles_WhatIsInTheWayStays(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Files(t, store, group())
	out := filepath.Join(t.TempDir(), "out")
	if r := run(t, dir, out, "--kind", "image"); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	mine := "20240102T083200Z_0000000002_00_image.png"
	clitest.Damage(t, out, mine, "mine")
	clitest.Damage(t, out, ".part-00", "of a run that was killed")
	want := all()
	want[mine] = "mine"
	if r := run(t, dir, out); r.Code != 1 || !strings.Contains(strings.Join(index(t, out)[1], "|"), "another file has its name") {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if diff := cmp.Diff(want, written(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A chunk or receipt that is damaged hides its own links only.
func TestFiles_OfADamagedArchive(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Files(t, store, group())
	clitest.Damage(t, dir, layout.Media(b.Stream, 5), "x")
	out := filepath.Join(t.TempDir(), "out")
	r := run(t, dir, out)
	if got := index(t, out); r.Code != 1 || len(got) != 5 || !strings.Contains(r.Stderr, layout.Media(b.Stream, 5)) {
		t.Errorf("exit code %d, %q\n%s", r.Code, got, r.Stderr)
	}
}

func TestFolder_IsOfOneStream(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Files(t, store, group())
	clitest.Files(t, store, chat.Stream{GroupID: "other"})
	out := filepath.Join(t.TempDir(), "out")
	if r := run(t, dir, out); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	for name, r := range map[string]clitest.Result{
		"another stream's": clitest.Run(t, filescmd.Command(clitest.Env(nil)), "other", "--dir", dir, "--out", out),
		"somebody's":       run(t, dir, t.TempDir()+"/.."),
		"the archive":      run(t, dir, dir),
		"no topic":         run(t, dir, out, "--topic", "other"),
		"no kind":          run(t, dir, out, "--kind", "picture"),
		"no folder":        run(t, dir, ""),
		"no archive":       clitest.Run(t, filescmd.Command(clitest.Env(nil)), "nobody", "--dir", dir, "--out", out),
		"no range":         run(t, dir, out, "--from-seq", "3", "--to-seq", "2"),
	} {
		if r.Code != 2 {
			t.Errorf("%s: exit code %d\n%s%s", name, r.Code, r.Stdout, r.Stderr)
		}
	}
}

func TestFiles_OfNewVersionsAreThereToo(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Changed(t, store, group())
	out := filepath.Join(t.TempDir(), "out")
	if r := run(t, dir, out); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	name := "20240102T083200Z_0000000002_00_later_image.png"
	if diff := cmp.Diff(map[string]string{name: "new"}, written(t, out)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rows := index(t, out)
	if last := rows[len(rows)-1]; len(rows) != 2 || last[0] != name || last[len(last)-1] != "2024-01-12T08:30:00Z" {
		t.Errorf("index: %q", rows)
	}
}

func TestIndex_HasNoFormulas(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Build(t, store, group()).Chunk(1, archivetest.Elements(t,
		`{"From_Account":"@u","MsgBody":[{"MsgType":"TIMFileElem","MsgContent":{"Url":"https://x/f","FileName":"=1+1\n.pdf"}}],"MsgSeq":1}`)...)
	out := filepath.Join(t.TempDir(), "out")
	if r := run(t, dir, out); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	if row := index(t, out)[1]; row[8] != "'=1+1 .pdf" || row[9] != "'@u" {
		t.Errorf("%q", row)
	}
}
