package catcmd_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/clitest"
)

// changed is an archive that looks found changed: see clitest.Changed.
func changed(t *testing.T) string {
	t.Helper()
	store, dir := clitest.Folder(t)
	clitest.Changed(t, store, group())
	return dir
}

// short is a line of JSON in a few words: its seq, its text, and what has changed.
func short(t *testing.T, lines string) (all []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var m struct {
			GroupId, From_Account string //nolint:revive // as in a message
			MsgSeq                int
			MsgBody               []struct{ MsgContent struct{ Text string } }
			Change                *struct {
				Kind   string `json:"kind"`
				Was    string `json:"was"`
				SeenAt int64  `json:"seen_at"`
			} `json:"_change"`
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.GroupId != group().GroupID {
			t.Fatalf("%v: %s", err, line)
		}
		text := fmt.Sprint(m.MsgSeq)
		if len(m.MsgBody) > 0 {
			text += " " + m.MsgBody[0].MsgContent.Text
		}
		if m.Change != nil {
			text += " (" + m.Change.Kind + ")"
			if m.Change.SeenAt != clitest.SeenAt() || (m.Change.Was == "") != (m.Change.Kind == archive.ChangeFound) {
				t.Errorf("%s: %+v", text, m.Change)
			}
		}
		all = append(all, text)
	}
	return all
}

func TestChange_JSONIsWhatIsArchivedUnlessMoreIsAskedFor(t *testing.T) {
	t.Parallel()
	dir := changed(t)
	before := time.Unix(clitest.SeenAt()-1, 0).UTC().Format(time.RFC3339)
	first := archivetest.When().Add(75 * time.Second).Format(time.RFC3339) // the first manifest is there, the second is not
	for args, want := range map[string][]string{
		"":          {"1 message 1", "2 message 2", "3 message 3", "4 message 4", "5 message 5", "6 message 6", "8 message 8"},
		"--marks":   {"1 message 1", "2 message 2 (edited)", "3 message 3 (recalled)", "4 message 4 (deleted)", "5 message 5 (missing)", "6 message 6", "7 late (found)", "8 message 8"},
		"--history": {"1 message 1", "2 message 2", "2 other words (edited)", "3 message 3", "3 (recalled)", "4 message 4", "4 (deleted)", "5 message 5", "5 (missing)", "6 message 6", "7 late (found)", "8 message 8"},
		"--as-of 0s": {
			"1 message 1", "2 other words (edited)", "3 message 3 (recalled)", "4 message 4 (deleted)", "5 message 5 (missing)", "6 message 6", "7 late (found)", "8 message 8",
		},
		"--as-of " + before:             {"1 message 1", "2 message 2", "3 message 3", "4 message 4", "5 message 5", "6 message 6", "8 message 8"},
		"--history --as-of " + before:   {"1 message 1", "2 message 2", "3 message 3", "4 message 4", "5 message 5", "6 message 6", "8 message 8"},
		"--marks --from-seq 7":          {"7 late (found)", "8 message 8"},
		"--marks --since " + minute(7):  {"7 late (found)", "8 message 8"},
		"--marks --head 2 --from-seq 6": {"6 message 6", "7 late (found)"},
	} {
		got := run(t, dir, append(strings.Fields(args), "--to-seq", "8", group().GroupID)...)
		if diff := cmp.Diff(want, short(t, got.Stdout)); diff != "" || got.Code != 0 {
			t.Errorf("%q: exit code %d (-want +got):\n%s%s", args, got.Code, diff, got.Stderr)
		}
	}
	if got := seqs(t, run(t, dir, "--as-of", first, group().GroupID).Stdout); len(got) != 9 {
		t.Errorf("known after the first manifest: %v", got)
	}
	if got := seqs(t, run(t, dir, "--marks", "--tail", "14", group().GroupID).Stdout); !cmp.Equal(got, span(7, 20)) {
		t.Errorf("the last 14: %v", got)
	}
}

func TestChange_TextSaysItInWords(t *testing.T) {
	t.Parallel()
	dir := changed(t)
	want := `2024-01-02 08:32:00Z  u2  message 2  [later edited, seen 2024-01-12 08:30:00Z]
2024-01-02 08:33:00Z  u3  message 3  [later recalled, seen 2024-01-12 08:30:00Z]
2024-01-02 08:34:00Z  u0  message 4  [later deleted, seen 2024-01-12 08:30:00Z]
2024-01-02 08:35:00Z  u1  message 5  [later not there any more, seen 2024-01-12 08:30:00Z]
2024-01-02 08:36:00Z  u2  message 6
2024-01-02 08:37:00Z  u3  late  [came late, seen 2024-01-12 08:30:00Z]
`
	if diff := cmp.Diff(want, run(t, dir, "--text", "--from-seq", "2", "--to-seq", "7", group().GroupID).Stdout); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = `2024-01-02 08:32:00Z  u2  message 2
                      edited, seen 2024-01-12 08:30:00Z: other words [image]
2024-01-02 08:33:00Z  u3  message 3
                      recalled, seen 2024-01-12 08:30:00Z
`
	if diff := cmp.Diff(want, run(t, dir, "--text", "--history", "--from-seq", "2", "--to-seq", "3", group().GroupID).Stdout); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	want = "2024-01-02 08:32:00Z  u2  other words [image]  [edited, seen 2024-01-12 08:30:00Z]\n"
	if diff := cmp.Diff(want, run(t, dir, "--text", "--as-of", "0s", "--from-seq", "2", "--to-seq", "2", group().GroupID).Stdout); diff != "" {
		t.Errorf("present state (-want +got):\n%s", diff)
	}
}

