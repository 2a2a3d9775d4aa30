package verifycmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/verifycmd"
)

func group() chat.Stream { return chat.Stream{GroupID: "@TGS#1"} }

func run(t *testing.T, args ...string) clitest.Result {
	t.Helper()
	return clitest.Run(t, verifycmd.Command(clitest.Env(nil)), args...)
}

func TestSoundArchiveIsCalledSoundAtEveryLevel(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Sound(t, store, group())
	clitest.Sound(t, store, chat.Stream{GroupID: "@TGS#_c", TopicID: "@TGS#_c@TOPIC#_t"})
	for _, args := range [][]string{
		nil,
		{"--read"},
		{"--sample", "50%"},
		{group().GroupID},
		{"@TGS#_c"},
		{"@TGS#_c@TOPIC#_t", "--read"},
		{group().GroupID, "--expect", b.Link.SHA256},
		{group().GroupID, "--expect", clitest.Hash(read(t, clitest.File(dir, layout.Manifest(group(), 1))))},
	} {
		r := run(t, append(args, "--dir", dir)...)
		if r.Code != 0 || !strings.Contains(r.Stdout, "sound: ") || strings.Contains(r.Stdout, "NOT SOUND") {
			t.Errorf("%v: exit code %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Whoever can delete objects can delete the state, too: then only a hash that was kept elsewhere tells.
func TestNewestManifestsDeletedAreFoundByTheExpectedHash(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Sound(t, store, group())
	for _, key := range []string{
		layout.Chunk(group(), 46), layout.Chunk(group(), 61), layout.Chunk(group(), 81), layout.Manifest(group(), 46), layout.State(group()),
	} {
		clitest.Remove(t, dir, key)
	}
	if r := run(t, "--dir", dir, "--read"); r.Code != 0 {
		t.Fatalf("the cut archive is not sound by itself, so this proves nothing:\n%s", r.Stdout)
	}
	r := run(t, "--dir", dir, "--expect", b.Link.SHA256, group().GroupID)
	if r.Code != 1 || !strings.Contains(r.Stdout, "expected: ") || !strings.Contains(r.Stdout, b.Link.SHA256) {
		t.Errorf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestAbsentAndExpiredRangesAreNamed(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Sound(t, store, group())
	r := run(t, "--dir", dir, "--read")
	for _, want := range []string{"expired before it could be archived: 46 to 60 (evidence: probe)", "absent, not returned by the service: 22 to 22", "44 to 44"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("no %q in\n%s", want, r.Stdout)
		}
	}
	var got struct {
		Streams []struct{ Absent []verify.Range }
	}
	decode(t, run(t, "--dir", dir, "--read", "--json").Stdout, &got)
	if n := len(got.Streams[0].Absent); n != 12 {
		t.Errorf("%d absent ranges, want all 12", n)
	}
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

func TestCertificateSaysWhatWasProved(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Sound(t, store, group())
	path := filepath.Join(t.TempDir(), "proof.json")
	if r := run(t, "--dir", dir, "--read", "--certificate", path); r.Code != 0 {
		t.Fatalf("exit code %d: %s", r.Code, r.Stderr)
	}
	var got struct {
		Format  int
		Level   string
		Streams []struct {
			SDKAppID  int    `json:"sdkappid"`
			GroupID   string `json:"group_id"`
			Lo, Hi    int64
			ListedTo  int64 `json:"listed_to"`
			Counts    archive.Counts
			Genesis   archive.Link
			Manifests []archive.Link
			Absent    []verify.Range
			Expired   []verify.ExpiredRange
		}
	}
	decode(t, string(read(t, path)), &got)
	s := got.Streams[0]
	switch {
	case got.Format != 1, got.Level != "read", s.SDKAppID != clitest.SDKAppID, s.GroupID != group().GroupID, s.Lo != 1, s.Hi != 100, s.ListedTo != 80,
		s.Counts.Messages != 73, s.Counts.Absent != 12, s.Counts.Expired != 15, s.Counts.Sum() != 100, len(s.Absent) != 12, len(s.Expired) != 1,
		s.Genesis.Key != layout.Genesis(group()), len(s.Manifests) != 2, s.Manifests[1] != b.Link:
		t.Errorf("got %+v", got)
	}
	clitest.Remove(t, dir, layout.Chunk(group(), 21))
	path = filepath.Join(t.TempDir(), "none.json")
	run(t, "--dir", dir, "--certificate", path)
	if _, err := os.Stat(path); err == nil {
		t.Error("a certificate was written for an archive with a fault")
	}
}

func TestSourceIsComparedWithTheArchive(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	s := w.Group("g", 150)
	w.Tick(s)
	r := clitest.Run(t, verifycmd.Command(clitest.Env(w.Env)), "--source", "--pages", "20")
	if r.Code != 0 || !strings.Contains(r.Stdout, "0 missing, 0 different") {
		t.Errorf("same content: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	// An archive of other messages under the same id.
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, s)
	b.Chunk(100, 1)
	b.Chunk(150, 2)
	b.Manifest(archive.StatusComplete)
	r = clitest.Run(t, verifycmd.Command(clitest.Env(w.Env)), "--source", "--pages", "20", "--dir", dir)
	if r.Code != 1 || !strings.Contains(r.Stdout, "g: source: ") || strings.Contains(r.Stdout, " 0 missing") || strings.Contains(r.Stdout, " 0 different") {
		t.Errorf("other content: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Sound(t, store, group())
	w := world.New(t, world.Options{})
	for name, test := range map[string]struct {
		env  map[string]string
		args []string
		want int
	}{
		"no variables":            {nil, nil, 2},
		"no such folder":          {nil, []string{"--dir", dir + "x"}, 2},
		"no such stream":          {nil, []string{"--dir", dir, "other"}, 2},
		"read and sample":         {nil, []string{"--dir", dir, "--read", "--sample", "5%"}, 2},
		"sample without percent":  {nil, []string{"--dir", dir, "--sample", "5"}, 2},
		"expect without group":    {nil, []string{"--dir", dir, "--expect", strings.Repeat("a", 64)}, 2},
		"expect something else":   {nil, []string{"--dir", dir, "--expect", "abc", group().GroupID}, 2},
		"source without the app":  {nil, []string{"--dir", dir, "--source"}, 2},
		"another app's archive":   {w.Env, []string{"--dir", dir}, 0},
		"COS refuses the key":     {with(w.Env, "TENCENTCLOUD_SECRETKEY", "wrong"), nil, 3},
		"nothing in the bucket":   {w.Env, nil, 2},
		"app of the variables":    {with(w.Env, "CHAT_SDKAPPID", "1400000009"), []string{"--dir", dir}, 1},
		"not a demo":              {nil, []string{"--demo", dir}, 2},
		"env file does not exist": {nil, []string{"--dir", dir, "--env-file", dir + "/x"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := clitest.Run(t, verifycmd.Command(clitest.Env(test.env)), test.args...)
			if r.Code != test.want {
				t.Errorf("exit code %d, want %d\n%s%s", r.Code, test.want, r.Stdout, r.Stderr)
			}
		})
	}
}

func with(env map[string]string, name, value string) map[string]string {
	changed := map[string]string{name: value}
	for n, v := range env {
		if n != name {
			changed[n] = v
		}
	}
	return changed
}