func TestChange_FilesOfNewVersionsHaveTheirLinks(t *testing.T) {
	t.Parallel()
	dir := changed(t)
	want := "2024-01-02 08:32:00Z  2.0  1  image  stored: " + layout.Blob(archivetest.Hash([]byte("new"))) +
		", 3 B, image/png  https://x/new.png  new, seen 2024-01-12 08:30:00Z\n"
	if diff := cmp.Diff(want, run(t, dir, "--text", "--media", group().GroupID).Stdout); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := run(t, dir, "--media", group().GroupID).Stdout; !strings.Contains(got, fmt.Sprintf(`"seen_at":%d}`, clitest.SeenAt())) {
		t.Errorf("as JSON: %s", got)
	}
}

// A seq that never had a message may have one in a chunk whose own messages are of another time.
func TestChange_WhatCameLateIsFoundByItsTime(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, group())
	b.Messages(5, 1)
	b.Chunk(10)
	b.Messages(20, 1)
	b.Manifest(archive.StatusComplete)
	late := fmt.Sprintf(`{"From_Account":"a","MsgBody":[],"MsgSeq":8,"MsgTimeStamp":%d}`, archivetest.When().Unix()+8*60)
	b.Look(1, 5)
	b.Look(6, 10, b.Difference(8, archive.ChangeFound, nil, &archivetest.Elements(t, late)[0]))
	for args, want := range map[string][]chat.Seq{
		"--marks --since " + minute(7) + " --until " + minute(10): {8},
		"--since " + minute(7) + " --until " + minute(10):         nil,
		"--marks --from-seq 5 --to-seq 11":                        {5, 8, 11},
		"--marks --tail 11":                                       append([]chat.Seq{8}, span(11, 20)...),
	} {
		r := run(t, dir, append(strings.Fields(args), group().GroupID)...)
		if diff := cmp.Diff(want, seqs(t, r.Stdout)); diff != "" || r.Code != 0 {
			t.Errorf("%q: exit code %d (-want +got):\n%s%s", args, r.Code, diff, r.Stderr)
		}
	}
}

func TestCSV_IsForSpreadsheetsAndHarmless(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Changed(t, store, group())
	text := func(seq chat.Seq, from, text string) chat.Element {
		line, err := json.Marshal(map[string]any{
			"From_Account": from, "MsgSeq": seq, "MsgTimeStamp": 1_700_000_000 + seq,
			"MsgBody": []any{map[string]any{"MsgType": "TIMTextElem", "MsgContent": map[string]string{"Text": text}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return archivetest.Elements(t, string(line))[0]
	}
	b.Chunk(30,
		text(21, "=cmd|' /C calc'!A0", "+1"), text(22, "@a", "-1"), text(23, "a", "\t=1\r"), text(24, "a", "two\r\n=lines, \"quoted\"; =half"),
		text(25, "a", "界\x1b[31m\u202e"), archivetest.Elements(t, `{"IsPlaceMsg":1,"MsgSeq":26}`)[0],
		archivetest.Elements(t, `{"IsSystemMsg":1,"MsgBody":{"MsgMemberExtraText":"=joined"},"MsgSeq":27}`)[0])
	got := run(t, dir, "--csv", "--bom", group().GroupID)
	text1, marked := strings.CutPrefix(got.Stdout, "\ufeff")
	if !marked || strings.Count(text1, "\n") != strings.Count(text1, "\r\n") || strings.ContainsAny(text1, "\x1b\u202e\t") {
		t.Errorf("exit code %d, %q", got.Code, got.Stdout)
	}
	rows, err := csv.NewReader(strings.NewReader(text1)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"seq", "time", "sender", "kind", "text", "marks", "files"},
		{"1", "2024-01-02T08:31:00Z", "u1", "message", "message 1", "", ""},
		{"2", "2024-01-02T08:32:00Z", "u2", "message", "message 2", "later edited, seen 2024-01-12 08:30:00Z", ""},
	}
	if diff := cmp.Diff(want, rows[:3]); diff != "" {
		t.Errorf("what is archived (-want +got):\n%s", diff)
	}
	want = [][]string{
		{"21", "2023-11-14T22:13:41Z", "'=cmd|' /C calc'!A0", "message", "'+1", "", ""},
		{"22", "2023-11-14T22:13:42Z", "'@a", "message", "'-1", "", ""},
		{"23", "2023-11-14T22:13:43Z", "a", "message", "' =1 ", "", ""},
		{"24", "2023-11-14T22:13:44Z", "a", "message", "two\n'=lines, \"quoted\";' =half", "", ""},
		{"25", "2023-11-14T22:13:45Z", "a", "message", "界[31m", "", ""},
		{"26", "", "", "placeholder", "[expired, deleted, or not stored]", "", ""},
		{"27", "", "", "system", "'=joined", "", ""},
	}
	if diff := cmp.Diff(want, rows[len(rows)-7:]); diff != "" {
		t.Errorf("what is hostile (-want +got):\n%s", diff)
	}
	if got := run(t, dir, "--csv", "--as-of", "0s", "--from-seq", "2", "--to-seq", "2", group().GroupID).Stdout; !strings.HasSuffix(got,
		"\r\n2,2024-01-02T08:32:00Z,u2,message,other words [image],\"edited, seen 2024-01-12 08:30:00Z\","+layout.Blob(archivetest.Hash([]byte("new")))+"\r\n") {
		t.Errorf("present state: %q", got)
	}
	for _, args := range []string{"--csv --text", "--csv --media", "--bom", "--as-of never"} {
		if r := run(t, dir, append(strings.Fields(args), group().GroupID)...); r.Code != 2 {
			t.Errorf("%s: exit code %d", args, r.Code)
		}
	}
}
